"""Stopping a sitting, opening it again, and changing who sits where; everybody who holds a number is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog

from kangyun.base import clock, lifecycles, web
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle, Transaction, Write, tell
from kangyun.support.appointments.actions import guarding
from kangyun.support.appointments.actions.cancelling import cancelled_notice
from kangyun.support.appointments.actions.taking import LIFE, MINE, shown_time
from kangyun.support.appointments.model import ACTIVE, Booking, Number, Schedule, Sitting, followed, slot, substituted
from kangyun.support.appointments.queries import bookings, pool

log = structlog.get_logger()


async def guarded(handle: Handle, work: Handle, id_: str) -> tuple[Sitting, Schedule]:
    """A sitting of the caller's institution with its schedule; raises Problem 404."""
    async with work.connection() as connection:
        sitting, schedule = await pool.sitting_and_schedule(connection, id_)
    await guarding.guard(handle, work, schedule.institution)
    return sitting, schedule


async def stop(handle: Handle, id_: str, reason: str) -> int:
    """Stop a sitting: its numbers close, its bookings are cancelled without consequence; how many people were told.

    Raises Problem: 404 for one that is not the caller's, 409 when it is stopped or over, 422 without a reason.
    """
    work = guarding.own(handle, guarding.MANAGE)
    _, schedule = await guarded(handle, work, id_)
    if not reason.strip():
        raise refuse(422, "required", "appointments.no-reason")
    told: list[Booking] = []

    async def beside(session: Transaction) -> list[Write]:
        sitting = await _locked(session, id_)
        if sitting.state != "open" or sitting.ends <= clock.now():
            raise refuse(409, "conflict", "base.not-now")
        await _keep(session, replace(sitting, state="stopped", reason=reason.strip()[:200]))
        return await _clear(session, sitting, schedule, told)

    await work.commit([], beside=beside)
    log.info("appointments.stopped", count=len(told))
    return len(told)


async def _locked(session: Transaction, id_: str) -> Sitting:
    return Sitting(**await session.connection.fetchrow(pool.sql.lock_sitting, id_) or {})


async def _keep(session: Transaction, sitting: Sitting) -> None:
    await session.connection.execute(
        pool.sql.change_sitting, sitting.id, sitting.state, sitting.reason, sitting.practitioner, sitting.doctor, sitting.room)


async def _clear(session: Transaction, sitting: Sitting, schedule: Schedule, told: list[Booking]) -> list[Write]:
    connection = session.connection
    closed = await connection.fetch(pool.sql.close_numbers, sitting.id)
    held = [Booking(**row) for row in await connection.fetch(bookings.sql.holding, sitting.id)]
    told += [one for one in held if one.state != "arrived"]
    # Whoever gave a number back meanwhile has freed it after we closed the free ones.
    closed += [*await connection.fetch(pool.sql.close_numbers, sitting.id), *await connection.fetch(pool.sql.close_taken, sitting.id)]
    writes = [Write("update", "Slot", slot(Number(**row), schedule.id, "busy-unavailable"), row["id"]) for row in closed]
    return writes + await _cancel_all(session, told, schedule)


async def _cancel_all(session: Transaction, held: Sequence[Booking], schedule: Schedule) -> list[Write]:
    kept = await session.fetch_all([("Appointment", one.appointment) for one in held])
    writes: list[Write] = []
    for one in held:
        following = lifecycles.load(LIFE).next(one.state, "cancel", "system")
        await session.connection.execute(bookings.sql.follow, one.appointment, one.resident, following, clock.now(), False)
        found = kept.get(("Appointment", one.appointment))
        if found is not None and not found.deleted:
            writes.append(Write("update", "Appointment", followed(found.resource, following, "provider"), one.appointment))
        writes.append(await cancelled_notice(session.connection, one, schedule, web.message("appointments.notice.stopped")))
    return writes


async def reopen(handle: Handle, id_: str) -> None:
    """Open a stopped sitting again, with all its numbers; those who were cancelled stay so. Raises Problem 404, 409."""
    work = guarding.own(handle, guarding.MANAGE)
    _, schedule = await guarded(handle, work, id_)

    async def beside(session: Transaction) -> list[Write]:
        sitting = await _locked(session, id_)
        if sitting.state != "stopped" or sitting.ends <= clock.now():
            raise refuse(409, "conflict", "base.not-now")
        await _keep(session, replace(sitting, state="open", reason=""))
        opened = await session.connection.fetch(pool.sql.open_numbers, id_, clock.now())
        return [Write("update", "Slot", slot(Number(**row), schedule.id, "free"), row["id"]) for row in opened]

    await work.commit([], beside=beside)


async def change(handle: Handle, id_: str, *, practitioner: str = "", room: str = "") -> int:
    """Let somebody else sit, or in another room; how many people were told. They may leave without consequence.

    practitioner: id of a Practitioner; empty: the same. Raises Problem 404 for a sitting that is not the caller's or an
    unknown practitioner, 409 when it is stopped or over.
    """
    work = guarding.own(handle, guarding.MANAGE)
    _, schedule = await guarded(handle, work, id_)
    doctor = await doctor_named(work, practitioner) if practitioner else ""
    told: list[Booking] = []

    async def beside(session: Transaction) -> list[Write]:
        sitting = await _locked(session, id_)
        if sitting.state != "open" or sitting.ends <= clock.now():
            raise refuse(409, "conflict", "base.not-now")
        same = practitioner in {"", sitting.practitioner or schedule.practitioner}
        now = replace(sitting, room=room.strip()[:60] or sitting.room, **({} if same else {"practitioner": practitioner, "doctor": doctor}))
        await _keep(session, now)
        held = [Booking(**row) for row in await session.connection.fetch(bookings.sql.holding, id_)]
        told.extend(one for one in held if one.state in ACTIVE and (not same or now.room != sitting.room))
        return await _change_all(session, told, now, schedule, substitute="" if same else practitioner)

    await work.commit([], beside=beside)
    return len(told)


async def doctor_named(work: Handle, practitioner: str) -> str:
    """The name of a Practitioner; raises Problem 404."""
    found = await work.read("Practitioner", practitioner)
    if found is None:
        raise refuse(404, "not-found", "appointments.no-practitioner")
    return name_of(found)


def name_of(practitioner: dict[str, Any]) -> str:
    """The name of a Practitioner as one text."""
    first = next(iter(practitioner.get("name", ())), {})
    return str(first.get("text") or f"{first.get('family', '')}{''.join(first.get('given', []))}").strip()


async def _change_all(session: Transaction, held: Sequence[Booking], sitting: Sitting, schedule: Schedule, *, substitute: str) -> list[Write]:
    kept = await session.fetch_all([("Appointment", one.appointment) for one in held]) if substitute else {}
    writes: list[Write] = []
    for one in held:
        if substitute:
            await session.connection.execute(bookings.sql.excuse, one.appointment, one.resident)
            found = kept.get(("Appointment", one.appointment))
            if found is not None and not found.deleted:
                writes.append(Write("update", "Appointment", substituted(found.resource, substitute, sitting.doctor), one.appointment))
        key = web.message("appointments.notice.changed") if substitute else web.message("appointments.notice.moved")
        writes.append(await tell(
            session.connection, one.patient, key, about=f"Appointment/{one.appointment}", page=MINE, house=schedule.house,
            time=shown_time(one.starts), doctor=sitting.doctor or schedule.doctor, room=sitting.room))
    return writes
