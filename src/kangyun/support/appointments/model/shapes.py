"""The nouns in FHIR R4: Schedule, Slot, HealthcareService, Appointment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kangyun.base import clock
from kangyun.support.appointments.model.nouns import Booking, Department, Kind, Number, Schedule, Sitting

KIND_SYSTEM = "urn:kangyun:appointments:kind"
CHANNEL_SYSTEM = "urn:kangyun:appointments:channel"
# 医疗机构诊疗科目名录, by which institutions are licensed; no OID of its own was found.
DEPARTMENT_SYSTEM = "urn:kangyun:appointments:department"
EXAMINATION_SYSTEM = "urn:kangyun:appointments:examination"
NUMBER_SYSTEM = "urn:kangyun:appointments:number"
HELD_UNTIL = "urn:kangyun:appointments:held-until"
REASON_SYSTEM = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"
_REASONS = {"patient": "pat", "provider": "prov"}

Node = dict[str, Any]


def _coded(system: str, code: str, text: str) -> Node:
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def _reference(type_: str, id_: str, display: str = "") -> Node:
    return {"reference": f"{type_}/{id_}", **({"display": display} if display else {})}


def healthcare_service(one: Schedule, kind: Kind, department: Department) -> Node:
    """What a department of an institution offers."""
    return {
        "resourceType": "HealthcareService", "id": one.service, "active": True, "name": one.title,
        "providedBy": _reference("Organization", one.institution, one.house),
        "category": [_coded(KIND_SYSTEM, kind.kind, kind.titles["zh"])],
        "specialty": [_coded(DEPARTMENT_SYSTEM, department.code, department.titles["zh"])],
        "location": [_reference("Location", one.institution, one.house)], "appointmentRequired": True,
    }


def schedule_resource(one: Schedule, kind: Kind, department: Department, kept: Mapping[str, Any] | None = None) -> Node:
    """The Schedule of the record; an earlier one keeps what it says beside."""
    actors = [_reference("HealthcareService", one.service, one.title)]
    if one.practitioner:
        actors.insert(0, _reference("Practitioner", one.practitioner, one.doctor))
    return {
        **(kept or {}), "resourceType": "Schedule", "id": one.id, "active": one.active, "actor": actors,
        "serviceCategory": [_coded(KIND_SYSTEM, kind.kind, kind.titles["zh"])],
        "specialty": [_coded(DEPARTMENT_SYSTEM, department.code, department.titles["zh"])],
    }


def slot(number: Number, schedule: str, status: str) -> Node:
    """One number; status free, busy or busy-unavailable."""
    return {
        "resourceType": "Slot", "id": number.id, "schedule": {"reference": f"Schedule/{schedule}"}, "status": status,
        "start": clock.instant(number.starts), "end": clock.instant(number.ends),
    }


def appointment(booking: Booking, number: Number | None, sitting: Sitting, schedule: Schedule, kind: Kind) -> Node:
    """A booking; without a number it waits for one."""
    starts, ends = (number.starts, number.ends) if number else (sitting.starts, sitting.ends)
    whole: Node = {
        "resourceType": "Appointment", "id": booking.appointment, "status": booking.state,
        "meta": {"tag": [{"system": CHANNEL_SYSTEM, "code": booking.channel}]},
        "serviceCategory": [_coded(KIND_SYSTEM, schedule.kind, kind.titles["zh"])],
        "specialty": [{"coding": [{"system": DEPARTMENT_SYSTEM, "code": schedule.department}], "text": schedule.title}],
        "created": clock.instant(booking.booked), "participant": _participants(booking.patient, sitting, schedule),
    }
    if number is not None:
        whole |= {
            "identifier": [{"system": NUMBER_SYSTEM, "value": number.id}], "start": clock.instant(starts), "end": clock.instant(ends),
            "slot": [{"reference": f"Slot/{number.id}"}],
        }
    else:
        whole["requestedPeriod"] = [{"start": clock.instant(starts), "end": clock.instant(ends)}]
    if booking.held_until:
        whole["extension"] = [{"url": HELD_UNTIL, "valueInstant": clock.instant(booking.held_until)}]
    if schedule.examination:
        whole["serviceType"] = [_coded(EXAMINATION_SYSTEM, schedule.examination, schedule.title)]
    if booking.based_on:
        whole["basedOn"] = [{"reference": f"ServiceRequest/{booking.based_on}"}]
    return whole


def _participants(patient: str, sitting: Sitting, schedule: Schedule) -> list[Node]:
    # No name of the resident: names are sealed where they belong, and nowhere else.
    found = [{"actor": _reference("Patient", patient), "required": "required", "status": "accepted"}]
    doctor = sitting.practitioner or schedule.practitioner
    if doctor:
        found.append({"actor": _reference("Practitioner", doctor, sitting.doctor or schedule.doctor), "status": "accepted"})
    found.append({"actor": _reference("HealthcareService", schedule.service, schedule.title), "status": "accepted"})
    found.append({"actor": _reference("Location", schedule.institution, schedule.house), "status": "accepted"})
    return found


def followed(kept: Mapping[str, Any], status: str, by: str = "") -> Node:
    """An Appointment in its next state; `by` says who cancelled: patient or provider."""
    whole = {**kept, "status": status}
    if status == "cancelled" and by:
        whole["cancelationReason"] = {"coding": [{"system": REASON_SYSTEM, "code": _REASONS[by]}]}
    return whole


def substituted(kept: Mapping[str, Any], practitioner: str, doctor: str) -> Node:
    """An Appointment with another practitioner in the place of the former."""
    others: Sequence[Node] = [one for one in kept.get("participant", ()) if not _actor(one).startswith("Practitioner/")]
    own = {"actor": _reference("Practitioner", practitioner, doctor), "status": "accepted"}
    return {**kept, "participant": [*others[:1], own, *others[1:]]}


def _actor(participant: Mapping[str, Any]) -> str:
    return str(participant.get("actor", {}).get("reference", ""))


def appointment_of(whole: Mapping[str, Any], type_: str) -> str:
    """The id of the first participant of a type, such as Patient; empty when there is none."""
    return next((_actor(one).removeprefix(f"{type_}/") for one in whole.get("participant", ()) if _actor(one).startswith(f"{type_}/")), "")


def number_of(whole: Mapping[str, Any]) -> str:
    """The id of the number that an Appointment holds or asks for; empty when it names none."""
    return next((str(one.get("reference", "")).removeprefix("Slot/") for one in whole.get("slot", ())), "")


def channel_of(whole: Mapping[str, Any]) -> str:
    """The channel by which an Appointment was booked."""
    return next((str(one["code"]) for one in whole.get("meta", {}).get("tag", ()) if one.get("system") == CHANNEL_SYSTEM), "")
