"""The pages of the shell itself: preferences, the offline page, the service worker and the errors people see."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors
from kangyun.base.web.assets import asset, asset_url, serve_asset
from kangyun.base.web.forms import posted
from kangyun.base.web.preferences import COOKIES, cookie
from kangyun.base.web.routing import PUBLIC, route
from kangyun.base.web.templates import render

_DESIGNED = {400, 401, 403, 404, 405, 409, 412, 503}


async def set_preferences(request: Request) -> Response:
    """Keep language, theme or text size as chosen, then return to the page the person came from."""
    form = await posted(request)
    response = RedirectResponse(_own_address(str(form.get("next", "/"))), status_code=303)
    for name, allowed in COOKIES.items():
        if form.get(name) in allowed:
            response.headers.append("set-cookie", cookie(name, str(form[name])))
    return response


def _own_address(target: str) -> str:
    """Keep only a path of this site, so that the form cannot send people elsewhere."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


async def start(request: Request) -> Response:
    """Show the start page: a tile for every place of the menu, and the addresses for machines."""
    return render(request, "start.html")


async def offline(request: Request) -> Response:
    """Show the page that the service worker keeps for moments without a network."""
    return render(request, "error.html", kind="offline", number=None, detail=None)


async def service_worker(_request: Request) -> Response:
    """Serve the worker from the root, since a worker's scope is its own folder."""
    body = asset("service-worker.js").body.decode()
    files = ", ".join(f'"{asset_url(name)}"' for name in ("vendor/tabler.min.css", "tokens.css", "shell.css", "components.css", "icons.svg"))
    script = body.replace("/* FILES */", files)
    return Response(script, media_type="text/javascript", headers={"cache-control": "no-cache"})


async def favicon(_request: Request) -> Response:
    """Serve our mark where browsers ask for it by themselves, as they do beside plain FHIR answers."""
    return Response(asset("mark.svg").body, media_type="image/svg+xml", headers={"cache-control": "public, max-age=86400"})


def wants_page(request: Request) -> bool:
    """Say whether the caller is a person's browser and not a machine."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/fhir")


def error_page(request: Request, status: int, *, number: str | None = None, detail: str | None = None) -> Response:
    """Show what happened, what to do, and a ``number`` to quote; ``detail`` is already in the person's language."""
    kind = str(status) if status in _DESIGNED else "500" if status >= 500 else "400"
    return render(request, "error.html", status=status, kind=kind, number=number or new_number(), detail=detail)


def new_number() -> str:
    """Make a number that is short enough to read out on the telephone."""
    return f"{secrets.randbelow(10**8):08d}"


async def on_problem(request: Request, problem: Exception) -> Response:
    """Show an expected refusal as a page."""
    refused = problem if isinstance(problem, errors.Problem) else errors.Problem(500)
    detail = " ".join(errors.text(issue, request.state.language) for issue in refused.issues)
    return error_page(request, refused.status, detail=detail or None)


async def on_http_exception(request: Request, problem: Exception) -> Response:
    """Show what Starlette itself refuses (no such address, method not allowed) as a page."""
    return error_page(request, problem.status_code if isinstance(problem, HTTPException) else 500)


Handler = Callable[[Request, Exception], Awaitable[Response]]


def exception_handlers() -> dict[Any, Handler]:
    """Return handlers for an app that serves pages only; the real app asks ``wants_page`` first."""
    return {errors.Problem: on_problem, HTTPException: on_http_exception}


def routes() -> list[BaseRoute]:
    """Return the addresses of the shell."""
    return [
        route("/", start, permission=PUBLIC),
        route("/static/{digest}/{name:path}", serve_asset, permission=PUBLIC),
        route("/preferences", set_preferences, permission=PUBLIC, methods=["POST"]),
        route("/offline", offline, permission=PUBLIC),
        route("/favicon.ico", favicon, permission=PUBLIC),
        route("/service-worker.js", service_worker, permission=PUBLIC),
    ]
