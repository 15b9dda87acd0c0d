"""The books and the settlements of institutions, for the region's finance clerk."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, money, web
from kangyun.base.errors import Problem
from kangyun.commons.access import Handle
from kangyun.support.payments import actions
from kangyun.support.payments.actions.standing import RECONCILE
from kangyun.support.payments.model import day_of
from kangyun.support.payments.pages.reconciliation import chosen_day
from kangyun.support.payments.queries.ledger import balances, entries, owed, settlements

BOOKS, SETTLEMENTS = "/payments/books", "/payments/settlements"


async def books(request: Request) -> Response:
    """All accounts with what stands on them; one account with its newest entries."""
    account = request.query_params.get("account", "")[:200]
    async with request.state.handle.connection() as connection:
        found = await balances(connection)
        told = await entries(connection, account) if account else []
    names = await _names(request.state.handle, {one.account.partition("/")[2] for one in found})
    return web.render(
        request, "payments/books.html", found=found, account=account, entries=told, names=names, total=sum(one.fen for one in found), shown=money.shown,
        instant=clock.instant)


async def _names(handle: Handle, ids: set[str]) -> dict[str, str]:
    """What institutions are called."""
    wanted = sorted(one for one in ids if one)
    if not wanted:
        return {}
    page = await handle.search("Organization", [("_id", ",".join(wanted)), ("_count", "1000")])
    return {str(one["id"]): str(one.get("name", "")) for one in page.resources}


async def overview(request: Request) -> Response:
    """What institutions are owed, and what they were paid."""
    return await _overview(request)


async def _overview(request: Request, refused: str = "", status: int = 200) -> Response:
    yesterday = day_of(clock.now()) - timedelta(days=1)
    async with request.state.handle.connection() as connection:
        found, due = await settlements(connection), await owed(connection, yesterday)
    names = await _names(request.state.handle, {one.institution for one in found} | set(due))
    return web.render(
        request, "payments/settlements.html", status=status, found=found, due=due, names=names, yesterday=yesterday.isoformat(), refused=refused,
        shown=money.shown, instant=clock.instant)


async def settle(request: Request) -> Response:
    """Make the settlements of all institutions for the days up to one."""
    form = await web.posted(request)
    try:
        await actions.settle_institutions(request.app.state.services, request.state.handle, chosen_day(str(form.get("day", ""))))
    except Problem as problem:
        return await _overview(request, _told(request, problem), problem.status)
    return RedirectResponse(SETTLEMENTS, 303)


async def transferred(request: Request) -> Response:
    """The bank has paid a settlement."""
    form = await web.posted(request)
    try:
        await actions.transferred(request.state.handle, request.path_params["id"], str(form.get("reference", "")))
    except Problem as problem:
        if problem.status == 404:
            raise
        return await _overview(request, _told(request, problem), problem.status)
    return RedirectResponse(SETTLEMENTS, 303)


def _told(request: Request, problem: Problem) -> str:
    return " ".join(errors.text(issue, request.state.language) for issue in problem.issues)


def routes() -> list[BaseRoute]:
    """The addresses of books and settlements."""
    return [
        web.route(BOOKS, books, permission=RECONCILE), web.route(SETTLEMENTS, overview, permission=RECONCILE),
        web.route(SETTLEMENTS, settle, permission=RECONCILE, methods=["POST"]),
        web.route(f"{SETTLEMENTS}/{{id}}/transferred", transferred, permission=RECONCILE, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """Books and settlements."""
    return [
        web.MenuEntry("payments.books.menu", BOOKS, icon="book", order=44, about="payments.books.about"),
        web.MenuEntry("payments.settlements.menu", SETTLEMENTS, icon="hospital", order=45, about="payments.settlements.about"),
    ]
