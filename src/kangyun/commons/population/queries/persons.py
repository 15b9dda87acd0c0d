"""Reads of persons: who is one, across everything that institutions keep of them. Plain FHIR, through the caller's handle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

_AT_ONCE = 50


class Reading(Protocol):
    """The part of a handle that these reads need."""

    async def read(self, type_: str, id_: str, /) -> dict[str, Any] | None:
        """Read one resource."""
        ...

    async def person_above(self, patient_id: str, /) -> dict[str, Any] | None:
        """The Person that a Patient was last linked to, where it is found without a search."""
        ...

    async def search(self, type_: str, query: Sequence[tuple[str, str]], /) -> Any:
        """Search a type; the answer has `resources`."""
        ...


async def identities(handle: Reading, patient_id: str) -> list[str]:
    """The ids of all Patients of the same person, the asked one first; it alone when it was never placed."""
    person = await person_of(handle, patient_id)
    others = patients_of(person) if person else []
    return [patient_id, *(one for one in others if one != patient_id)]


async def person_of(handle: Reading, patient_id: str) -> dict[str, Any] | None:
    """The Person (golden record) above a Patient; None when it was never placed."""
    above = await handle.person_above(patient_id)
    if above is not None and above.get("active", True) and patient_id in patients_of(above):
        return above
    return (await persons_of(handle, [patient_id])).get(patient_id)


async def persons_of(handle: Reading, patient_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The Person of each Patient that has one, by Patient id."""
    ids = list(dict.fromkeys(patient_ids))
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        asked = ",".join(f"Patient/{one}" for one in ids[start : start + _AT_ONCE])
        page = await handle.search("Person", [("link", asked), ("_count", str(2 * _AT_ONCE))])
        for person in page.resources:
            if person.get("active", True):
                found.update((one, person) for one in patients_of(person))
    return {one: found[one] for one in ids if one in found}


def patients_of(person: dict[str, Any]) -> list[str]:
    """The ids of the Patients that a Person links."""
    references = (str(link.get("target", {}).get("reference", "")) for link in person.get("link", []))
    return [one.removeprefix("Patient/") for one in references if one.startswith("Patient/")]
