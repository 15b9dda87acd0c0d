"""What is offered: internet hospitals, clinics, advice lines, and who answers there now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.care.internet_hospital.model import CATEGORY, Node, codes, id_of
from kangyun.care.internet_hospital.model.doctors import Doctor, doctor
from kangyun.care.internet_hospital.model.places import Clinic, Hospital, clinic, hospital
from kangyun.commons.access import Handle, escaped

ONLINE = "online"
_MOST = "500"


async def hospitals(handle: Handle, *, closed: bool = False) -> list[Hospital]:
    """The internet hospitals by name; with `closed` those that are shut too."""
    return [hospital(one) for one in await _services(handle, "hospital", closed=closed)]


async def hospital_of(handle: Handle, institution: str) -> Hospital | None:
    """The licence of an institution; None without one."""
    query = [("organization", f"Organization/{institution}"), ("service-category", f"{CATEGORY}|hospital"), ("_count", "1"), ("_total", "none")]
    found = (await handle.search("HealthcareService", query)).resources
    return hospital(found[0]) if found else None


async def clinics(
    handle: Handle, institution: str = "", *, category: str = "clinic", closed: bool = False, text: str = "",
) -> list[Clinic]:
    """Clinics or advice lines by name, of all institutions or one; with `closed` those that are shut too."""
    return [clinic(one) for one in await _services(handle, category, institution, closed=closed, text=text)]


async def clinic_of(handle: Handle, id_: str) -> Clinic:
    """A clinic or advice line. Raises Problem 404."""
    found = await handle.read("HealthcareService", id_)
    if found is None or not {"clinic", "advice-line"} & set(codes(found.get("category"), CATEGORY)):
        raise refuse(404, "not-found", "internet_hospital.no-clinic")
    return clinic(found)


async def _services(handle: Handle, category: str, institution: str = "", *, closed: bool = False, text: str = "") -> list[Node]:
    query = [("service-category", f"{CATEGORY}|{category}"), ("_sort", "name"), ("_count", _MOST)]
    query += [] if closed else [("active", "true")]
    query += [("organization", f"Organization/{institution}")] if institution else []
    query += [("name:contains", escaped(text))] if text else []
    return (await handle.search("HealthcareService", query)).resources


async def doctors_of(handle: Handle, *, institution: str = "", clinic_id: str = "") -> list[Doctor]:
    """The doctors of an institution or of a clinic, with their licences, by name."""
    query = [("_count", _MOST), ("_include", "PractitionerRole:practitioner"), ("service:missing", "false")]
    query += [("organization", f"Organization/{institution}")] if institution else []
    query += [("service", f"HealthcareService/{clinic_id}")] if clinic_id else []
    return await _doctors(handle, query)


async def doctor_at(handle: Handle, practitioner: str, institution: str) -> Doctor | None:
    """A doctor as registered at an institution; None when he is not."""
    query = [("practitioner", f"Practitioner/{practitioner}"), ("organization", f"Organization/{institution}"), ("service:missing", "false")]
    # One that is known by its id is read: to include it is a statement that takes five times as long.
    page, person = await asyncio.gather(handle.search("PractitionerRole", query), handle.read("Practitioner", practitioner))
    return next((doctor(one, person) for one in page.resources), None)


async def _doctors(handle: Handle, query: Sequence[tuple[str, str]]) -> list[Doctor]:
    page = await handle.search("PractitionerRole", query)
    people = {str(one["id"]): one for one in page.included if one["resourceType"] == "Practitioner"}
    found = [doctor(one, people.get(id_of(one.get("practitioner")))) for one in page.resources]
    return sorted(found, key=lambda one: one.name)


def hours_id(role: str) -> str:
    """The id of the Schedule that says that a doctor is on line."""
    return f"{ONLINE}-{role}"[:64]


async def online(handle: Handle, doctors: Iterable[Doctor]) -> dict[str, str]:
    """The roles of the doctors who are on line now, and until when (a FHIR instant)."""
    roles = {hours_id(one.role): one.role for one in doctors}
    if not roles:
        return {}
    page = await handle.search("Schedule", [("_id", ",".join(roles)), ("active", "true"), ("_count", _MOST)])
    now = clock.now()
    ends = {roles[str(one["id"])]: str(one.get("planningHorizon", {}).get("end", "")) for one in page.resources if str(one["id"]) in roles}
    return {role: end for role, end in ends.items() if end > clock.instant(now)}
