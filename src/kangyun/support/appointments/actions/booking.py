"""Booking: one number for one person, or a place on the waiting list.

Everything that is judged is judged twice: before anything is written, and again under the lock on the person, because two
requests of one person may have passed the first time together. The lock of a number is a row's; nobody waits for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.commons.population import patient_at
from kangyun.support.appointments.actions import guarding
from kangyun.support.appointments.actions.taking import Again, NotKept, Request, none_left, take
from kangyun.support.appointments.decisions import kinds
from kangyun.support.appointments.decisions.booking import Asked
from kangyun.support.appointments.model import Whom, Wish
from kangyun.support.appointments.queries import pool

_NEWCOMERS = 4
_newcomers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


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
        return await take(work, request)
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
            return await take(work, replace(request, patient=patient))
        except Again as again:
            return await work.read("Appointment", again.appointment) or {}


async def _request(handle: Handle, work: Handle, what: tuple[Wish, str, str], how: tuple[str, str]) -> Request:
    (wish, patient, event), channel, now = what, guarding.channel_of_caller(handle, how[0]), clock.now()
    sitting, schedule, free = await pool.sitting_asked_for(work.database, wish.sitting, wish.number, channel.channel)
    # Most of a crowd comes too late: it is told at once. A repetition must find its own number, so it is judged in full.
    if event != "wait" and not wish.key and not free and sitting.state == "open" and sitting.ends > now:
        raise none_left(wish)
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
