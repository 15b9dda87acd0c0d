"""A number that is held while its fee is paid: until when, how much, and on to the payment."""

from __future__ import annotations

from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, money, web
from kangyun.base.errors import Problem
from kangyun.base.web.display import CHINA
from kangyun.care.internet_hospital.actions import numbers, quoting
from kangyun.support import appointments

_HERE = "/consult/number/{id}"
_MINE = "/appointments/mine"


async def show(request: Request) -> Response:
    """Show what is held; what is not held any more stands among the bookings."""
    try:
        owed = await appointments.owed(request.state.handle, request.path_params["id"])
    except Problem as problem:
        if problem.status != 409:
            raise
        return RedirectResponse(f"{_MINE}#{request.path_params['id']}", 303)
    starts, until = owed.starts.astimezone(CHINA), owed.until.astimezone(CHINA)
    return web.render(
        request, "internet_hospital/number.html", owed=owed, fee=money.shown(owed.fen), starts=f"{starts:%H:%M}", until=f"{until:%H:%M}",
        left=ceil((owed.until - clock.now()).total_seconds() / 60))


async def pay(request: Request) -> Response:
    """Go on to the payment; again and again it is the same one."""
    await web.posted(request)
    try:
        order = await numbers.order_for(request.state.handle, request.path_params["id"])
    except Problem as problem:
        if problem.status != 409:
            raise
        return RedirectResponse(f"{_MINE}#{request.path_params['id']}", 303)
    return RedirectResponse(f"/payments/orders/{order.id}", 303)


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    return [web.route(_HERE, show, permission=quoting.PAY), web.route(_HERE, pay, permission=quoting.PAY, methods=["POST"])]


def menu() -> list[web.MenuEntry]:
    """It has no place of its own: bookings lead here."""
    return []
