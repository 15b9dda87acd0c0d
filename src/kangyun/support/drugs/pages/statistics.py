"""What the reviews come to: passed, returned, minutes, findings, drugs, doctors."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import refuse
from kangyun.support.drugs.actions.comments import COMMENT
from kangyun.support.drugs.decisions.findings import titles
from kangyun.support.drugs.queries import people
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.prescribers import today
from kangyun.support.drugs.queries.statistics import kinds_found, statistics

_PATH = "/drugs/statistics"
_DAYS = 30
_LONGEST = 366
_FIRST = date(2000, 1, 1)


async def shown(request: Request) -> Response:
    """Show the figures of the own institution for some days."""
    handle = request.state.handle
    institution = handle.actor.institution
    if not institution:
        raise refuse(403, "forbidden", "drugs.no-institution")
    days, wrong = _days(request)
    known = (await catalogue(handle)).drugs
    async with handle.connection() as connection:
        found = await statistics(connection, institution, days, known)
    own = request.app.state.services.gate.system("drugs.statistics")
    kinds, cut = await kinds_found(own, institution, days)
    names = await people.called(own, "Practitioner", [who for who, *_ in found.doctors])
    told = errors.text(wrong, request.state.language) if wrong else ""
    return web.render(request, "drugs/statistics.html", found=found, kinds=kinds, cut=cut, days=days, known=known, names=names, titles=titles(), told=told)


def _days(request: Request) -> tuple[tuple[date, date], errors.Issue | None]:
    """The days that were asked for; the last thirty, with what is wrong, for what are none."""
    usual = today() - timedelta(days=_DAYS - 1), today()
    first, last = request.query_params.get("from", ""), request.query_params.get("to", "")
    if not first and not last:
        return usual, None
    try:
        days = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        return usual, errors.Issue("value", "drugs.wrong-period")
    good = _FIRST <= days[0] <= days[1] <= today() and (days[1] - days[0]).days < _LONGEST
    return (days, None) if good else (usual, errors.Issue("value", "drugs.wrong-period"))


def routes() -> list[BaseRoute]:
    """The routes of statistics."""
    return [web.route(_PATH, shown, permission=COMMENT)]


def menu() -> list[web.MenuEntry]:
    """The entry of statistics."""
    return [web.MenuEntry("drugs.statistics.menu", _PATH, icon="trend", order=25, about="drugs.statistics.about")]
