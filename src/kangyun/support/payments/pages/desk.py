"""The clerk's pages: the institution's orders, what residents ask back, giving back whole or in part."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, lifecycles, money, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle
from kangyun.support.payments import actions
from kangyun.support.payments.actions.standing import MANAGE, RECONCILE, case
from kangyun.support.payments.decisions.orders import amount, refundable
from kangyun.support.payments.model import PACKAGE
from kangyun.support.payments.queries import orders_of_institution, payments_of, refunds_asked, refunds_of
from kangyun.support.payments.queries.ledger import settlements

HOME = "/payments/desk"
_STATES = ("open", "paying", "paid", "refunded", "cancelled", "expired", "outdated")


async def desk(request: Request) -> Response:
    """The institution's orders by number or state, and the refunds that wait for a decision."""
    return await _desk(request)


async def _desk(request: Request, problem: Problem | None = None, remark: tuple[str, str] = ("", "")) -> Response:
    """The desk; `remark` is the refund whose decision was refused, and what was written there."""
    handle = request.state.handle
    institution = _whose(handle)
    state, number = request.query_params.get("state", ""), request.query_params.get("number", "").strip().upper()[:40]
    state = state if state in _STATES else ""
    async with handle.connection() as connection:
        found = await orders_of_institution(connection, institution, state, number)
        asked = await refunds_asked(connection, institution)
        settled = await settlements(connection, institution) if institution else []
    return web.render(
        request, "payments/desk.html", status=problem.status if problem else 200, refused=_told(request, problem) if problem else "", remark=remark, found=found, asked=asked, settled=settled[:10], states=_STATES, state=state, number=number, shown=money.shown,
        instant=clock.instant)


def _whose(handle: Handle) -> str:
    """The institution whose money the caller looks after; empty: that of all, for the region's finance clerk."""
    institution = handle.actor.institution
    if handle.may(RECONCILE):
        return ""
    if not institution:
        raise refuse(403, "forbidden", "base.forbidden")
    return institution


async def order(request: Request) -> Response:
    """One order with its payments and refunds."""
    return await _page(request)


async def _page(request: Request, refused: str = "", status: int = 200) -> Response:
    handle = request.state.handle
    found = (await case(handle, request.path_params["id"], "clerk")).order
    async with handle.connection() as connection:
        paid, refunds = await payments_of(connection, found.id), await refunds_of(connection, found.id)
    return web.render(
        request, "payments/desk_order.html", status=status, one=found, payments=paid, refunds=refunds, refused=refused, left=refundable(found),
        may=lifecycles.load(PACKAGE).may(found.state, "clerk"), key=secrets.token_hex(12), shown=money.shown, plain=money.plain, amount=amount,
        instant=clock.instant)


async def refund(request: Request) -> Response:
    """Give back a part or all of an order."""
    form = await web.posted(request)
    try:
        fen = money.parse(str(form.get("amount", "")))
        await actions.refund(request.state.handle, request.path_params["id"], fen, f"desk/{form.get('key', '')}", str(form.get("reason", "")))
    except ValueError:
        return await _refused(request, refuse(422, "value", "payments.wrong-amount", "amount"))
    except Problem as problem:
        return await _refused(request, problem)
    return RedirectResponse(f"{HOME}/orders/{request.path_params['id']}", 303)


async def _refused(request: Request, problem: Problem) -> Response:
    if problem.status == 404:
        raise problem
    return await _page(request, _told(request, problem), problem.status)


def _told(request: Request, problem: Problem) -> str:
    return " ".join(errors.text(issue, request.state.language) for issue in problem.issues)


async def cancel(request: Request) -> Response:
    """Cancel an order that is not paid."""
    await web.posted(request)
    try:
        await actions.cancel(request.app.state.services, request.state.handle, request.path_params["id"])
    except Problem as problem:
        return await _refused(request, problem)
    return RedirectResponse(f"{HOME}/orders/{request.path_params['id']}", 303)


async def judge(request: Request) -> Response:
    """Grant or decline what a resident has asked for."""
    form = await web.posted(request)
    refund_id, reason = request.path_params["refund"], str(form.get("reason", ""))
    await case(request.state.handle, str(form.get("order", "")), "clerk")
    try:
        await actions.judge(request.state.handle, refund_id, grant=form.get("verdict") == "grant", reason=reason)
    except Problem as problem:
        if problem.status == 404:
            raise
        return await _desk(request, problem, (refund_id, reason[:200]))
    return RedirectResponse(HOME, 303)


def routes() -> list[BaseRoute]:
    """The clerk's addresses."""
    return [
        web.route(HOME, desk, permission=MANAGE), web.route(f"{HOME}/orders/{{id}}", order, permission=MANAGE),
        web.route(f"{HOME}/orders/{{id}}/refund", refund, permission=MANAGE, methods=["POST"]),
        web.route(f"{HOME}/orders/{{id}}/cancel", cancel, permission=MANAGE, methods=["POST"]),
        web.route(f"{HOME}/refunds/{{refund}}", judge, permission=MANAGE, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The clerk's desk."""
    return [web.MenuEntry("payments.desk.menu", HOME, icon="card", order=42, about="payments.desk.about")]
