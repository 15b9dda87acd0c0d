"""The day itself: people are received by their card or by name, queue, are called, and leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from kangyun.base import clock, lifecycles
from kangyun.base.errors import refuse
from kangyun.base.keys import KeyStore
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.commons.population import CardReading, Cards, identities, scan_card
from kangyun.support.appointments.actions import guarding
from kangyun.support.appointments.actions.cancelling import follow
from kangyun.support.appointments.actions.sittings import guarded
from kangyun.support.appointments.actions.taking import LIFE
from kangyun.support.appointments.decisions import kinds, queueing
from kangyun.support.appointments.model import CHINA, Booking, Number
from kangyun.support.appointments.queries import bookings, pool

log = structlog.get_logger()

_CARD_CHANNELS = {"terminal": "02"}
_COUNTER = "01"


async def receive_by_card(handle: Handle, keys: KeyStore, code: str, terminal: str, pin: str = "") -> Booking:
    """Receive whoever shows this code of a health card for the next booking of today at the caller's institution.

    Raises Problem as the reading of a card does, and 404 when nothing is booked today.
    """
    work = guarding.own(handle, guarding.RECEIVE)
    step = kinds()["outpatient"].step
    read = CardReading(code.strip(), step, terminal or "desk", _CARD_CHANNELS.get(handle.actor.role, _COUNTER), pin)
    found = await scan_card(Cards(work, keys), read)
    return await receive_next(handle, found.card.patient)


async def receive_next(handle: Handle, patient: str) -> Booking:
    """Receive a person, by any Patient, for the next booking of today at the caller's institution. Raises Problem 404, 409."""
    work = guarding.own(handle, guarding.RECEIVE)
    places = [str(one["id"]) for one in await guarding.institutions_of(handle, work)]
    people = await identities(work, patient)
    async with work.connection() as connection:
        today = await bookings.of_day(connection, people, clock.now().astimezone(CHINA).date(), places)
    waiting = next((one for one in today if one.state == "booked"), None)
    if waiting is None:
        # Shown twice at the desk, a card tells the same number again.
        known = next((one for one in today if one.state in {"checked-in", "arrived"}), None)
        if known is None:
            raise refuse(404, "not-found", "appointments.none-today")
        return known
    return await receive(handle, waiting.appointment)


async def receive(handle: Handle, appointment: str) -> Booking:
    """Receive somebody who has come: the booking has a place in the queue. Raises Problem 404, 409 too early or not booked."""
    work = guarding.own(handle, guarding.RECEIVE)

    async def act(session: Transaction, kept: Booking, _following: str) -> None:
        connection = session.connection
        sitting, _ = await pool.sitting_and_schedule(connection, kept.sitting)
        now = clock.now()
        if now.astimezone(CHINA).date() != kept.day or queueing.too_early(sitting.starts, now):
            raise refuse(409, "business-rule", "appointments.too-early")
        number = Number(**await connection.fetchrow(pool.sql.number, kept.number) or {})
        calling = await connection.fetchval(bookings.sql.calling, kept.sitting)
        place = queueing.place(number.number, now - kept.starts, calling)
        await connection.execute(bookings.sql.receive, kept.appointment, kept.resident, place, now)

    return await _follow(handle, work, appointment, "check-in", act)


Act = Callable[[Transaction, Booking, str], Awaitable[None]]


async def _follow(handle: Handle, work: Handle, appointment: str, event: str, act: Act) -> Booking:
    """Let something happen to a booking of the caller's institution, under its lock."""
    async with work.connection() as connection:
        await guarding.guard(handle, work, (await bookings.one(connection, appointment)).institution)

    async def beside(session: Transaction) -> list[Write]:
        kept = await bookings.locked(session.connection, appointment)
        following = lifecycles.load(LIFE).next(kept.state, event, "staff")
        await act(session, kept, following)
        return [await follow(session, kept, following)] if following != kept.state else []

    await work.commit([], beside=beside)
    log.info("appointments.followed", state=event)
    async with work.connection() as connection:
        return await bookings.one(connection, appointment)


async def call_next(handle: Handle, sitting: str) -> Booking | None:
    """Call the next in the queue of a sitting; None when nobody waits. Raises Problem 404."""
    work = guarding.own(handle, guarding.RECEIVE)
    await guarded(handle, work, sitting)
    async with work.connection() as connection:
        row = await connection.fetchrow(bookings.sql.next_in_line, sitting)
    return await call(handle, row["appointment"]) if row else None


async def call(handle: Handle, appointment: str) -> Booking:
    """Call somebody who was received, or call again. Raises Problem 404, 409."""
    work = guarding.own(handle, guarding.RECEIVE)

    async def act(session: Transaction, kept: Booking, _following: str) -> None:
        await session.connection.execute(bookings.sql.call, kept.appointment, kept.resident, clock.now())

    return await _follow(handle, work, appointment, "call", act)


async def pass_over(handle: Handle, appointment: str) -> Booking:
    """Somebody did not come when called and goes some places back. Raises Problem 404, 409."""
    work = guarding.own(handle, guarding.RECEIVE)

    async def act(session: Transaction, kept: Booking, _following: str) -> None:
        calling = await session.connection.fetchval(bookings.sql.calling, kept.sitting)
        await session.connection.execute(bookings.sql.pass_over, kept.appointment, kept.resident, queueing.back(calling))

    return await _follow(handle, work, appointment, "pass", act)


async def finish(handle: Handle, appointment: str) -> Booking:
    """What was booked is done. Raises Problem 404, 409."""
    work = guarding.own(handle, guarding.RECEIVE)

    async def act(session: Transaction, kept: Booking, following: str) -> None:
        await session.connection.execute(bookings.sql.follow, kept.appointment, kept.resident, following, clock.now(), False)

    return await _follow(handle, work, appointment, "finish", act)


async def screen_rows(work: Handle, institution: str, department: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a call screen shows: who is called, latest first, and the lines of today with how many wait."""
    now = clock.now()
    today = now.astimezone(CHINA).date()
    async with work.connection() as connection:
        called = [dict(row) for row in await connection.fetch(bookings.sql.called_lately, institution, department, today)]
        lines = [dict(row) for row in await connection.fetch(bookings.sql.lines, institution, department, today, now)]
    return called, lines
