"""The insurer's books: the clearing of each day, and what was spent."""

from __future__ import annotations

from datetime import date, timedelta

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.money import shown
from kangyun.support.insurance.actions.auditing import AUDIT
from kangyun.support.insurance.actions.clearing import clear, explain
from kangyun.support.insurance.actions.eligibility import today
from kangyun.support.insurance.actions.sending import ask_again
from kangyun.support.insurance.decisions.audit import audit_rules
from kangyun.support.insurance.pages.insurer import HOME, names, whose
from kangyun.support.insurance.queries import by_id, sql
from kangyun.support.insurance.queries.findings import table

_DAYS = 30
_FIRST = date(2000, 1, 1)


async def clearing(request: Request) -> Response:
    """Show the last clearings and every difference that is open."""
    return await _clearing(request)


async def _clearing(request: Request, told: str = "", status: int = 200) -> Response:
    insurer = await whose(request)
    async with request.state.handle.connection() as connection:
        days = await table(connection, sql.clearings, insurer)
        found = await table(connection, sql.differences, insurer, None)
    for one in days:
        one["ours"], one["theirs"] = orjson.loads(one["ours"]), orjson.loads(one["theirs"])
    for one in found:
        one["ours"], one["theirs"] = (orjson.loads(one[side]) if one[side] else None for side in ("ours", "theirs"))
    return web.render(
        request, "insurance/clearing.html", status=status, days=days, found=found, told=told, money=shown, yesterday=today() - timedelta(days=1),
        today=today(), instant=clock.instant)


async def run(request: Request) -> Response:
    """Compare a day now, ask again about one settlement, or close a difference with a note."""
    form, insurer = await web.posted(request), await whose(request)
    event, id_ = str(form.get("event", "")), str(form.get("settlement", ""))
    services = request.app.state.services
    try:
        day = _day(str(form.get("day", "")))
        if event == "explain":
            await explain(services, request.state.handle, (insurer, day, id_, str(form.get("kind", ""))), str(form.get("note", "")))
        elif event == "again":
            await _own(request, insurer, id_)
            await ask_again(services, id_)
            await clear(services, insurer, day)
        else:
            await clear(services, insurer, day)
    except Problem as problem:
        return await _clearing(request, " ".join(errors.text(one, request.state.language) for one in problem.issues), problem.status)
    return RedirectResponse(f"{HOME}/clearing", status_code=303)


async def _own(request: Request, insurer: str, id_: str) -> None:
    async with request.state.handle.connection() as connection:
        found = await by_id(connection, id_)
    if found is None or found.insurer != insurer:
        raise refuse(404, "not-found", "insurance.no-settlement")


def _day(text: str) -> date:
    """A day that has begun and that an insurer can have settled on. Raises Problem 422."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise refuse(422, "invalid", "insurance.wrong-clearing", "day") from None
    if not _FIRST <= day <= today():
        raise refuse(422, "invalid", "insurance.wrong-clearing", "day")
    return day


async def statistics(request: Request) -> Response:
    """Show what was spent in the last thirty days, where, and what the audit has found."""
    insurer, since = await whose(request), today() - timedelta(days=_DAYS)
    async with request.state.handle.connection() as connection:
        days = await table(connection, sql.sums, insurer, since)
        places = await table(connection, sql.sums_of_places, insurer, since)
        counts = await table(connection, sql.finding_counts, insurer, clock.now() - timedelta(days=_DAYS))
        states = await table(connection, sql.states, insurer, since)
    highest = max((int(one["total"]) for one in days), default=1) or 1
    return web.render(
        request, "insurance/statistics.html", days=days, highest=highest, sums=places, counts=counts, states=states, money=shown,
        rules={one.name: one.rule for one in audit_rules()}, places=await names(request, [one["place"] for one in places]), width=640.0 / max(len(days), 1))


def routes() -> list[BaseRoute]:
    """The addresses of the insurer's books."""
    return [
        web.route(f"{HOME}/clearing", clearing, permission=AUDIT),
        web.route(f"{HOME}/clearing", run, permission=AUDIT, methods=["POST"]),
        web.route(f"{HOME}/statistics", statistics, permission=AUDIT),
    ]
