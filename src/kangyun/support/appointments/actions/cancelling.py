"""Giving a number back: once, with its consequence, and the number goes to whoever waits."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import structlog

from kangyun.base import clock, lifecycles, web
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle, Transaction, Write, tell
from kangyun.support.appointments.actions import guarding
from kangyun.support.appointments.actions.taking import LIFE, MINE, shown_time
from kangyun.support.appointments.decisions import cancelling as deciding
from kangyun.support.appointments.model import Booking, Number, Schedule, followed, slot
from kangyun.support.appointments.queries import bookings, pool

log = structlog.get_logger()

CANCELLED = web.message("appointments.notice.cancelled")
# While somebody waits, a number stays out of everybody else's reach for so long: the sweep hands it on meanwhile.
_HANDED_ON = timedelta(minutes=2)


async def cancel(handle: Handle, appointment: str) -> dict[str, Any]:
    """Cancel a booking, or leave the waiting list; the Appointment. What is cancelled already stays as it is.

    Raises Problem: 404 for a booking that is not the caller's, 409 when it is too late or somebody was received.
    """
    work = guarding.own(handle, guarding.BOOK)
    async with work.connection() as connection:
        who = await guarding.guard_booking(handle, work, await bookings.one(connection, appointment))

    async def beside(session: Transaction) -> list[Write]:
        kept = await bookings.locked(session.connection, appointment)
        return [] if kept.state == "cancelled" else await _end(session, kept, who)

    await work.commit([], beside=beside)
    log.info("appointments.cancelled", role=who)
    return await work.read("Appointment", appointment) or {}


async def _end(session: Transaction, kept: Booking, who: str) -> list[Write]:
    following = lifecycles.load(LIFE).next(kept.state, "cancel", who)
    # What was never paid for costs nothing; whoever holds again and again meets the limit of cancellations.
    late = kept.number != "" and kept.held_until is None and who == "resident" and _cost(kept) == "late"
    await session.connection.execute(bookings.sql.follow, kept.appointment, kept.resident, following, clock.now(), late)
    writes = [await follow(session, kept, following, by="patient" if who == "resident" else "provider")]
    if kept.number:
        writes += await give_back(session.connection, kept)
    if who != "resident":
        writes.append(await _tell(session.connection, kept))
    return writes


def _cost(kept: Booking) -> str:
    found = deciding.cost(kept.kind, kept.starts, clock.now())
    if found == "refused":
        raise refuse(409, "business-rule", "appointments.too-late")
    # The institution has changed what was booked, so that leaving it costs nothing.
    return "free" if kept.excused else found


async def follow(session: Transaction, kept: Booking, status: str, by: str = "") -> Write:
    """The write of the Appointment in its next state; raises Problem 404 when it is gone."""
    found = await session.fetch("Appointment", kept.appointment)
    if found is None or found.deleted:
        raise refuse(404, "not-found", "appointments.unknown")
    return Write("update", "Appointment", followed(found.resource, status, by), kept.appointment)


async def give_back(connection: Connection, kept: Booking) -> list[Write]:
    """Free the number of a booking: for whoever waits at once, for all others at a moment that nobody can foresee."""
    now = clock.now()
    if await bookings.waiting(connection, kept.sitting):
        again = now + _HANDED_ON
    else:
        again = deciding.open_again(kept.kind, now, secrets.randbelow(10_000) / 10_000)
    row = await connection.fetchrow(pool.sql.give_back, kept.number, kept.appointment, again)
    if row is None:
        return []
    number = Number(**row)
    return [Write("update", "Slot", slot(number, await schedule_of(connection, number), "free"), number.id)]


async def schedule_of(connection: Connection, number: Number) -> str:
    """The id of the schedule of a number."""
    _, schedule = await pool.sitting_and_schedule(connection, number.sitting)
    return schedule.id


async def _tell(connection: Connection, kept: Booking) -> Write:
    _, schedule = await pool.sitting_and_schedule(connection, kept.sitting)
    return await cancelled_notice(connection, kept, schedule)


async def cancelled_notice(connection: Connection, kept: Booking, schedule: Schedule, key: str = CANCELLED) -> Write:
    """The notice that the institution has cancelled."""
    return await tell(
        connection, kept.patient, key, about=f"Appointment/{kept.appointment}", page=MINE, house=schedule.house, time=shown_time(kept.starts))


async def excuse(handle: Handle, appointment: str) -> dict[str, Any]:
    """Forgive that somebody did not come or cancelled late, by the institution; the Appointment. Raises Problem 404, 409."""
    work = guarding.own(handle, guarding.MANAGE)
    async with work.connection() as connection:
        kept = await bookings.one(connection, appointment)
        await guarding.guard(handle, work, kept.institution)
        if kept.state != "noshow" and not kept.late:
            raise refuse(409, "conflict", "base.not-now")
        await connection.execute(bookings.sql.excuse, kept.appointment, kept.resident)
    return await work.read("Appointment", appointment) or {}
