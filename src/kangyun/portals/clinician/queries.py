"""What the doctor's page reads, always through the caller's handle, which judges and audits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

from kangyun.base.errors import Issue, Problem
from kangyun.commons import population
from kangyun.portals.clinician.decisions.naming import Node, names_of, reference_targets, visit_of
from kangyun.portals.clinician.decisions.people import distinct, golden, is_number, linked, with_death

_FEW = 20
# More letters or digits has nobody's name or number.
_LONGEST = 100
# A person whom many institutions know takes as many places among what is found.
_MANY = "60"
_SENDER = "urn:kangyun:sender"
_PAGE = "500"
_MOST_PAGES = 12
_AT_ONCE = 200
_NAMED = ("Organization/", "Practitioner/")

DATED = frozenset({"Encounter", "DiagnosticReport", "Procedure", "DocumentReference", "Observation"})
"""The types whose search parameter ``date`` says when what the timeline shows took place."""


class Found(Protocol):
    """A page of search results."""

    resources: list[dict[str, Any]]
    next: str | None


class Handle(Protocol):
    """The part of the gate's handle that this portal uses."""

    def sees(self, type_: str, /) -> bool:
        """Whether the caller may search a type at all."""
        ...

    async def read(self, type_: str, id_: str, /) -> dict[str, Any] | None:
        """Read one resource."""
        ...

    async def person_above(self, patient_id: str, /) -> dict[str, Any] | None:
        """The Person that a Patient was last linked to, where it is found without a search."""
        ...

    async def search(self, type_: str, query: str | Sequence[tuple[str, str]], /) -> Any:
        """Search a type."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A resident: one institution's Patient with what is held to be right, and the ids of all records of the person, this one first."""

    patient: Node
    ids: list[str]


async def known_as(handle: Handle, patient_id: str) -> Known:
    """Read a resident, and which records are the resident's: of every institution, and those merged into them, however often.

    Raises ``Problem(404)`` when there is none.
    """
    found = await handle.read("Patient", patient_id)
    if found is None:
        raise Problem(404, Issue("not-found", "clinician.no-resident"))
    person = await population.person_of(handle, patient_id)
    records = await _records(handle, found, population.patients_of(person) if person else [])
    others = [one for one in records.values() if one]
    return Known(golden(found, person) if found.get("deceasedDateTime") else with_death(golden(found, person), others), list(records))


async def _records(handle: Handle, patient: Node, placed: Iterable[str]) -> dict[str, Node | None]:
    known: dict[str, Node | None] = {patient["id"]: patient}
    missing = [one for one in dict.fromkeys([*placed, *linked(patient, "replaces")]) if one not in known]
    while missing:
        read = await asyncio.gather(*(handle.read("Patient", one) for one in missing))
        known.update(zip(missing, read, strict=True))
        further = (other for one in read if one for other in linked(one, "replaces"))
        missing = [one for one in dict.fromkeys(further) if one not in known]
    return known


async def find(handle: Handle, text: str) -> list[Node]:
    """Find residents by the beginning of a name, pinyin or initials, or by a whole identity, card or telephone number."""
    wanted = text.strip()[:_LONGEST]
    if is_number(wanted):
        plain = wanted.replace(" ", "").upper()
        searches = [[("identifier", plain)], [("phone", plain)], [("identifier", wanted)]]
    else:
        searches = [[("name", " ".join(wanted.split()))]]
    pages = await asyncio.gather(*(handle.search("Patient", [*one, ("_count", _MANY)]) for one in searches))
    return (await _people(handle, [resource for page in pages for resource in page.resources]))[:_FEW]


async def newest(handle: Handle) -> list[Node]:
    """List the residents whose record changed last."""
    page = await handle.search("Patient", [("_sort", "-_lastUpdated"), ("_count", "40")])
    return (await _people(handle, page.resources))[:8]


async def remembered(handle: Handle, ids: Iterable[str]) -> list[Node]:
    """Read residents by id, in the order given, leaving out who is gone."""
    found = await asyncio.gather(*(handle.read("Patient", one) for one in ids))
    return await _people(handle, [one for one in found if one is not None])


async def _people(handle: Handle, patients: Iterable[Node]) -> list[Node]:
    """Each person once, whatever number of institutions know them, in the order found."""
    listed = distinct(patients)
    persons = await population.persons_of(handle, [one["id"] for one in listed])
    seen: dict[str, Node] = {}
    for one in listed:
        person = persons.get(one["id"])
        seen.setdefault(f"Person/{person['id']}" if person else one["id"], golden(one, person))
    return list(seen.values())


async def record(handle: Handle, ids: Iterable[str], types: Iterable[str], since: str = "") -> list[Node]:
    """Read all resources of some types that belong to a resident, under whichever of the ids they were written.

    Types that the caller's role never sees are left out: a technician's page has no medicines, and says so.
    ``since`` (a FHIR instant) leaves out, of the DATED types, what did not begin after it, so that not all of a life is read.
    """
    # Not `ge`: a visit that nobody closed has not ended before anything.
    whose, from_then = ("patient", ",".join(ids)), [("date", f"sa{since}")] if since else []
    lists = await asyncio.gather(*(_all(handle, kind, [whose, *(from_then if kind in DATED else []), ("_count", _PAGE)]) for kind in types))
    return [resource for found in lists for resource in found]


async def visits_of(handle: Handle, resources: Sequence[Node]) -> list[Node]:
    """Read the visits that resources belong to and that are not among them."""
    here = {f"{one['resourceType']}/{one['id']}" for one in resources}
    missing = sorted({place for one in resources if (place := visit_of(one)).startswith("Encounter/")} - here)
    ids = [one.removeprefix("Encounter/") for one in missing]
    batches = [ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE)]
    lists = await asyncio.gather(*(_all(handle, "Encounter", [("_id", ",".join(some)), ("_count", _PAGE)]) for some in batches))
    return [visit for found in lists for visit in found]


async def _all(handle: Handle, kind: str, query: Sequence[tuple[str, str]]) -> list[Node]:
    if not handle.sees(kind):
        return []
    page = await handle.search(kind, query)
    found: list[Node] = list(page.resources)
    for _ in range(_MOST_PAGES):
        if not page.next:
            break
        page = await handle.search(kind, page.next)
        found.extend(page.resources)
    return found


async def names(handle: Handle, resources: Sequence[Node]) -> dict[str, str]:
    """Look up the names of the institutions and staff that resources are said to come from without naming them."""
    targets = reference_targets(resources, _NAMED)
    wanted = {kind: sorted(one.split("/")[1] for one in targets if one.startswith(kind)) for kind in _NAMED}
    lists = await asyncio.gather(*(_all(handle, kind[:-1], [("_id", ",".join(ids[:_FEW * 10])), ("_count", _PAGE)]) for kind, ids in wanted.items() if ids))
    found = names_of(resource for found in lists for resource in found)
    return found | await _sources(handle, resources)


async def _sources(handle: Handle, resources: Iterable[Node]) -> dict[str, str]:
    """The names of the institutions whose systems sent the resources: meta.source -> name."""
    sources = {one.get("meta", {}).get("source", "") for one in resources}
    keys = {source: unquote(source.removeprefix(f"{_SENDER}:")) for source in sources if source.startswith(f"{_SENDER}:")}
    if not keys:
        return {}
    wanted = ",".join(f"{_SENDER}|{key}" for key in sorted(keys.values()))
    organizations = await _all(handle, "Organization", [("identifier", wanted), ("_count", _PAGE)])
    called = {number["value"]: one.get("name", "") for one in organizations for number in one.get("identifier", []) if number.get("system") == _SENDER}
    return {source: called.get(key, key) for source, key in keys.items()}


async def senders(handle: Handle, resources: Iterable[Node]) -> dict[str, str]:
    """Learn from Provenance which institution sent resources that do not say so themselves: reference -> its name."""
    wanted = [f"{one['resourceType']}/{one['id']}" for one in resources]
    if not wanted:
        return {}
    found: dict[str, str] = {}
    for one in await _all(handle, "Provenance", [("target", ",".join(wanted[:_FEW])), ("_count", _PAGE)]):
        who = next((agent["who"].get("display", "") for agent in one.get("agent", []) if "who" in agent), "")
        found.update({target["reference"]: who for target in one.get("target", []) if who and target.get("reference") in wanted})
    return found


async def binary(handle: Handle, url: str) -> Node | None:
    """Read the Binary that an attachment points to, when it is one of ours."""
    kind, _, found = url.partition("/")
    return await handle.read("Binary", found) if kind == "Binary" and found else None
