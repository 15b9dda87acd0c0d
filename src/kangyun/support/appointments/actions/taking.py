"""The commit of bookings: who books at the same moment shares a transaction (docs/decisions/0021).

One statement locks all these people and tells what each has booked, one takes a number for each, one commit writes what the record
says of it and waits for the disk once. Each is judged alone, and a refusal is its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from kangyun.base import clock, jobs, lifecycles, web
from kangyun.base.database import Connection, Database
from kangyun.base.database.together import Together
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle, Transaction, Write, key_of, tell
from kangyun.support.appointments.decisions import booking as deciding
from kangyun.support.appointments.decisions import channels, departments, kinds
from kangyun.support.appointments.decisions.booking import Asked
from kangyun.support.appointments.model import CHINA, Booking, Number, Schedule, Sitting, Whom, Wish, appointment, slot
from kangyun.support.appointments.queries import bookings, pool

log = structlog.get_logger()

LIFE = "kangyun.support.appointments"
MINE = "/appointments/mine"
_VOID = frozenset({"cancelled", "noshow"})
# So far back the limits look.
LOOK_BACK = timedelta(days=400)
_as_row = attrgetter(*Booking.__slots__)


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

    @property
    def lock(self) -> int:
        """The key of the lock on the person."""
        return key_of("appointments", self.asked.whom.person or self.asked.whom.patients[0])

    @property
    def watched(self) -> str:
        """The account whose bookings for others count."""
        return self.asked.account if self.asked.channel.channel == "web" else ""


# What a request comes to: the Appointment, or why there is none.
Outcome = dict[str, Any] | Exception
_Asking = tuple[Handle, Request]
_taking: WeakKeyDictionary[Database, Together[_Asking, Outcome]] = WeakKeyDictionary()


async def take(work: Handle, request: Request) -> dict[str, Any]:
    """Take a number, or a place in the line, for whoever asks; the Appointment. Raises Again, NotKept or Problem."""
    together = _taking.get(work.database)
    if together is None:
        together = _taking[work.database] = Together(_take_all)
    made = await together.ask((work, request))
    if isinstance(made, Exception):
        raise made
    log.info("appointments.booked", kind=request.asked.schedule.kind, channel=request.asked.channel.channel, state=request.event)
    return made


async def _take_all(asked: Sequence[_Asking]) -> list[Outcome]:
    """Nobody is twice in one transaction: the second request of a person, or of an account, is judged by what came of the first."""
    outcomes: dict[int, Outcome] = {}
    left = list(range(len(asked)))
    while left:
        group: list[int] = []
        met: set[int | str] = set()
        for number in left:
            request = asked[number][1]
            whose = {request.lock, request.watched} - {""}
            if met.isdisjoint(whose):
                group.append(number)
            met |= whose
        outcomes |= zip(group, await _take_group([asked[number] for number in group]), strict=True)
        left = [number for number in left if number not in outcomes]
    return [outcomes[number] for number in range(len(asked))]


async def _take_group(asked: Sequence[_Asking]) -> list[Outcome]:
    try:
        return await _commit(asked)
    except Exception as error:  # noqa: BLE001 - it belongs to those who asked
        if len(asked) == 1 or (isinstance(error, Problem) and error.status >= 500):
            return [error] * len(asked)
    # What is wrong with one must not refuse the others.
    return [outcome for one in asked for outcome in await _take_group([one])]


async def _commit(asked: Sequence[_Asking]) -> list[Outcome]:
    requests, refused = [request for _, request in asked], dict[int, Exception]()

    async def beside(transactions: Sequence[Transaction]) -> list[list[Write]]:
        connection = transactions[0].connection
        await _judge_all(connection, requests, refused)
        good = {number: one for number, one in enumerate(requests) if number not in refused}
        writes = await _numbers(connection, {number: one for number, one in good.items() if one.event != "wait"}, refused)
        for number, one in good.items():
            if one.event == "wait":
                try:
                    writes[number] = await _line_up(connection, one)
                except Problem as problem:
                    refused[number] = problem
        return [writes.get(number, []) for number in range(len(requests))]

    done = await asked[0][0].commit_for([work for work, _ in asked], beside)
    made = ((one.stored.resource for one in written if one.type == "Appointment" and one.stored) for written in done)
    return [refused.get(number) or next(found) for number, found in enumerate(made)]


async def _judge_all(connection: Connection, requests: Sequence[Request], refused: dict[int, Exception]) -> None:
    """Judge each under the lock on its person, which nobody else books for until the transaction ends."""
    found = await _booked(connection, [(one.lock, one.residents, one.watched) for one in requests], min(one.asked.now for one in requests))
    for number, (request, own) in enumerate(zip(requests, found, strict=True)):
        try:
            judge(request, own)
        except (Again, NotKept, Problem) as error:
            refused[number] = error


async def _booked(connection: Connection, of: Sequence[tuple[int, list[int], str]], now: datetime) -> list[list[Booking]]:
    """What each has booked, by lock, residents and watched account; under the locks, which are held until the transaction ends."""
    places = [place for place, (_, residents, _) in enumerate(of, 1) for _ in residents]
    since = now - LOOK_BACK
    rows = await connection.fetch(
        bookings.sql.mine, [lock for lock, _, _ in of], places, [one for _, residents, _ in of for one in residents],
        [watched for _, _, watched in of], since.astimezone(CHINA).date(), since)
    found: list[list[Booking]] = [[] for _ in of]
    for row in rows:
        found[row["place"] - 1].append(Booking(**row["booking"]))
    return found


def judge(request: Request, found: Sequence[Booking]) -> None:
    """Raise Again, NotKept or Problem for a request; found: what the person and the account have booked."""
    asked, known = request.asked, set(request.residents)
    of_person = [one for one in found if one.resident in known]
    _check_again(request, of_person)
    order = request.wish.order
    if order and any(one.based_on == order and one.state not in _VOID for one in of_person):
        raise refuse(409, "duplicate", "appointments.order-used", "Appointment.basedOn")
    deciding.check_time(asked)
    deciding.check_whom(asked, departments()[asked.schedule.department])
    deciding.check_limits(asked, of_person, [one for one in found if one.resident not in known])
    if not request.patient:
        raise NotKept


def _check_again(request: Request, of_person: Sequence[Booking]) -> None:
    key = request.wish.key
    earlier = next((one for one in of_person if key and one.key == key), None)
    if earlier is None:
        return
    if earlier.sitting != request.asked.sitting.id:
        raise refuse(422, "duplicate", "appointments.key-used")
    raise Again(earlier.appointment)


def none_left(wish: Wish) -> Problem:
    """That there is no such number, or none at all, to be had any more."""
    return refuse(409, "conflict", "appointments.taken" if wish.number else "appointments.full")


async def _numbers(connection: Connection, requests: Mapping[int, Request], refused: dict[int, Exception]) -> dict[int, list[Write]]:
    """Take a number for each; the writes of those who got one."""
    if not requests:
        return {}
    drafts = {number: _draft(one) for number, one in requests.items()}
    rows = await _run(
        connection, bookings.sql.take, [_as_row(one) for one in drafts.values()], [one.wish.number for one in requests.values()])
    order = list(requests)
    taken = {order[row["place"] - 1]: Number(**row["taken"]) for row in rows}
    refused |= {number: none_left(one.wish) for number, one in requests.items() if number not in taken}
    writes: dict[int, list[Write]] = {}
    texts: dict[str, dict[str, Any]] = {}
    for number, got in taken.items():
        kept = replace(drafts[number], number=got.id, starts=got.starts)
        writes[number] = _writes(kept, got, requests[number].asked)
        # Of what is only held nothing is told yet: whoever pays is looking at it.
        if not kept.held_until:
            told, text = await _confirmation(connection, kept, got, requests[number].asked.schedule)
            writes[number].append(told)
            texts |= text
    await jobs.enqueue_all(connection, "access.text", texts, clock.now())
    return writes


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


async def _run(connection: Connection, statement: str, *values: Any) -> list[asyncpg.Record]:
    try:
        return await connection.fetch(statement, *values)
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
    """The notice of a number, with its text message."""
    told, text = await _confirmation(connection, kept, number, schedule)
    await jobs.enqueue_all(connection, "access.text", text, clock.now())
    return told


async def _confirmation(connection: Connection, kept: Booking, number: Number, schedule: Schedule) -> tuple[Write, dict[str, dict[str, Any]]]:
    """The notice of a number, and the job of its text message by its key.

    It names the institution and the time, and not the department, which may tell of an illness. The text message waits for the
    worker's next look: waking it would make all bookings of the city queue for one lock.
    """
    key, params = web.message("appointments.notice.booked"), {"house": schedule.house, "time": shown_time(number.starts), "number": number.number}
    told = await tell(connection, kept.patient, key, about=f"Appointment/{kept.appointment}", page=MINE, text_message=False, **params)
    return told, {f"notice/{told.id}": {"notice": told.id, "key": key, "params": params}}


def shown_time(moment: datetime) -> str:
    """A moment as notices write it, in China's time."""
    return f"{moment.astimezone(CHINA):%m-%d %H:%M}"


async def judge_waiting(connection: Connection, one: Booking, of: tuple[Sitting, Schedule], residents: list[int]) -> None:
    """Judge again somebody who waits and would get a number now, under the lock on the person. Raises Problem."""
    sitting, schedule = of
    whom = Whom(one.person, (one.patient,), "", "", "", documented=True)
    asked = Asked(schedule, sitting, channels()[one.channel], whom, one.account, clock.now())
    [booked] = await _booked(connection, [(key_of("appointments", one.person or one.patient), residents, "")], asked.now)
    deciding.check_time(asked)
    deciding.check_limits(asked, [found for found in booked if found.appointment != one.appointment], ())
