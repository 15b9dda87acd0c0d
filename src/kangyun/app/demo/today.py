"""The clinic of today: whatever the hour, a sitting to which one can come now, with two people in the waiting room and two still expected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from kangyun.app.demo.residents import Known
from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.errors import Problem
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Handle
from kangyun.support import appointments
from kangyun.support.appointments import Part, Template, Wish
from kangyun.support.appointments.actions import receiving, schedules
from kangyun.support.appointments.decisions import queueing
from kangyun.support.appointments.model import Departure, Schedule, Sitting
from kangyun.support.appointments.queries import bookings, pool

_MINUTES, _MOST, _LEAST = 10, 18, timedelta(minutes=30)
# Every day of the week, so that there is always a tomorrow.
_USUAL = (Part(time(8, 0), _MINUTES, 12), Part(time(14, 0), _MINUTES, 18))
_EXPECTED = 2


async def settle(services: Services, institution: str, practitioner: str, known: Sequence[Known]) -> Sitting | None:
    """Open a sitting of a doctor (id of the Practitioner) for now and let residents book it: the first are expected, the others wait.

    Each start looks again and makes only what is missing. None in the last minutes of a day.
    """
    handle = services.gate.system("demo")
    schedule = await _schedule(handle, institution, practitioner)
    await _every_day(handle, schedule)
    sitting = await _open(handle, schedule, clock.now().astimezone(CHINA))
    for place, one in enumerate(known if sitting else ()):
        assert sitting is not None, "the loop is empty without one"
        await _book(handle, sitting, one, comes=place >= _EXPECTED)
    return sitting


async def _schedule(handle: Handle, institution: str, practitioner: str) -> Schedule:
    async with handle.connection() as connection:
        found = await pool.schedules_of(connection, [institution])
    return next(one for one in found if one.practitioner == practitioner)


async def _every_day(handle: Handle, schedule: Schedule) -> None:
    async with handle.connection() as connection:
        known = {(one.weekday, one.part.begins) for one in (await pool.templates(connection, [schedule.id]))[schedule.id]}
    for weekday in range(1, 8):
        for part in _USUAL:
            if (weekday, part.begins) not in known:
                await appointments.add_template(handle, schedule.id, Template(weekday, part, clock.now().astimezone(CHINA).date()))


async def _open(handle: Handle, schedule: Schedule, now: datetime) -> Sitting | None:
    """The sitting to which one can come now; one more where the usual ones are over or far off, until the next of them or midnight."""
    today = await _of(handle, schedule, now.date())
    fitting = _fitting(today, now)
    if fitting is not None:
        return fitting
    begins = now - timedelta(minutes=now.minute % _MINUTES - _MINUTES, seconds=now.second, microseconds=now.microsecond)
    ends = min([one.starts for one in today if one.starts > now] + [datetime.combine(now.date() + timedelta(days=1), time(), CHINA)])
    numbers = min(_MOST, (ends - begins) // timedelta(minutes=_MINUTES))
    if numbers < 1:
        return None
    await schedules.depart(handle, schedule.id, Departure(now.date(), "extra", Part(begins.time(), _MINUTES, numbers)))
    return _fitting(await _of(handle, schedule, now.date()), now, least=timedelta())


async def _of(handle: Handle, schedule: Schedule, day: date) -> list[Sitting]:
    async with handle.connection() as connection:
        return [one["sitting"] for one in await pool.week(connection, [schedule.id], day, day, clock.now())]


def _fitting(sittings: Sequence[Sitting], now: datetime, least: timedelta = _LEAST) -> Sitting | None:
    return next((one for one in sittings if one.state == "open" and one.ends > now + least and not queueing.too_early(one.starts, now)), None)


async def _book(handle: Handle, sitting: Sitting, one: Known, *, comes: bool) -> None:
    """A number for a resident, who is received if he comes; whoever holds one for today already keeps that."""
    try:
        booked = await appointments.book(handle, Wish(sitting.id, key=f"demo-{sitting.id}-{one.patient}"), one.patient)
    except Problem:
        return
    async with handle.connection() as connection:
        kept = await bookings.one(connection, str(booked["id"]))
        # Whoever tries the demonstration need not come every day: nobody's booking is closed for it.
        await connection.execute(bookings.sql.excuse, kept.appointment, kept.resident)
    if comes and kept.state == "booked":
        await receiving.receive(handle, kept.appointment)
