"""Which Patients are one person, as a FHIR Person says by its links."""

from __future__ import annotations

from typing import Any, Protocol

from kangyun.base import clock
from kangyun.commons.records.queries import search

_MOST_HOPS = 50


class Finding(Protocol):
    """The part of a session that is needed here."""

    async def find(self, query: search.Query) -> search.Result:
        """Run a search."""
        ...

    async def fetch(self, type_: str, id_: str) -> Any:
        """The current version of a resource."""
        ...


async def same_person(session: Finding, patient_id: str) -> list[str]:
    """The ids of all Patients that an active Person links with this one, which comes first."""
    asked = [("link", f"Patient/{patient_id}"), ("_count", "100")]
    found = await session.find(search.parse("Person", asked, strict=True, now=clock.now()))
    persons = [row.resource for row in found.rows]
    linked = [one for person in persons if person.get("active", True) for one in targets(person, "Patient")]
    return list(dict.fromkeys([patient_id, *linked]))


async def patients_of(session: Finding, person_id: str) -> list[str] | None:
    """The ids of the Patients of a Person; of a merged one, of the Person that it leads to. None: there is no Person."""
    for _ in range(_MOST_HOPS):
        stored = await session.fetch("Person", person_id)
        if stored is None or stored.deleted:
            return None
        person = stored.resource
        following = [] if person.get("active", True) else targets(person, "Person")
        if not following:
            return targets(person, "Patient")
        person_id = following[0]
    return None


def targets(person: dict[str, Any], type_: str) -> list[str]:
    """The ids of a type that a Person links."""
    references = (str(one.get("target", {}).get("reference", "")) for one in person.get("link", []))
    return [one.removeprefix(f"{type_}/") for one in references if one.startswith(f"{type_}/")]
