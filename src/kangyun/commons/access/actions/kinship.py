"""Which residents are staff, their relatives, or specially protected: for the anomalies of the audit trail only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions.anomalies import Look
from kangyun.commons.access.model import escaped
from kangyun.commons.access.queries.anomalies import sql
from kangyun.commons.records import key_of

_ID_NUMBERS = "urn:oid:2.16.156.10011.1.3"
_AT_ONCE = 40


class Kin:
    """Asks the record who of the staff is which resident: Practitioner and Patient carry the same ID number."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._handle = parts.gate.system("audit.anomalies")
        self._own: dict[str, list[dict[str, Any]]] = {}

    async def colleagues(self, looks: Sequence[Look]) -> dict[str, frozenset[int]]:
        """The Patients of those who work at each institution that somebody looked from."""
        institutions = sorted({look.institution for look in looks if look.institution})
        async with self._parts.database.connection() as connection:
            rows = await connection.fetch(sql.staff, institutions)
        patients = await self._patients({row["practitioner"] for row in rows if row["practitioner"]})
        found: dict[str, set[int]] = {}
        for row in rows:
            mine = patients.get(row["practitioner"], ())
            self._own.setdefault(row["id"], []).extend(mine)
            found.setdefault(row["institution"], set()).update(key_of("Patient", one["id"]) for one in mine)
        return {institution: frozenset(keys) for institution, keys in found.items()}

    async def family(self, looks: Sequence[Look]) -> dict[str, frozenset[int]]:
        """For each account that looked: its own Patients, its wards and guardians, and who shares its phone. After `colleagues`."""
        found: dict[str, frozenset[int]] = {}
        for account in sorted({look.account for look in looks if look.account and self._own.get(look.account)}):
            own = self._own[account]
            keys = {key_of("Patient", one["id"]) for one in own}
            found[account] = frozenset(keys | await self._by_phone(own) | await self._by_guardianship(own))
        return found

    async def marked(self, marks: Sequence[str]) -> frozenset[int]:
        """The Patients that carry one of the security labels."""
        return frozenset([key_of("Patient", one["id"]) async for one in self._search("Patient", "_security", marks)])

    async def _patients(self, practitioners: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """The Patients with the ID number of each Practitioner."""
        holders: dict[str, str] = {}
        async for one in self._search("Practitioner", "_id", sorted(practitioners)):
            holders |= {number: str(one["id"]) for number in _numbers(one)}
        found: dict[str, list[dict[str, Any]]] = {}
        async for one in self._search("Patient", "identifier", [f"{_ID_NUMBERS}|{escaped(number)}" for number in sorted(holders)]):
            for number in _numbers(one):
                if number in holders:
                    found.setdefault(holders[number], []).append(one)
        return found

    async def _by_phone(self, own: Sequence[dict[str, Any]]) -> set[int]:
        phones = {str(one.get("value", "")) for patient in own for one in patient.get("telecom", ()) if one.get("system") == "phone"}
        values = [escaped(phone) for phone in sorted(phones) if phone]
        return {key_of("Patient", one["id"]) async for one in self._search("Patient", "phone", values)}

    async def _by_guardianship(self, own: Sequence[dict[str, Any]]) -> set[int]:
        persons = [str(one["id"]) async for one in self._search("Person", "link", [f"Patient/{one['id']}" for one in own])]
        async with self._parts.database.connection() as connection:
            rows = await connection.fetch(sql.kin, persons)
            return {row["resident"] for row in await connection.fetch(
                sql.patients_of, [key_of("Person", row["person"]) for row in rows])}

    async def _search(self, type_: str, parameter: str, values: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        for some in _portions(values):
            query: Any = [(parameter, ",".join(some)), ("_count", "500")]
            while query:
                page = await self._handle.search(type_, query)
                for resource in page.resources:
                    yield resource
                query = page.next


def _portions(values: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _numbers(resource: dict[str, Any]) -> list[str]:
    return [str(one["value"]) for one in resource.get("identifier", ()) if one.get("system") == _ID_NUMBERS and one.get("value")]
