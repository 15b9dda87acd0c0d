"""The desk: whom one books for, receiving by card, the queue of a sitting, calling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, lifecycles, web
from kangyun.base.errors import Problem
from kangyun.commons.access import Handle
from kangyun.commons.population import Cards, legal_name
from kangyun.support.appointments.actions import guarding, receiving, taking
from kangyun.support.appointments.model import Booking
from kangyun.support.appointments.pages.shown import FOR, chosen, said, today, told, whose_name, words
from kangyun.support.appointments.queries import bookings, pool

_RECEIVE, _BOOK = "appointments.receive", "appointments.book"
_DESK = "/appointments/desk"
_NO_PIN = {"population.card-pin-needed", "population.card-pin-wrong"}
_EVENTS: dict[str, Callable[[Handle, str], Awaitable[Booking]]] = {
    "check-in": receiving.receive, "call": receiving.call, "pass": receiving.pass_over, "finish": receiving.finish}


async def desk(request: Request) -> Response:
    """Show today's sittings, the reading of cards, and whom to book for."""
    handle = request.state.handle
    work = guarding.own(handle, guarding.RECEIVE)
    places = await guarding.institutions_of(handle, work)
    async with handle.connection() as connection:
        schedules = {one.id: one for one in await pool.schedules_of(connection, [str(one["id"]) for one in places])}
        sittings = await pool.week(connection, list(schedules), today(), today(), clock.now())
    return web.render(
        request, "appointments/desk.html", sittings=sittings, schedules=schedules, name=await whose_name(handle, chosen(request)),
        may_book=handle.may(_BOOK), found=None, refused="", asks_pin=False, code="", who="", **words())


async def card(request: Request) -> Response:
    """Read a card: the result is a part of the page."""
    form = await web.posted(request)
    handle, services = request.state.handle, request.app.state.services
    shown: dict[str, Any] = {"found": None, "who": "", "refused": "", "asks_pin": False, "code": said(form, "code")}
    try:
        found = await receiving.receive_by_card(handle, services.keys, said(form, "code"), said(form, "terminal"), said(form, "pin"))
        async with handle.connection() as connection:
            sitting, schedule = await pool.sitting_and_schedule(connection, found.sitting)
        shown |= {"found": found, "sitting": sitting, "one": schedule, "who": await _name(request, found)}
    except Problem as problem:
        shown |= {"refused": told(request, problem), "asks_pin": problem.issues[0].key in _NO_PIN}
    return web.render(request, "appointments/desk.html", block="result", **shown, **words())


async def _name(request: Request, one: Booking) -> str:
    """The name of somebody who has come, whom the caller's own institution keeps."""
    found = await guarding.own(request.state.handle, guarding.RECEIVE).read("Patient", one.patient)
    return legal_name(found) if found else ""


async def choose(request: Request) -> Response:
    """Find somebody to book for; posted, because a name is no part of an address."""
    form = await web.posted(request)
    handle = request.state.handle
    people = await Cards(handle, request.app.state.services.keys).find(said(form, "q")) if said(form, "q") else []
    rows = [(str(one["id"]), legal_name(one), one) for one in people]
    return web.render(request, "appointments/choose.html", q=said(form, "q"), people=rows, **words())


async def chosen_one(request: Request) -> Response:
    """Keep for whom is booked in the browser's own cookie, and go on to the clinics."""
    form = await web.posted(request)
    response = RedirectResponse("/appointments" if said(form, "patient") else _DESK, status_code=303)
    if said(form, "patient") and await whose_name(request.state.handle, said(form, "patient")):
        response.set_cookie(FOR, said(form, "patient")[:64], path="/appointments", httponly=True, samesite="lax", secure=request.url.scheme == "https")
    else:
        response.delete_cookie(FOR, path="/appointments")
    return response


async def queue(request: Request) -> Response:
    """Show a sitting: who waits, who is called, who has not come."""
    handle = request.state.handle
    work = guarding.own(handle, guarding.RECEIVE)
    async with handle.connection() as connection:
        sitting, schedule = await pool.sitting_and_schedule(connection, request.path_params["id"])
        await guarding.guard(handle, work, schedule.institution)
        held = [one for one in await bookings.of_sitting(connection, sitting.id) if one.state != "cancelled"]
    names = await _names(work, held)
    rows = [(one, names.get(one.patient, "—"), one.number.rpartition(".")[2], lifecycles.load(taking.LIFE).may(one.state, "staff")) for one in _in_order(held)]
    part = "queue" if request.query_params.get("part") == "queue" else None
    return web.render(request, "appointments/queue.html", block=part, sitting=sitting, one=schedule, rows=rows, manages=handle.may("appointments.manage"), **words())


_ORDER = ("arrived", "checked-in", "booked", "pending", "waitlist", "fulfilled", "noshow")


def _in_order(held: list[Booking]) -> list[Booking]:
    return sorted(held, key=lambda one: (_ORDER.index(one.state), one.place or 0, one.starts, one.booked))


async def _names(work: Handle, held: list[Booking]) -> dict[str, str]:
    """The names of those who booked at the caller's institution."""
    found: dict[str, str] = {}
    ids = sorted({one.patient for one in held})
    for start in range(0, len(ids), 50):
        page = await work.search("Patient", [("_id", ",".join(ids[start : start + 50])), ("_count", "50")])
        found |= {str(one["id"]): legal_name(one) for one in page.resources}
    return found


async def follow(request: Request) -> Response:
    """Receive, call, pass over or finish; `next` calls whoever is next."""
    form = await web.posted(request)
    event, appointment = said(form, "event"), said(form, "appointment")
    if event == "next":
        await receiving.call_next(request.state.handle, request.path_params["id"])
    elif event in _EVENTS:
        await _EVENTS[event](request.state.handle, appointment)
    return RedirectResponse(f"/appointments/desk/queue/{request.path_params['id']}", status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses."""
    return [
        web.route(_DESK, desk, permission=_RECEIVE),
        web.route(f"{_DESK}/card", card, permission=_RECEIVE, methods=["POST"]),
        web.route(f"{_DESK}/find", choose, permission=_BOOK, methods=["POST"], limit="find"),
        web.route(f"{_DESK}/for", chosen_one, permission=_BOOK, methods=["POST"]),
        web.route("/appointments/desk/queue/{id}", queue, permission=_RECEIVE),
        web.route("/appointments/desk/queue/{id}", follow, permission=_RECEIVE, methods=["POST"]),
    ]
