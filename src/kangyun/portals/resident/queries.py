"""What a resident's pages read, always through the caller's handle."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from kangyun.base import clock
from kangyun.commons.access import Handle
from kangyun.commons.population import identities, patients_of
from kangyun.portals.resident.decisions.life import TYPES, Node

_MOST = {"Observation": "400"}
_ENOUGH = "100"


async def ids(handle: Handle, patient_id: str) -> list[str]:
    """The ids of a person's Patients at all institutions."""
    return await identities(handle, patient_id)


async def whole(handle: Handle, patient_id: str) -> list[Node]:
    """The newest of what all institutions hold of a person, under all identities: what happened, and the results."""
    return await _found(handle, patient_id, {kind: [] for kind in (*TYPES, "Observation")})


async def observations(handle: Handle, patient_id: str) -> list[Node]:
    """The newest results."""
    return await _found(handle, patient_id, {"Observation": []})


async def next_things(handle: Handle, patient_id: str) -> dict[str, list[Node]]:
    """What the home shows, by type: bookings, consultations, medicine, each as far as it is still open."""
    today = clock.now().date().isoformat()
    asked = {
        "Appointment": [("date", f"ge{today}"), ("status", "booked,arrived,checked-in,waitlist")],
        "Encounter": [("status", "planned,arrived,in-progress,onleave"), ("class", "VR")], "MedicationRequest": [("status", "active")],
    }
    found: dict[str, list[Node]] = {kind: [] for kind in asked}
    for one in await _found(handle, patient_id, asked):
        found[one["resourceType"]].append(one)
    return found


async def _found(handle: Handle, patient_id: str, asked: Mapping[str, list[tuple[str, str]]]) -> list[Node]:
    whose = ("patient", ",".join(await identities(handle, patient_id)))
    pages = await asyncio.gather(*(
        handle.search(kind, [whose, *query, ("_count", _MOST.get(kind, _ENOUGH)), ("_sort", "-_lastUpdated")]) for kind, query in asked.items()))
    return [one for page in pages for one in page.resources]


async def newest(handle: Handle) -> list[Node]:
    """Residents whose record changed last, for the choice of the demonstration."""
    page = await handle.search("Patient", [("_sort", "-_lastUpdated"), ("_count", "12")])
    return [one for one in page.resources if one.get("active", True)]


async def own_patient(handle: Handle) -> str | None:
    """One of the Patients of the caller's own Person; which one does not matter, since all of the person's are read."""
    person = await handle.read("Person", handle.actor.person or "")
    return next(iter(patients_of(person)), None) if person else None
