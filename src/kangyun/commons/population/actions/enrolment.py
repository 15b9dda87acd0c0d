"""Enrolment: an institution gets a Patient of its own for a person whom the region knows already."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid5

from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle, Write
from kangyun.commons.population.actions.placing import beside
from kangyun.commons.population.actions.residents import overtaken
from kangyun.commons.population.model import ID_NUMBER_SYSTEM, SENDER_SOURCE, Arrival
from kangyun.commons.population.queries import patients_of

_NAMESPACE = UUID("6a1f0f5e-7f0b-5d0c-9b1e-1115c0de2026")
_TAKEN_OVER = ("name", "gender", "birthDate", "telecom", "address")
# A source of its own for each institution: two Patients of one source are two people, or a double of that source.
_SOURCE = "region"
_TRIES = 5


async def patient_at(handle: Handle, person: str, institution: str) -> str:
    """The id of the Patient that an institution (id) keeps of a Person (id); made from the Person where it keeps none yet.

    Two who ask at the same moment get the same id. handle: of the platform's own work, or of a caller's (`acting`). Raises
    Problem 404 for a Person who is none.
    """
    known = await handle.read("Person", person)
    if known is None or known.get("active") is False:
        raise refuse(404, "not-found", "population.no-person")
    others = patients_of(known)
    kept = await _kept(handle, others, institution)
    return kept or await _enrol(handle, known, others, institution)


async def _kept(handle: Handle, patients: list[str], institution: str) -> str | None:
    # Together: reads that are asked for at once are one statement.
    read = await asyncio.gather(*(handle.read("Patient", one) for one in patients))
    here = f"Organization/{institution}"
    kept = (one for one in read if one and one.get("active", True) and one.get("managingOrganization", {}).get("reference") == here)
    return min((str(one["id"]) for one in kept), default=None)


async def _enrol(handle: Handle, person: dict[str, Any], others: list[str], institution: str) -> str:
    patient = _patient(person, others, institution)
    arrivals = [Arrival(patient, f"{_SOURCE}.{institution}", 1)]
    for attempt in range(_TRIES):
        try:
            await handle.commit([Write("update", "Patient", patient, patient["id"], if_match=0)], beside=beside(arrivals))
        except Problem as problem:
            if not overtaken(problem):
                raise
            # Either somebody else has enrolled the person, or the Person above was changed at this moment.
            if await handle.read("Patient", patient["id"]) is not None:
                break
            if attempt == _TRIES - 1:
                raise
        else:
            break
    return str(patient["id"])


def _patient(person: dict[str, Any], others: list[str], institution: str) -> dict[str, Any]:
    id_ = str(uuid5(_NAMESPACE, f"{person['id']}|{institution}"))
    patient: dict[str, Any] = {
        "resourceType": "Patient", "id": id_, "meta": {"source": f"{SENDER_SOURCE}{_SOURCE}.{institution}"}, "active": True,
        "managingOrganization": {"reference": f"Organization/{institution}"},
        **{name: person[name] for name in _TAKEN_OVER if person.get(name)},
    }
    numbers = [one for one in person.get("identifier", []) if one.get("system") == ID_NUMBER_SYSTEM]
    if numbers:
        patient["identifier"] = numbers
    if others:
        patient["link"] = [{"other": {"reference": f"Patient/{others[0]}"}, "type": "seealso"}]
    return patient
