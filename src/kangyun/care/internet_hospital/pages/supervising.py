"""What the supervisor sees: consultations of some days, alerts by rule with the consultation behind each, data sets to fetch."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.care.internet_hospital.actions import regulating
from kangyun.care.internet_hospital.actions.asking import today
from kangyun.care.internet_hospital.actions.regulating import Days
from kangyun.care.internet_hospital.decisions import alerts

_REGULATE = "consult.regulate"
_HOME = "/consult/supervision"


async def overview(request: Request) -> Response:
    """Show how many consultations there were, and which rules were broken; `?rule=` names the consultations."""
    days, code = _days(request), request.query_params.get("rule", "")[:40]
    found, following = await regulating.judged(request.state.handle, days)
    counts = Counter(one.code for each in found for one in each.alerts)
    shown = [one for one in found if any(each.code == code for each in one.alerts)] if code else [one for one in found if one.alerts]
    return web.render(
        request, "internet_hospital/supervision.html", days=days, rules=alerts.rules(), counts=counts, shown=shown, total=len(found), code=code,
        more=bool(following), finished=sum(one.session.state == "finished" for one in found), datasets=alerts.datasets(),
        offline=sum(one.session.outcome == "offline" for one in found), hospitals=await regulating.licences(request.state.handle))


def _days(request: Request) -> Days:
    said = request.query_params
    try:
        last = date.fromisoformat(said["to"]) if said.get("to") else today()
        first = date.fromisoformat(said["from"]) if said.get("from") else last - timedelta(days=6)
    except (ValueError, OverflowError):
        raise refuse(422, "value", "internet_hospital.wrong-span", "from") from None
    return Days(first, last, said.get("institution", "")[:64])


async def session(request: Request) -> Response:
    """Show one consultation as the rules judge it: every data set's rows of it, and the rules that it broke."""
    found, judged = await regulating.trace(request.state.handle, request.path_params["id"])
    return web.render(
        request, "internet_hospital/supervision_session.html", rows=found, judged=judged, datasets=alerts.datasets(),
        titles=alerts.titles(request.state.language))


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    return [
        web.route(_HOME, overview, permission=_REGULATE),
        web.route(f"{_HOME}/sessions/{{id}}", session, permission=_REGULATE),
    ]


def menu() -> list[web.MenuEntry]:
    """Its place in the menu."""
    return [web.MenuEntry("internet_hospital.menu.regulate", _HOME, icon="trend", order=20, about="internet_hospital.about.regulate")]
