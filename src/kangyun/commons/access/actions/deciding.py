"""Residents decide about their own record: what they have decided, a new decision, one taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access.actions.consents import sql
from kangyun.commons.access.actions.gate import Handle
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions import wishes
from kangyun.commons.access.decisions.wishes import Wish
from kangyun.commons.access.model import escaped
from kangyun.commons.records import Write, key_of, same_person

_MOST = "200"
_SHOWN = 60
_FOUND = "12"
_OWN = {"resident", "guardian"}


@dataclass(frozen=True, slots=True)
class Decided:
    """A Consent as the page shows it; `wish` is None for one in other words than ours. made: an instant, or ''."""

    id: str
    wish: Wish | None
    made: str
    over: bool


async def patients_of(parts: Parts, handle: Handle, chosen: str) -> list[str]:
    """The ids of all Patients of whoever decides: oneself, the ward, or where there is no login, the chosen resident.

    Raises Problem 403 when nobody is there to decide.
    """
    system = parts.gate.system("access.consents")
    if handle.actor.person:
        person = await system.read("Person", handle.actor.person) or {}
        references = [str(one.get("target", {}).get("reference", "")) for one in person.get("link", [])]
        found = [one.removeprefix("Patient/") for one in references if one.startswith("Patient/")]
    else:
        free = handle.actor.role not in _OWN and chosen and await handle.read("Patient", chosen)
        found = await same_person(system, chosen) if free else []
    if not found:
        raise refuse(403, "login", "access.consent-nobody")
    return found


async def decided(handle: Handle, patients: Sequence[str]) -> list[Decided]:
    """All Consents about privacy and research of a person, the newest first."""
    page = await handle.search("Consent", [("patient", ",".join(patients)), ("_sort", "-_lastUpdated"), ("_count", _MOST)])
    today = wishes.today(clock.now())
    scopes = ({one.get("code") for one in found.get("scope", {}).get("coding", ())} for found in page.resources)
    return [
        Decided(str(found["id"]), wishes.wish_of(found), str(found.get("dateTime", "")), wishes.is_over(found, today))
        for found, said in zip(page.resources, scopes, strict=True) if said & {"patient-privacy", "research"}
    ]


async def decide(handle: Handle, patients: Sequence[str], wish: Wish) -> None:
    """Write the Consent of a wish; it holds from now on. Raises Problem 422 for what it lacks, 403 for a child."""
    lacking = wishes.faults(wish)
    if lacking:
        raise refuse(422, "required", lacking[0])
    patient = await handle.read("Patient", patients[0]) or {}
    own = handle.actor.role == "resident"
    if own and wishes.is_guarded(str(patient.get("birthDate", "")), wishes.today(clock.now())):
        raise refuse(403, "forbidden", "access.consent-guarded")
    guardian = (handle.actor.account or "") if handle.actor.role == "guardian" else ""
    await handle.commit([Write("create", "Consent", wishes.consent_of(wish, patients[0], clock.now(), guardian))])


async def withdraw(handle: Handle, patients: Sequence[str], id_: str) -> None:
    """Take a decision back; it ends now and stays readable. Raises Problem 404 for one of somebody else."""
    stored = await handle.fetch("Consent", id_)
    consent = stored.resource if stored and not stored.deleted else {}
    if stored is None or str(consent.get("patient", {}).get("reference", "")).removeprefix("Patient/") not in patients:
        raise refuse(404, "not-found", "records.not-found", type="Consent")
    if consent.get("status") == "active":
        await handle.commit([Write("update", "Consent", {**consent, "status": "inactive"}, id=id_, if_match=stored.version)])


async def institutions_near(handle: Handle, patients: Sequence[str]) -> list[tuple[str, str]]:
    """The institutions that keep something of the resident or care for them, as (id, name), by name."""
    async with handle.connection() as connection:
        rows = await connection.fetch(sql.institutions_of, [key_of("Patient", one) for one in patients], _SHOWN)
    return await institutions_named(handle, [row["id"] for row in rows])


async def institutions_named(handle: Handle, ids: Iterable[str]) -> list[tuple[str, str]]:
    """Institutions by their ids, as (id, name), by name."""
    asked = ",".join(sorted(set(ids)))
    return await _institutions(handle, [("_id", asked), ("_count", _MOST)]) if asked else []


async def institutions_called(handle: Handle, text: str) -> list[tuple[str, str]]:
    """Institutions that have the text in their name, at most twelve."""
    return await _institutions(handle, [("name:contains", escaped(text.strip()[:40])), ("_count", _FOUND)]) if text.strip() else []


async def _institutions(handle: Handle, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    page = await handle.search("Organization", pairs)
    named: list[tuple[str, Any]] = [(str(one["id"]), one.get("name", "")) for one in page.resources]
    return sorted(((id_, str(name)) for id_, name in named if name), key=lambda one: one[1])
