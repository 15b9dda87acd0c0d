"""Taking a number, waiting for one, and one's own bookings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, lifecycles, money, web
from kangyun.base.errors import Problem
from kangyun.commons.population import identities
from kangyun.support.appointments.actions import booking, cancelling, guarding, paying, taking
from kangyun.support.appointments.actions.sources import source_of
from kangyun.support.appointments.decisions import booking as deciding
from kangyun.support.appointments.decisions import cancelling as costs
from kangyun.support.appointments.decisions import channel_opens, examinations, kinds, offences
from kangyun.support.appointments.model import Booking, Schedule, Sitting, Wish
from kangyun.support.appointments.pages.shown import chosen, is_held, said, today, told, whose_name, words
from kangyun.support.appointments.queries import bookings, finding, pool

_BOOK = "appointments.book"
_MINE = "/appointments/mine"
_FAR = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One booking as a list shows it: what may be done with it, what cancelling costs, and where it is paid while it is held."""

    booking: Booking
    sitting: Sitting
    schedule: Schedule
    may: list[str]
    free_until: datetime
    number: str
    prepare: dict[str, str] | None
    pay: str = ""


async def confirm(request: Request) -> Response:
    """Show one sitting with its free numbers, for whom, and what follows from not coming."""
    return await _form(request)


async def _form(request: Request, problem: Problem | None = None) -> Response:
    handle, now = request.state.handle, clock.now()
    channel = finding.channel_of(handle)
    async with handle.connection() as connection:
        sitting, schedule = await pool.sitting_and_schedule(connection, request.path_params["id"])
        numbers = await pool.numbers(connection, sitting.id)
        waiting = len(await bookings.waiting(connection, sitting.id))
    patient = chosen(request)
    name = await whose_name(handle, patient)
    orders = await _orders(request, patient) if kinds()[schedule.kind].order and name else []
    return web.render(
        request, "appointments/confirm.html", status=problem.status if problem else 200, sitting=sitting, one=schedule, kind=kinds()[schedule.kind],
        free=[one for one in numbers if taking.is_free(one, channel.channel, now)], name=name, orders=orders, waiting=waiting, key=uuid4().hex,
        refused=told(request, problem) if problem else "", opens=channel_opens(channel, sitting.day), now=now, money=money.shown, channel=channel,
        sold=paying.is_sold(request.app.state.services.settings, schedule, handle.actor.person), held_minutes=deciding.minutes_held(),
        free_until=costs.free_until(schedule.kind, sitting.starts), prepare=examinations().get(schedule.examination), **words())


async def _orders(request: Request, patient: str) -> list[dict[str, Any]]:
    """The orders of a doctor that the person may book by."""
    handle = request.state.handle
    whom = await guarding.whom(handle, guarding.own(handle, guarding.BOOK), patient)
    asked = ",".join(f"Patient/{one}" for one in whom.patients)
    return (await handle.search("ServiceRequest", [("subject", asked), ("status", "active"), ("_count", "20"), ("_sort", "-_lastUpdated")])).resources


async def take(request: Request) -> Response:
    """Take a number, or join the waiting list; posted twice, it is done once."""
    form = await web.posted(request)
    wish = Wish(request.path_params["id"], said(form, "number"), said(form, "order"), said(form, "key"))
    act = {"wait": booking.wait, "hold": booking.hold}.get(said(form, "event"), booking.book)
    try:
        made = await act(request.state.handle, wish, chosen(request), source=source_of(request.app.state.services, request.state.handle))
    except Problem as problem:
        return await _form(request, problem)
    place = paying.place_to_pay(str(made["id"])) if act is booking.hold else ""
    return RedirectResponse(place or f"{_MINE}#{made['id']}", status_code=303)


async def mine(request: Request) -> Response:
    """Show what the person holds, waits for, and had."""
    handle = request.state.handle
    patient = chosen(request)
    name = await whose_name(handle, patient)
    found = await _mine(request, patient) if name else []
    rows = [await _row(request, one) for one in found]
    closed = offences.closed_until(offences.offences(found), today())
    return web.render(
        request, "appointments/mine.html", name=name, closed=closed, ahead=[one for one in reversed(rows) if one.booking.state in _AHEAD],
        before=[one for one in rows if one.booking.state not in _AHEAD][:30], kinds=kinds(), now=clock.now(), staff=not handle.actor.person,
        money=money.shown, **words())


_AHEAD = {"pending", "booked", "waitlist", "checked-in", "arrived"}


async def _mine(request: Request, patient: str) -> list[Booking]:
    handle = request.state.handle
    whom = await guarding.whom(handle, guarding.own(handle, guarding.BOOK), patient)
    people = whom.patients if whom.person else tuple(await identities(handle, patient))
    async with handle.connection() as connection:
        found = await bookings.of_patients(connection, people, today() - timedelta(days=_FAR))
    if handle.actor.person:
        return found
    # Where else somebody is a patient is none of the window's business: a department may tell of an illness.
    kept = {str(one["id"]) for one in await guarding.institutions_of(handle, guarding.own(handle, guarding.BOOK))}
    return [one for one in found if one.institution in kept or one.account == (handle.actor.account or handle.actor.name)]


async def _row(request: Request, one: Booking) -> Row:
    async with request.state.handle.connection() as connection:
        sitting, schedule = await pool.sitting_and_schedule(connection, one.sitting)
    who = "resident" if request.state.handle.actor.person else "staff"
    may = [event for event in lifecycles.load(taking.LIFE).may(one.state, who) if event == "cancel" and one.starts > clock.now()]
    return Row(
        one, sitting, schedule, may, costs.free_until(one.kind, one.starts), one.number.rpartition(".")[2],
        examinations()[schedule.examination]["prepare"] if schedule.examination in examinations() else None,
        paying.place_to_pay(one.appointment) if who == "resident" and is_held(one) else "")


async def cancel(request: Request) -> Response:
    """Give a number back, or leave the waiting list."""
    await web.posted(request)
    await cancelling.cancel(request.state.handle, request.path_params["id"])
    return RedirectResponse(_MINE, status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses."""
    return [
        web.route("/appointments/sitting/{id}", confirm, permission=_BOOK),
        web.route("/appointments/sitting/{id}", take, permission=_BOOK, methods=["POST"], limit="book"),
        web.route(_MINE, mine, permission=_BOOK),
        web.route("/appointments/booking/{id}/cancel", cancel, permission=_BOOK, methods=["POST"]),
    ]
