"""Booking: one number for one person, or a place on the waiting list.

Everything that is judged is judged twice: before anything is written, and again under the lock on the person, because two
requests of one person may have passed the first time together. The lock of a number is a row's; nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from kangyun.base import clock, jobs, lifecycles, web
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle, Transaction, Write, key_of, tell
from kangyun.commons.population import patient_at
from kangyun.support.appointments.actions import guarding
from kangyun.support.appointments.decisions import booking as deciding
from kangyun.support.appointments.decisions import channels, departments, kinds
from kangyun.support.appointments.decisions.booking import Asked
from kangyun.support.appointments.model import CHINA, Booking, Number, Schedule, Sitting, Whom, Wish, appointment, slot
from kangyun.support.appointments.queries import bookings, pool

log = structlog.get_logger()

LIFE = "kangyun.support.appointments"
MINE = "/appointments/mine"
_NEWCOMERS = 4
_newcomers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_VOID = frozenset({"cancelled", "noshow"})
# So far back the limits look.
LOOK_BACK = timedelta(days=400)


class Again(Exception):  # noqa: N818 - it is an outcome: the same request was answered before
    """The request has been answered before, with this Appointment."""

    def __init__(self, appointment_: str) -> None:
        super().__init__(appointment_)
        self.appointment = appointment_


class NotKept(Exception):  # noqa: N818 - it is an outcome: the person comes for the first time
    """The institution keeps no Patient of the person yet."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, with everything that judging it needs."""

    asked: Asked
    wish: Wish
    event: str
    source: str = ""
    patient: str = ""

    @property
    def residents(self) -> list[int]:
        """Keys of all Patients of the person."""
        return bookings.keys(dict.fromkeys([*self.asked.whom.patients, *([self.patient] if self.patient else [])]))


async def book(handle: Handle, wish: Wish, patient: str = "", *, channel: str = "", source: str = "") -> dict[str, Any]:
    """Take a number for somebody; the Appointment. patient: id of any Patient of the person; a resident may leave it out.

    channel: only of the platform's own work; else the caller's role says it. source: keyed hash of where it came from. A
    repetition with the same `wish.key` gives the first answer. Raises Problem: 404 for what or whom the caller does not see,
    409 when the number is taken or a limit is reached, 403 while closed, 422 without a real name or an order.
    """
    return await _do(handle, (wish, patient, "book"), (channel, source))


async def hold(handle: Handle, wish: Wish, patient: str = "", *, channel: str = "", source: str = "") -> dict[str, Any]:
    """Keep a number for somebody who pays for it, until `holding.confirm` or the time of rules/holding.yaml is over. Raises Problem as `book`."""
    return await _do(handle, (wish, patient, "hold"), (channel, source))


async def wait(handle: Handle, wish: Wish, patient: str = "", *, channel: str = "", source: str = "") -> dict[str, Any]:
    """Wait for a number of a sitting that has none left; whoever asked first gets the first one. Raises Problem as `book`."""
    return await _do(handle, (wish, patient, "wait"), (channel, source))


async def _do(handle: Handle, what: tuple[Wish, str, str], how: tuple[str, str]) -> dict[str, Any]:
    work = guarding.own(handle, guarding.BOOK)
    request = await _request(handle, work, what, how)
    await _check_order(work, request)
    try:
        return await _commit(work, request)
    except Again as again:
        return await work.read("Appointment", again.appointment) or {}
    except NotKept:
        return await _first_visit(handle, work, what, how)


async def _first_visit(handle: Handle, work: Handle, what: tuple[Wish, str, str], how: tuple[str, str]) -> dict[str, Any]:
    """Book for somebody whom the institution does not know yet: only now, with nothing else in the way, it gets a Patient.

    A few at a time, each after a look whether a number is left: of a crowd most would be made known to a hospital for nothing.
    """
    async with _newcomers.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_NEWCOMERS)):
        request = await _request(handle, work, what, how)
        patient = await patient_at(work, request.asked.whom.person, request.asked.schedule.institution)
        try:
            return await _commit(work, replace(request, patient=patient))
        except Again as again:
            return await work.read("Appointment", again.appointment) or {}


async def _request(handle: Handle, work: Handle, what: tuple[Wish, str, str], how: tuple[str, str]) -> Request:
    (wish, patient, event), channel, now = what, guarding.channel_of_caller(handle, how[0]), clock.now()
    sitting, schedule, free = await pool.sitting_asked_for(work.database, wish.sitting, wish.number, channel.channel)
    # Most of a crowd comes too late: it is told at once. A repetition must find its own number, so it is judged in full.
    if event != "wait" and not wish.key and not free and sitting.state == "open" and sitting.ends > now:
        raise _none_left(wish)
    await guarding.check_place(handle, work, channel, schedule)
    whom = await guarding.whom(handle, work, patient)
    account = (handle.actor.account or handle.actor.name) if handle.actor.role != "system" else ""
    kept = await _kept(work, whom, schedule.institution) if whom.person else patient
    return Request(Asked(schedule, sitting, channel, whom, account, now), wish, event, how[1], kept)


async def _kept(work: Handle, whom: Whom, institution: str) -> str:
    """The Patient that an institution keeps of a person; empty where it keeps none.

    Read before the transaction: reads of many who book at the same time share a statement, and no number is locked meanwhile.
    """
    here = f"Organization/{institution}"
    read = await asyncio.gather(*(work.read("Patient", one) for one in sorted(whom.patients)))
    kept = (one for one in read if one and one.get("managingOrganization", {}).get("reference") == here and one.get("active", True))
    return next((str(one["id"]) for one in kept), "")


async def _judge(connection: Connection, request: Request) -> None:
    """Raise Again or Problem; inside a transaction nobody else books for the person until it ends."""
    asked, residents = request.asked, request.residents
    whose = asked.whom.person or asked.whom.patients[0]
    watched = asked.account if asked.channel.channel == "web" else ""
    rows = await connection.fetch(
        bookings.sql.mine, key_of("appointments", whose), residents, watched, asked.today - LOOK_BACK, asked.now - LOOK_BACK)
    found = [Booking(**row) for row in rows]
    known = set(residents)
    of_person = [one for one in found if one.resident in known]
    _check_again(request, of_person)
    order = request.wish.order
    if order and any(one.based_on == order and one.state not in _VOID for one in of_person):
        raise refuse(409, "duplicate", "appointments.order-used", "Appointment.basedOn")
    deciding.check_time(asked)
    deciding.check_whom(asked, departments()[asked.schedule.department])
    deciding.check_limits(asked, of_person, [one for one in found if one.resident not in known])


def _check_again(request: Request, of_person: Sequence[Booking]) -> None:
    key = request.wish.key
    earlier = next((one for one in of_person if key and one.key == key), None)
    if earlier is None:
        return
    if earlier.sitting != request.asked.sitting.id:
        raise refuse(422, "duplicate", "appointments.key-used")
    raise Again(earlier.appointment)


async def _check_order(work: Handle, request: Request) -> None:
    """An examination or an admission that a resident books has been ordered by a doctor, once."""
    asked, order = request.asked, request.wish.order
    if not order:
        if kinds()[asked.schedule.kind].order and asked.channel.channel in {"web", "phone"}:
            raise refuse(422, "required", "appointments.no-order", "Appointment.basedOn")
        return
    found = await work.read("ServiceRequest", order)
    subject = str((found or {}).get("subject", {}).get("reference", "")).removeprefix("Patient/")
    if found is None or subject not in asked.whom.patients or found.get("status") != "active":
        raise refuse(422, "not-found", "appointments.no-order", "Appointment.basedOn")


async def _commit(work: Handle, request: Request) -> dict[str, Any]:
    made: list[Write] = []

    async def beside(session: Transaction) -> list[Write]:
        await _judge(session.connection, request)
        if not request.patient:
            raise NotKept
        made.extend(await (_line_up if request.event == "wait" else _take)(session.connection, request))
        return made

    written = await work.commit([], beside=beside)
    log.info("appointments.booked", kind=request.asked.schedule.kind, channel=request.asked.channel.channel, state=request.event)
    stored = next(one for one in written if one.type == "Appointment").stored
    return stored.resource if stored else {}


def _none_left(wish: Wish) -> Problem:
    return refuse(409, "conflict", "appointments.taken" if wish.number else "appointments.full")


async def _take(connection: Connection, request: Request) -> list[Write]:
    asked, wish, draft = request.asked, request.wish, _draft(request)
    row = await _run(
        connection, bookings.sql.take, asked.sitting.id, wish.number, asked.channel.channel, asked.now, draft.appointment, draft.resident, draft.patient,
        draft.person, draft.institution, draft.department, draft.kind, draft.day, draft.state, draft.based_on, draft.account, draft.source, draft.key, draft.held_until)
    if row is None:
        raise _none_left(wish)
    number = Number(**row)
    kept = replace(draft, number=number.id, starts=number.starts)
    # Of what is only held nothing is told yet: whoever pays is looking at it.
    told = [] if kept.held_until else [await confirmation_of(connection, kept, number, asked.schedule)]
    return [*_writes(kept, number, asked), *told]


async def _line_up(connection: Connection, request: Request) -> list[Write]:
    asked, draft = request.asked, _draft(request)
    free = [one for one in await pool.numbers(connection, asked.sitting.id) if is_free(one, asked.channel.channel, asked.now)]
    if free:
        raise refuse(409, "business-rule", "appointments.free-there")
    await _run(
        connection, bookings.sql.line_up, asked.sitting.id, asked.channel.channel, asked.now, draft.appointment, draft.resident, draft.patient,
        draft.person, draft.institution, draft.department, draft.kind, draft.day, draft.state, draft.based_on, draft.account, draft.source, draft.key,
        draft.starts)
    return [Write("update", "Appointment", appointment(draft, None, asked.sitting, asked.schedule, kinds()[draft.kind]), draft.appointment, if_match=0)]


async def _run(connection: Connection, statement: str, *values: Any) -> asyncpg.Record | None:
    try:
        return await connection.fetchrow(statement, *values)
    except asyncpg.UniqueViolationError as error:
        raise refuse(409, "duplicate", "appointments.key-used") from error


def is_free(number: Number, channel: str, now: datetime) -> bool:
    """Whether a channel may take a number now."""
    return number.state == "free" and number.channel in {"", channel} and number.starts > now and (number.free_at is None or number.free_at <= now)


def _draft(request: Request) -> Booking:
    """The booking before it has a number."""
    asked, wish, schedule = request.asked, request.wish, request.asked.schedule
    state = lifecycles.load(LIFE).next("", request.event, "resident" if asked.account else "system")
    return Booking(
        str(uuid4()), key_of("Patient", request.patient), request.patient, asked.whom.person, "", asked.sitting.id, schedule.institution,
        schedule.department, schedule.kind, asked.sitting.day, asked.sitting.starts, asked.channel.channel, state, wish.order, asked.account,
        request.source, wish.key, asked.now, None, late=False, excused=False, place=None, queued=None, called=None, calls=0,
        held_until=deciding.held_until(asked.now) if request.event == "hold" else None)


def _writes(kept: Booking, number: Number, asked: Asked) -> list[Write]:
    made = appointment(kept, number, asked.sitting, asked.schedule, kinds()[kept.kind])
    return [
        Write("update", "Appointment", made, kept.appointment, if_match=0),
        Write("update", "Slot", slot(number, asked.schedule.id, "busy"), number.id),
    ]


async def confirmation_of(connection: Connection, kept: Booking, number: Number, schedule: Schedule) -> Write:
    """The notice of a number; it names the institution and the time, and not the department, which may tell of an illness.

    Its text message waits for the worker's next look: waking it would make all bookings of the city queue for one lock.
    """
    key, params = web.message("appointments.notice.booked"), {"house": schedule.house, "time": shown_time(number.starts), "number": number.number}
    told = await tell(connection, kept.patient, key, about=f"Appointment/{kept.appointment}", page=MINE, text_message=False, **params)
    await jobs.enqueue(connection, "access.text", {"notice": told.id, "key": key, "params": params}, run_at=clock.now(), key=f"notice/{told.id}")
    return told


def shown_time(moment: datetime) -> str:
    """A moment as notices write it, in China's time."""
    return f"{moment.astimezone(CHINA):%m-%d %H:%M}"


async def judge_waiting(connection: Connection, one: Booking, of: tuple[Sitting, Schedule], residents: list[int]) -> None:
    """Judge again somebody who waits and would get a number now, under the lock on the person. Raises Problem."""
    sitting, schedule = of
    whom = Whom(one.person, (one.patient,), "", "", "", documented=True)
    asked = Asked(schedule, sitting, channels()[one.channel], whom, one.account, clock.now())
    rows = await connection.fetch(
        bookings.sql.mine, key_of("appointments", one.person or one.patient), residents, "", asked.today - LOOK_BACK, asked.now)
    deciding.check_time(asked)
    deciding.check_limits(asked, [found for row in rows if (found := Booking(**row)).appointment != one.appointment], ())
