"""The finance clerk's pages: days compared with the channels' bills, differences and what is done about them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, money, web
from kangyun.base.errors import Problem, refuse
from kangyun.support.payments import actions
from kangyun.support.payments.actions.standing import RECONCILE
from kangyun.support.payments.decisions import resolving
from kangyun.support.payments.gateways.channels import channels
from kangyun.support.payments.model import Refused, Unreachable, day_of
from kangyun.support.payments.queries.reconciling import channel_notices, days, differences, is_ours

HOME = "/payments/reconciliation"


async def overview(request: Request) -> Response:
    """The days, and every difference that is open."""
    return await _overview(request)


async def _overview(request: Request, refused: str = "", status: int = 200) -> Response:
    async with request.state.handle.connection() as connection:
        compared, unresolved = await days(connection), await differences(connection, state="open")
        told = await channel_notices(connection)
        offers = {one.id: resolving.offered(one.kind, known=await is_ours(connection, one.subject)) for one in unresolved}
    yesterday = day_of(clock.now()) - timedelta(days=1)
    return web.render(
        request, "payments/reconciliation.html", status=status, days=compared, unresolved=unresolved, offers=offers, notices=told, refused=refused,
        channels=list(channels(request.app.state.services.settings)), yesterday=yesterday.isoformat(), shown=money.shown, instant=clock.instant)


async def day(request: Request) -> Response:
    """One channel's day with all its differences."""
    channel, wanted = request.path_params["channel"], _day(request.path_params["day"])
    async with request.state.handle.connection() as connection:
        compared = next((one for one in await days(connection) if (one.channel, one.day) == (channel, wanted)), None)
        found = await differences(connection, channel, wanted)
        offers = {one.id: resolving.offered(one.kind, known=await is_ours(connection, one.subject)) for one in found if one.state == "open"}
    if compared is None:
        raise refuse(404, "not-found", "payments.unknown")
    return web.render(
        request, "payments/day.html", one=compared, found=found, offers=offers, shown=money.shown, instant=clock.instant)



def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise refuse(422, "value", "payments.wrong-day", "day") from None


async def compare(request: Request) -> Response:
    """Compare a channel's bill of a day now."""
    form = await web.posted(request)
    try:
        wanted = chosen_day(str(form.get("day", "")))
        channel = str(form.get("channel", ""))
        await actions.reconciling.reconcile(request.app.state.services, channel, wanted)
    except Problem as problem:
        return await _overview(request, _told(request, problem), problem.status)
    except Refused as refused:
        return await _overview(request, _told(request, refuse(409, "conflict", "payments.no-bill", reason=refused.code)), 409)
    except Unreachable:
        return await _overview(request, _told(request, refuse(503, "transient", "payments.channel-away")), 503)
    return RedirectResponse(f"{HOME}/{channel}/{wanted.isoformat()}", 303)


def chosen_day(text: str) -> date:
    """A day that is over: the bill of a day is made on the next one."""
    wanted = _day(text)
    if wanted >= day_of(clock.now()):
        raise refuse(422, "value", "payments.wrong-day", "day")
    return wanted


def _told(request: Request, problem: Problem) -> str:
    return " ".join(errors.text(issue, request.state.language) for issue in problem.issues)


async def resolve(request: Request) -> Response:
    """Do something about a difference."""
    form: Any = await web.posted(request)
    try:
        await actions.reconciling.resolve(
            request.app.state.services, request.state.handle, int(request.path_params["id"]), str(form.get("resolution", "")), str(form.get("note", "")))
    except Problem as problem:
        if problem.status == 404:
            raise
        return await _overview(request, _told(request, problem), problem.status)
    return RedirectResponse(HOME, 303)


def routes() -> list[BaseRoute]:
    """The finance clerk's addresses."""
    return [
        web.route(HOME, overview, permission=RECONCILE), web.route(f"{HOME}/compare", compare, permission=RECONCILE, methods=["POST"]),
        web.route(f"{HOME}/differences/{{id:int}}", resolve, permission=RECONCILE, methods=["POST"]),
        web.route(f"{HOME}/{{channel}}/{{day}}", day, permission=RECONCILE),
    ]


def menu() -> list[web.MenuEntry]:
    """Reconciliation."""
    return [web.MenuEntry("payments.reconciliation.menu", HOME, icon="check", order=43, about="payments.reconciliation.about")]
