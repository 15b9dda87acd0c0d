"""The resident's pages: my orders, one order, choose a channel, pay, ask for money back.

They work without scripts and with a bad network: what was begun goes on when the page is opened again, and the button that
asks again asks the channel itself.
"""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, lifecycles, money, web
from kangyun.base.errors import Problem, refuse
from kangyun.support.payments import actions
from kangyun.support.payments.actions.standing import PAY, case
from kangyun.support.payments.decisions.orders import amount, refundable
from kangyun.support.payments.gateways.channels import channels
from kangyun.support.payments.model import PACKAGE, Order, Payment, Refund
from kangyun.support.payments.queries import orders_of_person, payments_of, refunds_of

HOME = "/payments"
_ORDER = f"{HOME}/orders"


async def orders(request: Request) -> Response:
    """My orders, the newest first; what waits to be paid stands above."""
    handle = request.state.handle
    person = handle.actor.person
    async with handle.connection() as connection:
        found = await orders_of_person(connection, person) if person else []
    waiting = [one for one in found if one.state in {"open", "paying"}]
    return web.render(
        request, "payments/orders.html", waiting=waiting, rest=[one for one in found if one not in waiting], shown=money.shown, instant=clock.instant)


async def order(request: Request) -> Response:
    """One order. `?part=state` answers with what changes while one pays; `?back` asks the channel first."""
    if "back" in request.query_params:
        await actions.ask(request.app.state.services, request.state.handle, request.path_params["id"])
        return RedirectResponse(request.url.path, 303)
    return await _page(request)


async def _page(request: Request, refused: str = "", status: int = 200) -> Response:
    handle = request.state.handle
    found = (await case(handle, request.path_params["id"], "payer")).order
    async with handle.connection() as connection:
        under_way, refunds = await payments_of(connection, found.id), await refunds_of(connection, found.id)
    current = _current(found, under_way)
    whole = request.query_params.get("part") != "state"
    return web.render(
        request, "payments/order.html", block=None if whole else "state", status=status, one=found, current=current, refused=refused,
        may=_may(found, refunds), channels=list(channels(request.app.state.services.settings)), phone=_on_phone(request), refunds=[one for one in refunds if not one.excess],
        payer=next((one for one in under_way if one.state == "paid" and not one.excess), None), left=refundable(found), key=secrets.token_hex(12),
        code=web.qr(current.link) if current and current.scene == "desktop" else None, shown=money.shown, amount=amount, instant=clock.instant, plain=money.plain,
    )


def _current(order_: Order, under_way: list[Payment]) -> Payment | None:
    """The payment that waits for its payer."""
    if order_.state != "paying" or clock.now() >= order_.expires:
        return None
    return next((one for one in reversed(under_way) if one.state == "asked" and one.link), None)


def _may(order_: Order, refunds: list[Refund]) -> list[str]:
    events = lifecycles.load(PACKAGE).may(order_.state, "payer")
    over = clock.now() >= order_.expires
    asked = not refundable(order_) or any(one.state == "asked" for one in refunds)
    return [one for one in events if not (over and one == "pay") and not (asked and one == "ask-refund")]


def _on_phone(request: Request) -> bool:
    return "Mobi" in request.headers.get("user-agent", "")


async def pay(request: Request) -> Response:
    """Choose a channel; the order's page then shows what to open or to scan."""
    form = await web.posted(request)
    scene = "desktop" if form.get("scene") == "desktop" else "phone"
    address = request.client.host if request.client else ""
    try:
        total = money.parse(str(form.get("total", "")))
    except ValueError:
        raise refuse(422, "value", "payments.wrong-amount", "total") from None
    try:
        await actions.pay(
            request.app.state.services, request.state.handle, request.path_params["id"], str(form.get("channel", "")), scene, total_fen=total,
            address=address)
    except Problem as problem:
        return await _refused(request, problem)
    return _back(request)


async def _refused(request: Request, problem: Problem) -> Response:
    """The same page with the reason; what is another's stays what is not there."""
    if problem.status == 404:
        raise problem
    told = " ".join(errors.text(issue, request.state.language) for issue in problem.issues)
    return await _page(request, told, problem.status)


def _back(request: Request) -> Response:
    return RedirectResponse(f"{_ORDER}/{request.path_params['id']}", 303)


async def ask(request: Request) -> Response:
    """Ask the channel whether it was paid."""
    await web.posted(request)
    await actions.ask(request.app.state.services, request.state.handle, request.path_params["id"])
    return _back(request)


async def cancel(request: Request) -> Response:
    """Cancel an order that is not paid."""
    await web.posted(request)
    try:
        await actions.cancel(request.app.state.services, request.state.handle, request.path_params["id"])
    except Problem as problem:
        return await _refused(request, problem)
    return _back(request)


async def ask_refund(request: Request) -> Response:
    """Ask the institution for money back."""
    form: Any = await web.posted(request)
    try:
        fen = money.parse(str(form.get("amount", "")))
    except ValueError:
        return await _refused(request, refuse(422, "value", "payments.wrong-amount", "amount"))
    try:
        await actions.ask_refund(
            request.state.handle, request.path_params["id"], fen, f"page/{form.get('key', '')}", str(form.get("reason", "")))
    except Problem as problem:
        return await _refused(request, problem)
    return _back(request)


async def withdraw(request: Request) -> Response:
    """Take back what one has asked for."""
    await web.posted(request)
    judged = await actions.judge(request.state.handle, request.path_params["refund"], grant=False)
    return RedirectResponse(f"{_ORDER}/{judged.order}", 303)


def routes() -> list[BaseRoute]:
    """The resident's addresses."""
    return [
        web.route(HOME, orders, permission=PAY), web.route(f"{_ORDER}/{{id}}", order, permission=PAY),
        web.route(f"{_ORDER}/{{id}}/pay", pay, permission=PAY, methods=["POST"]),
        web.route(f"{_ORDER}/{{id}}/ask", ask, permission=PAY, methods=["POST"]),
        web.route(f"{_ORDER}/{{id}}/cancel", cancel, permission=PAY, methods=["POST"]),
        web.route(f"{_ORDER}/{{id}}/refund", ask_refund, permission=PAY, methods=["POST"]),
        web.route(f"{HOME}/refunds/{{refund}}/withdraw", withdraw, permission=PAY, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """My orders."""
    return [web.MenuEntry("payments.menu", HOME, icon="card", order=61, about="payments.menu.about", permission="resident.use")]
