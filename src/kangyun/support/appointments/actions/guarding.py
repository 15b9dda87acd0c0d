"""Who may do what for whom: judged here, because the work itself runs as the platform's own."""

from __future__ import annotations

from typing import Any

from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.commons.population import ID_NUMBER_SYSTEM, is_id_number, legal_name, patients_of, person_of
from kangyun.support.appointments.decisions import channel_for, channels
from kangyun.support.appointments.model import Booking, Channel, Schedule, Whom

BOOK, MANAGE, RECEIVE = "appointments.book", "appointments.manage", "appointments.receive"
# Of whoever may everything, and of no role's file.
_ALL = "appointments.all"

# Documents that prove who somebody is stand under this arc of the national directory; its fifth is that of institutions.
_DOCUMENTS = "urn:oid:2.16.156.10011.1."
_DEEPEST = 12
_MOST_BELOW = 500


def own(handle: Handle, permission: str, writes: str = "Appointment") -> Handle:
    """The handle for work that the caller starts; the platform's own jobs have it already. Raises Problem 403."""
    return handle if handle.actor.role == "system" else handle.acting(permission, permission, writes=writes)


async def whom(handle: Handle, work: Handle, patient: str) -> Whom:
    """For whom somebody books: a resident for the own person (a guardian for the ward), staff for a Patient whom they see.

    Raises Problem 404 for anybody else: hidden and absent look the same. 422 when staff name nobody.
    """
    if handle.actor.person:
        return await _oneself(handle.actor.person, work, patient)
    if not patient:
        raise refuse(422, "required", "appointments.whom", "Appointment.participant")
    seen = await handle.read("Patient", patient)
    if seen is None:
        raise refuse(404, "not-found", "appointments.nobody")
    person = await person_of(work, patient)
    told = person or seen
    return _whom(told, str(person["id"]) if person else "", patients_of(person) if person else [patient])


async def _oneself(id_: str, work: Handle, patient: str) -> Whom:
    person = await work.read("Person", id_)
    if person is None or (patient and patient not in patients_of(person)):
        raise refuse(404, "not-found", "appointments.nobody")
    return _whom(person, id_, patients_of(person))


def _whom(told: dict[str, Any], person: str, patients: list[str]) -> Whom:
    name = legal_name(told)
    documents = [one for one in told.get("identifier", ()) if str(one.get("system", "")).startswith(_DOCUMENTS)]
    proved = any(one.get("system") != ID_NUMBER_SYSTEM or is_id_number(str(one.get("value", ""))) for one in documents)
    return Whom(person, tuple(patients), name, str(told.get("gender", "")), str(told.get("birthDate", "")), documented=bool(name) and proved)


def channel_of_caller(handle: Handle, asked: str = "") -> Channel:
    """The channel of the caller's role; who may everything, and the platform itself, name theirs. Raises Problem 403."""
    role = handle.actor.role
    if role == "system" or handle.may(_ALL):
        return channels()[asked if asked in channels() else "on_site"]
    found = channel_for(role)
    if found is None or (asked and asked != found.channel):
        raise refuse(403, "forbidden", "appointments.channel")
    return found


async def check_place(handle: Handle, work: Handle, channel: Channel, schedule: Schedule) -> None:
    """Raise Problem 403 when the window of one institution books at another: a doctor may refer there instead."""
    if channel.channel in {"on_site", "phone"} and handle.actor.role != "system" and not await keeps(handle, work, schedule.institution):
        raise refuse(403, "forbidden", "appointments.other-place")


async def keeps(handle: Handle, work: Handle, institution: str) -> bool:
    """Whether the caller works at an institution or at one above it."""
    if handle.may(_ALL) or handle.actor.role == "system":
        return True
    top, at = handle.actor.institution, institution
    for _ in range(_DEEPEST if top else 0):
        if at == top:
            return True
        found = await work.read("Organization", at) if at else None
        at = str((found or {}).get("partOf", {}).get("reference", "")).removeprefix("Organization/")
    return False


async def guard(handle: Handle, work: Handle, institution: str) -> None:
    """Raise Problem 404 unless the caller works at the institution or above it."""
    if not await keeps(handle, work, institution):
        raise refuse(404, "not-found", "appointments.unknown")


async def institutions_of(handle: Handle, work: Handle) -> list[dict[str, Any]]:
    """The Organizations that a scheduler keeps: the own one and those below it; all institutions for whoever may everything."""
    if not handle.actor.institution:
        query = [("type", "urn:kangyun:institution-kind|"), ("_sort", "name"), ("_count", str(_MOST_BELOW))]
        return (await work.search("Organization", query)).resources if handle.may(_ALL) else []
    first = await work.read("Organization", handle.actor.institution)
    found: dict[str, dict[str, Any]] = {str(first["id"]): first} if first else {}
    level = list(found)
    for _ in range(_DEEPEST):
        if not level or len(found) > _MOST_BELOW:
            break
        asked = ",".join(f"Organization/{one}" for one in level[:50])
        page = await work.search("Organization", [("partof", asked), ("_sort", "name"), ("_count", str(_MOST_BELOW))])
        level = [str(one["id"]) for one in page.resources if str(one["id"]) not in found]
        found |= {str(one["id"]): one for one in page.resources}
    return list(found.values())


async def guard_booking(handle: Handle, work: Handle, booking: Booking) -> str:
    """As whom the caller may touch a booking: resident or staff. Raises Problem 404 for everybody else."""
    if handle.actor.person:
        person = await work.read("Person", handle.actor.person)
        if person and (booking.patient in patients_of(person) or booking.person == handle.actor.person):
            return "resident"
    elif handle.actor.role == "system":
        return "system"
    elif (handle.actor.account and booking.account == handle.actor.account) or await keeps(handle, work, booking.institution):
        return "staff"
    raise refuse(404, "not-found", "appointments.unknown")
