"""A number that is held while somebody pays for it: confirmed by whoever took the money, or given back when the time is over."""

from __future__ import annotations

from typing import Any

import structlog

from kangyun.base import clock, lifecycles, web
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.appointments.actions import guarding
from kangyun.support.appointments.actions.cancelling import cancelled_notice, follow, give_back
from kangyun.support.appointments.actions.taking import LIFE, confirmation_of
from kangyun.support.appointments.model import HELD_UNTIL, Number
from kangyun.support.appointments.queries import bookings, pool

log = structlog.get_logger()

_BATCH = 200


async def confirm(handle: Handle, appointment: str) -> dict[str, Any]:
    """Make a held number a booking, because it is paid; the Appointment. A second time nothing changes.

    For staff of the institution (or who booked) and the platform itself. As long as the number was not given back it is not too
    late, even when the time is over: nobody pays for nothing. Raises Problem: 404 for a booking that is not the caller's, 409
    when it was given back meanwhile, 403 for the resident, who cannot say that it is paid.
    """
    work = guarding.own(handle, guarding.BOOK)
    async with work.connection() as connection:
        who = await guarding.guard_booking(handle, work, await bookings.one(connection, appointment))

    async def beside(session: Transaction) -> list[Write]:
        kept = await bookings.locked(session.connection, appointment)
        if kept.state == "booked" and who != "resident":
            return []
        following = lifecycles.load(LIFE).next(kept.state, "confirm", who)
        await session.connection.execute(bookings.sql.confirm, kept.appointment, kept.resident, following)
        row = await session.connection.fetchrow(pool.sql.number, kept.number)
        assert row is not None
        _, schedule = await pool.sitting_and_schedule(session.connection, kept.sitting)
        written = await follow(session, kept, following)
        resource = {name: value for name, value in (written.resource or {}).items() if name != "extension"}
        others = [one for one in (written.resource or {}).get("extension", ()) if one.get("url") != HELD_UNTIL]
        made = Write("update", "Appointment", {**resource, **({"extension": others} if others else {})}, kept.appointment)
        return [made, await confirmation_of(session.connection, kept, Number(**row), schedule)]

    await work.commit([], beside=beside)
    log.info("appointments.confirmed", role=who)
    return await work.read("Appointment", appointment) or {}


async def expire(work: Handle) -> None:
    """Give back what was held too long."""
    async with work.connection() as connection:
        due = [str(row["appointment"]) for row in await connection.fetch(bookings.sql.held_too_long, clock.now(), _BATCH)]
    for one in due:
        await _expire(work, one)


async def _expire(work: Handle, appointment: str) -> None:
    async def beside(session: Transaction) -> list[Write]:
        kept = await bookings.locked(session.connection, appointment)
        # Whoever confirmed it before we had the lock keeps it.
        if kept.state != "pending":
            return []
        following = lifecycles.load(LIFE).next(kept.state, "cancel", "system")
        await session.connection.execute(bookings.sql.follow, kept.appointment, kept.resident, following, clock.now(), False)
        _, schedule = await pool.sitting_and_schedule(session.connection, kept.sitting)
        return [
            await follow(session, kept, following, by="patient"), *await give_back(session.connection, kept),
            await cancelled_notice(session.connection, kept, schedule, web.message("appointments.notice.unpaid"))]

    await work.commit([], beside=beside)
