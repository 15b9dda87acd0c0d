"""Prices of the own institution."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, money, web
from kangyun.base.errors import Problem, refuse
from kangyun.support.drugs.actions.prices import PRICES, set_price
from kangyun.support.drugs.decisions.lookup import look_up
from kangyun.support.drugs.pages.reading import said
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.prices import own_prices

_PATH = "/drugs/prices"


async def listed(request: Request) -> Response:
    """Show what was looked for, or the drugs that have a price of the institution's own."""
    return await _page(request, request.query_params.get("q", "").strip()[:50])


async def _page(request: Request, typed: str, problem: Problem | None = None) -> Response:
    handle = request.state.handle
    if not handle.actor.institution:
        raise refuse(403, "forbidden", "drugs.no-institution")
    known = await catalogue(handle)
    async with handle.connection() as connection:
        own = await own_prices(connection, handle.actor.institution)
    rows = look_up(known.drugs.values(), typed) if typed else [known.drugs[code] for code in own if code in known.drugs]
    told = " ".join(errors.text(one, request.state.language) for one in problem.issues) if problem else ""
    return web.render(
        request, "drugs/prices.html", status=problem.status if problem else 200, q=typed, rows=rows, own=own, told=told, shown=money.shown, plain=money.plain)


async def keep(request: Request) -> Response:
    """Keep a price."""
    form = await web.posted(request)
    typed = said(form, "q")[:50]
    try:
        await set_price(request.state.handle, said(form, "code"), said(form, "yuan"))
    except Problem as problem:
        return await _page(request, typed, problem)
    return RedirectResponse(_PATH, status_code=303)


def routes() -> list[BaseRoute]:
    """The routes of prices."""
    return [web.route(_PATH, listed, permission=PRICES), web.route(_PATH, keep, permission=PRICES, methods=["POST"])]


def menu() -> list[web.MenuEntry]:
    """The entry of prices."""
    return [web.MenuEntry("drugs.price.menu", _PATH, icon="tag", order=47, about="drugs.price.about")]
