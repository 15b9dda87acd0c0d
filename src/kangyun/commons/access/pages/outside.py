"""The way to a hospital's directory and back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import outside
from kangyun.commons.access.decisions.accounts import local_path
from kangyun.commons.access.pages import login
from kangyun.commons.access.pages.entrance import address_of, onward, parts_of, step_of, told, visitor_of, with_step

_BACK = "/login/outside/return"


async def leave(request: Request) -> Response:
    """Send somebody to the directory."""
    target = local_path(request.query_params.get("next", "/"))
    try:
        secret, address = await outside.begin(
            parts_of(request), request.path_params["provider"], address_of(request) + _BACK, target)
    except Problem as problem:
        if problem.status != 503:
            raise
        return await login.page(request, target, status=503, staff_wrong=told(request, problem))
    return with_step(request, RedirectResponse(address, 303), secret)


async def come_back(request: Request) -> Response:
    """Take what the directory says of somebody."""
    answer = {name: request.query_params.get(name, "")[:2000] for name in ("code", "state", "error")}
    try:
        secret = await outside.finish(
            parts_of(request), step_of(request), address_of(request) + _BACK, answer, visitor_of(request))
    except Problem as problem:
        return await login.page(request, "/", status=problem.status, staff_wrong=told(request, problem))
    return await onward(request, secret)


def routes() -> list[BaseRoute]:
    """The addresses of the way there and back."""
    return [
        web.route(_BACK, come_back, permission=web.PUBLIC, limit="login"),
        web.route("/login/outside/{provider}", leave, permission=web.PUBLIC, limit="login"),
    ]
