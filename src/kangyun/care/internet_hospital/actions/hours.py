"""A doctor opens and closes the on-line hours; who is on line is a Schedule of the record."""

from __future__ import annotations

from datetime import timedelta

from kangyun.base import clock
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.care.internet_hospital.actions.asking import today
from kangyun.care.internet_hospital.decisions import doctors
from kangyun.care.internet_hospital.decisions.papers import limit
from kangyun.care.internet_hospital.model import KIND, Node, concept, reference
from kangyun.care.internet_hospital.model.doctors import Doctor
from kangyun.care.internet_hospital.queries import places
from kangyun.commons.access import Handle, Write

_ANSWER = "consult.answer"


async def own_doctor(handle: Handle) -> Doctor:
    """The caller as a doctor of the institution that he is logged in at. Raises Problem 403 for whoever answers nowhere."""
    actor = handle.actor
    found = await places.doctor_at(handle, actor.practitioner, actor.institution) if actor.practitioner and actor.institution else None
    if found is None:
        raise refuse(403, "forbidden", "internet_hospital.only-doctors")
    return found


async def go_online(handle: Handle, hours: int = 4) -> str:
    """Open the caller's on-line hours; returns until when. Raises Problem 403 with why he may not answer in any clinic, 422."""
    if not 1 <= hours <= limit("online_hours"):
        raise refuse(422, "value", "internet_hospital.wrong-hours", "hours", most=str(limit("online_hours")))
    doctor = await own_doctor(handle)
    await _check(handle, doctor)
    ends = clock.now() + timedelta(hours=hours)
    await _keep(handle, doctor, clock.instant(ends), active=True)
    return clock.instant(ends)


async def go_offline(handle: Handle) -> None:
    """Close the on-line hours; who waits is answered later or by somebody else."""
    await _keep(handle, await own_doctor(handle), clock.instant(clock.now()), active=False)


async def _check(handle: Handle, doctor: Doctor) -> None:
    hospital = await places.hospital_of(handle, doctor.institution)
    offered = [*await places.clinics(handle, doctor.institution), *await places.clinics(handle, doctor.institution, category="advice-line")]
    faults = [doctors.faults(doctor, hospital, one, today()) for one in offered if one.id in doctor.clinics]
    if not faults:
        raise refuse(403, "forbidden", "internet_hospital.no-clinic-of-yours")
    if all(faults):
        raise Problem(403, *(Issue("forbidden", f"internet_hospital.doctor-{one}") for one in faults[0]))


async def _keep(handle: Handle, doctor: Doctor, ends: str, *, active: bool) -> None:
    id_, own = places.hours_id(doctor.role), handle.acting(_ANSWER, "consult.hours", writes="Schedule")
    kept = await own.read("Schedule", id_)
    starts = clock.instant(clock.now()) if active or kept is None else str(kept["planningHorizon"]["start"])
    schedule: Node = {
        "resourceType": "Schedule", "id": id_, "active": active, "serviceCategory": [concept(KIND, places.ONLINE)],
        "actor": [reference("PractitionerRole", doctor.role), reference("Practitioner", doctor.practitioner, doctor.name)],
        "planningHorizon": {"start": starts, "end": ends},
    }
    await own.commit([Write("update", "Schedule", schedule, id_)])
