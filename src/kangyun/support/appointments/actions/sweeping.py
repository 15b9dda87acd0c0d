"""What happens by the clock: sittings are made ahead, unused quotas released, the waiting list served, no-shows noted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import time, timedelta
from typing import Any, Protocol

import structlog

from kangyun.base import clock, jobs, lifecycles
from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.commons.access import Gate, Handle, Transaction, Write, tell
from kangyun.commons.population import identities
from kangyun.support.appointments.actions.cancelling import follow
from kangyun.support.appointments.actions.holding import expire
from kangyun.support.appointments.actions.schedules import fill
from kangyun.support.appointments.actions.taking import LIFE, MINE, confirmation_of, judge_waiting, shown_time
from kangyun.support.appointments.decisions import channels, kinds
from kangyun.support.appointments.decisions.tables import rule
from kangyun.support.appointments.model import CHINA, Booking, Number, Schedule, Sitting, appointment, slot
from kangyun.support.appointments.queries import bookings, pool

log = structlog.get_logger()

Beside = Callable[[Transaction], Awaitable[list[Write]]]

_NAME = "appointments"
_BATCH = 200


class Parts(Protocol):
    """The opened parts of one process."""

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...

    @property
    def database(self) -> Database:
        """The database."""
        ...


@jobs.every("appointments.ahead", at=time(0, 5))
async def ahead(services: Parts, _payload: dict[str, Any]) -> None:
    """Make the sittings of one more day."""
    work = services.gate.system(_NAME)
    async with services.database.connection() as connection:
        ids = [str(row["id"]) for row in await connection.fetch(pool.sql.all_schedules)]
    made = 0
    for id_ in ids:
        async with services.database.connection() as connection:
            found = await pool.schedule(connection, id_)
        made += await fill(work, found) if found else 0
    log.info("appointments.ahead", count=made)


@jobs.every("appointments.sweep", seconds=15)
async def sweep(services: Parts, _payload: dict[str, Any]) -> None:
    """Release, hand on, and note who did not come."""
    work = services.gate.system(_NAME)
    await release(work)
    await expire(work)
    await serve(work)
    await judge(work)


async def release(work: Handle) -> int:
    """Open what channels keep and did not use in time; how many numbers."""
    now, count = clock.now(), 0
    async with work.connection() as connection:
        for one in channels().values():
            if one.release_hours is not None:
                done = await connection.execute(pool.sql.release, one.channel, now, now + timedelta(hours=one.release_hours))
                count += int(done.rpartition(" ")[2])
    if count:
        log.info("appointments.released", count=count)
    return count


async def serve(work: Handle) -> int:
    """Give free numbers to those who wait, in the order of asking; how many got one."""
    now = clock.now()
    async with work.connection() as connection:
        found = await connection.fetch(bookings.sql.sittings_waited_for, now.astimezone(CHINA).date(), now)
        over = await bookings.waiting_over(connection, now, _BATCH)
    for one in over:
        await _give_up(work, one)
    return sum([await _serve(work, str(row["sitting"])) for row in found])


async def _serve(work: Handle, sitting_id: str) -> int:
    async with work.connection() as connection:
        sitting, schedule = await pool.sitting_and_schedule(connection, sitting_id)
        waiting = await bookings.waiting(connection, sitting_id)
    served = 0
    for one in waiting if sitting.state == "open" else ():
        try:
            residents = bookings.keys(await identities(work, one.patient))
            served += bool(await work.commit([], beside=_handing(one, sitting, schedule, residents)))
        except Problem as problem:
            # Who may no longer book, because of a limit or a closed time, waits no more; the next one gets it.
            log.info("appointments.not-served", reason=problem.issues[0].key)
            await _give_up(work, one)
    return served


def _handing(one: Booking, sitting: Sitting, schedule: Schedule, residents: list[int]) -> Beside:
    async def beside(session: Transaction) -> list[Write]:
        connection = session.connection
        await judge_waiting(connection, one, (sitting, schedule), residents)
        kept = await bookings.locked(connection, one.appointment)
        if kept.state != "waitlist":
            return []
        row = await connection.fetchrow(pool.sql.take_for_waiting, sitting.id, kept.channel, clock.now(), kept.appointment)
        if row is None:
            return []
        number = Number(**row)
        await connection.execute(bookings.sql.serve, kept.appointment, kept.resident, number.id, number.starts)
        booked = await bookings.one(connection, kept.appointment)
        return [
            Write("update", "Appointment", appointment(booked, number, sitting, schedule, kinds()[booked.kind]), booked.appointment),
            Write("update", "Slot", slot(number, schedule.id, "busy"), number.id),
            await confirmation_of(connection, booked, number, schedule),
        ]

    return beside


async def _give_up(work: Handle, one: Booking) -> None:
    """Somebody waits no more."""
    async def beside(session: Transaction) -> list[Write]:
        kept = await bookings.locked(session.connection, one.appointment)
        if kept.state != "waitlist":
            return []
        following = lifecycles.load(LIFE).next(kept.state, "cancel", "system")
        await session.connection.execute(bookings.sql.follow, kept.appointment, kept.resident, following, clock.now(), False)
        _, schedule = await pool.sitting_and_schedule(session.connection, kept.sitting)
        told = await tell(
            session.connection, kept.patient, "appointments.notice.not-served", about=f"Appointment/{kept.appointment}", page=MINE,
            house=schedule.house, time=shown_time(kept.starts))
        return [await follow(session, kept, following, by="provider"), told]

    await work.commit([], beside=beside)


async def judge(work: Handle) -> int:
    """Note who did not come to the sittings that are over; how many."""
    before = clock.now() - timedelta(minutes=rule("no_show").map["grace_minutes"])
    async with work.connection() as connection:
        due = [str(row["id"]) for row in await connection.fetch(pool.sql.due, before, _BATCH)]
    return sum([await _judge(work, one) for one in due])


async def _judge(work: Handle, sitting: str) -> int:
    missed: list[Booking] = []

    async def beside(session: Transaction) -> list[Write]:
        held = [Booking(**row) for row in await session.connection.fetch(bookings.sql.holding, sitting)]
        missed.extend(one for one in held if one.state == "booked")
        _, schedule = await pool.sitting_and_schedule(session.connection, sitting)
        writes = [write for one in missed for write in await _missed(session, one, schedule)]
        await session.connection.execute(pool.sql.judged, sitting)
        return writes

    await work.commit([], beside=beside)
    return len(missed)


async def _missed(session: Transaction, one: Booking, schedule: Schedule) -> list[Write]:
    following = lifecycles.load(LIFE).next(one.state, "miss", "system")
    await session.connection.execute(bookings.sql.follow, one.appointment, one.resident, following, clock.now(), False)
    told = await tell(
        session.connection, one.patient, "appointments.notice.missed", about=f"Appointment/{one.appointment}", page=MINE,
        house=schedule.house, time=shown_time(one.starts))
    return [await follow(session, one, following), told]
