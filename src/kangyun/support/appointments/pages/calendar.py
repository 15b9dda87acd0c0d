"""The schedulers' calendar: a week of all clinics, one sitting, stopping and changing it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem
from kangyun.support.appointments.actions import cancelling, guarding, sittings
from kangyun.support.appointments.decisions import channels, kinds
from kangyun.support.appointments.model import Schedule
from kangyun.support.appointments.pages.screen import address_of
from kangyun.support.appointments.pages.shown import said, today, told, words
from kangyun.support.appointments.queries import bookings, pool

_MANAGE = "appointments.manage"
_HOME = "/appointments/calendar"
_WATCHED_PERSONS, _WATCHED_DAYS = 6, 30


async def week(request: Request) -> Response:
    """Show a week: a line for each clinic, a cell for each day, each sitting with how many numbers are taken."""
    handle = request.state.handle
    work = guarding.own(handle, guarding.MANAGE)
    first = _first(request.query_params.get("week", ""))
    days = [first + timedelta(days=n) for n in range(7)]
    places = await guarding.institutions_of(handle, work)
    ids = [str(one["id"]) for one in places]
    async with handle.connection() as connection:
        schedules = await pool.schedules_of(connection, ids)
        found = await pool.week(connection, [one.id for one in schedules], days[0], days[-1], clock.now())
        crowded = await connection.fetch(bookings.sql.crowded, clock.now() - timedelta(days=_WATCHED_DAYS), ids, _WATCHED_PERSONS)
    screens = [(str(one["id"]), str(one.get("name", "")), address_of(request, str(one["id"]))) for one in places if any(s.institution == one["id"] for s in schedules)]
    return web.render(
        request, "appointments/calendar.html", days=days, rows=[(one, _cells(one, days, found)) for one in schedules], kinds=kinds(), first=first,
        before=first - timedelta(days=7), after=first + timedelta(days=7), crowded=crowded, screens=screens, watched=_WATCHED_DAYS, **words())


def _first(text: str) -> date:
    """The first day of the week that is asked for; without one it begins today, because what is over can be changed no more."""
    try:
        asked = date.fromisoformat(text)
    except ValueError:
        return today()
    return asked if date(2000, 1, 1) < asked < date(2200, 1, 1) else today()


def _cells(one: Schedule, days: list[date], found: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [[row for row in found if row["sitting"].schedule == one.id and row["sitting"].day == day] for day in days]


async def sitting(request: Request) -> Response:
    """Show one sitting with its numbers by channel, and what can be done with it."""
    return await _sitting(request)


async def _sitting(request: Request, problem: Problem | None = None, done: int | None = None) -> Response:
    handle = request.state.handle
    work = guarding.own(handle, guarding.MANAGE)
    one, schedule = await sittings.guarded(handle, work, request.path_params["id"])
    async with handle.connection() as connection:
        numbers = await pool.numbers(connection, one.id)
        held = {kept.number: kept for kept in await bookings.of_sitting(connection, one.id) if kept.state not in {"cancelled", "waitlist"}}
        waiting = len(await bookings.waiting(connection, one.id))
    return web.render(
        request, "appointments/sitting.html", status=problem.status if problem else 200, sitting=one, one=schedule, numbers=numbers, held=held,
        waiting=waiting, channels=channels(), refused=told(request, problem) if problem else "", done=done, over=one.ends <= clock.now(), may_call=handle.may("appointments.receive"),
        doctors=await doctors_at(request, schedule.institution), **words())


async def doctors_at(request: Request, institution: str) -> list[tuple[str, str]]:
    """The ids and names of those who work at an institution, by name."""
    handle = request.state.handle
    query = [("organization", f"Organization/{institution}"), ("_include", "PractitionerRole:practitioner"), ("_count", "200")]
    page = await handle.search("PractitionerRole", query)
    found = {str(one["id"]): sittings.name_of(one) for one in page.included if one["resourceType"] == "Practitioner"}
    return sorted(found.items(), key=lambda pair: pair[1])


async def act(request: Request) -> Response:
    """Stop a sitting, open it again, change who sits where, or forgive somebody who did not come."""
    form = await web.posted(request)
    handle, id_, event = request.state.handle, request.path_params["id"], said(form, "event")
    done: int | None = None
    try:
        if event == "stop":
            done = await sittings.stop(handle, id_, said(form, "reason"))
        elif event == "reopen":
            await sittings.reopen(handle, id_)
        elif event == "change":
            done = await sittings.change(handle, id_, practitioner=said(form, "practitioner"), room=said(form, "room"))
        elif event == "excuse":
            await cancelling.excuse(handle, said(form, "appointment"))
    except Problem as problem:
        if problem.status == 404:
            raise
        return await _sitting(request, problem)
    return await _sitting(request, done=done) if done is not None else RedirectResponse(request.url.path, status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses."""
    return [
        web.route(_HOME, week, permission=_MANAGE),
        web.route("/appointments/calendar/{id}", sitting, permission=_MANAGE),
        web.route("/appointments/calendar/{id}", act, permission=_MANAGE, methods=["POST"]),
    ]
