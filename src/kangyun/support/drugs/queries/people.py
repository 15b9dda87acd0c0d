"""Visits, residents and those who work here, as pages of prescriptions show them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.base.errors import refuse
from kangyun.commons import population
from kangyun.commons.access import Handle
from kangyun.support.drugs.model import Diagnosis
from kangyun.support.drugs.model.orders import ICD10

Json = dict[str, Any]

_CITIZEN = population.ID_NUMBER_SYSTEM


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody as the banner shows: `identifier` is whole here and masked by the component that shows it."""

    id: str
    name: str
    sex: str
    born: str
    deceased: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Visit:
    """An open visit. `patients`: all Patients of the person; `online`: by the internet."""

    id: str
    patient: str
    patients: Sequence[str]
    who: Resident
    online: bool
    starts: str


def named(resource: Json) -> str:
    """What somebody is called; a dash without a name."""
    for name in resource.get("name", ()):
        said = name.get("text") or "".join((str(name.get("family", "")), *map(str, name.get("given", ()))))
        if said:
            return str(said)
    return "—"


def resident_of(patient: Json) -> Resident:
    """A Patient as a Resident."""
    numbers = [one for one in patient.get("identifier", ()) if one.get("value")]
    best = next((one for one in numbers if one.get("system") == _CITIZEN), next(iter(numbers), {}))
    return Resident(
        str(patient["id"]), named(patient), str(patient.get("gender") or "unknown"), str(patient.get("birthDate", "")),
        str(patient.get("deceasedDateTime") or ""), str(best.get("value", "")))


async def resident(handle: Handle, patient: str) -> Resident:
    """A resident by the id of a Patient. Raises Problem 404."""
    found = await handle.read("Patient", patient)
    if found is None:
        raise refuse(404, "not-found", "drugs.no-prescription")
    return resident_of(found)


async def visit(handle: Handle, encounter: str) -> Visit:
    """A visit that the caller sees. Raises Problem 404."""
    found = await handle.read("Encounter", encounter) if encounter else None
    if found is None:
        raise refuse(404, "not-found", "drugs.no-encounter")
    return await _visit(handle, found)


async def _visit(handle: Handle, found: Json) -> Visit:
    patient = str(found.get("subject", {}).get("reference", "")).removeprefix("Patient/")
    who, ids = await asyncio.gather(resident(handle, patient), population.identities(handle, patient))
    return Visit(
        str(found["id"]), patient, ids, who, online=found.get("class", {}).get("code") == "VR", starts=str(found.get("period", {}).get("start", "")))


async def open_visits(handle: Handle, most: int = 20) -> list[Visit]:
    """The open visits of the doctor who asks, newest first."""
    if not handle.actor.practitioner:
        return []
    query = [("participant", f"Practitioner/{handle.actor.practitioner}"), ("status", "arrived,triaged,in-progress,onleave"), ("_sort", "-date"), ("_count", str(most))]
    return [await _visit(handle, one) for one in (await handle.search("Encounter", query)).resources if one.get("subject")]


async def diagnoses(handle: Handle, of: Visit) -> tuple[Diagnosis, ...]:
    """The diagnoses of a visit, else the resident's active problems, at most three."""
    whose = ("patient", ",".join(f"Patient/{one}" for one in of.patients))
    found = (await handle.search("Condition", [whose, ("_count", "50"), ("_sort", "-recorded-date")])).resources
    here = [one for one in found if one.get("encounter", {}).get("reference") == f"Encounter/{of.id}"]
    active = [one for one in found if {str(c.get("code")) for c in one.get("clinicalStatus", {}).get("coding", ())} <= {"active", "recurrence", "relapse"}]
    told = (_diagnosis(one.get("code", {})) for one in here or active)
    return tuple({one.code: one for one in told if one.code}.values())[:3]


def _diagnosis(concept: Json) -> Diagnosis:
    coded = next((one for one in concept.get("coding", ()) if one.get("system") == ICD10), {})
    return Diagnosis(str(coded.get("code", "")), str(concept.get("text") or coded.get("display", "")))


async def names(handle: Handle, patients: Iterable[str]) -> dict[str, str]:
    """What residents are called, by id of Patient; those that the caller does not see are left out."""
    found = {one: await handle.read("Patient", one) for one in dict.fromkeys(patients)}
    return {id_: named(one) for id_, one in found.items() if one}


async def called(own: Handle, type_: str, ids: Iterable[str]) -> dict[str, str]:
    """Names of Practitioners or Organizations by id, read by the platform: the directory is open to everybody."""
    found = {one: await own.read(type_, one) for one in dict.fromkeys(ids) if one}
    return {id_: (str(one.get("name", "")) if type_ == "Organization" else named(one)) for id_, one in found.items() if one}
