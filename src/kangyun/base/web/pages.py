"""The pages of the shell itself: preferences, the offline page, the service worker and the errors people see."""

from __future__ import annotations

import json
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
from kangyun.base.web.menu import shell_of
from kangyun.base.web.preferences import COOKIES, cookie
from kangyun.base.web.redirects import local_path
from kangyun.base.web.routing import PUBLIC, route
from kangyun.base.web.templates import render
from kangyun.base.web.texts import translate

# As --paper and --accent in tokens.css, for the moment before any style sheet is there.
_PAPER, _TEAL = "#f5f8f8", "#0b7671"
_DESIGNED = {400, 401, 403, 404, 405, 409, 412, 429, 503}


async def set_preferences(request: Request) -> Response:
    """Keep language, theme or text size as chosen, then return to the page the person came from."""
    form = await posted(request)
    response = RedirectResponse(local_path(str(form.get("next", "/"))), status_code=303)
    for name, allowed in COOKIES.items():
        if form.get(name) in allowed:
            response.headers.append("set-cookie", cookie(name, str(form[name])))
    return response


async def start(request: Request) -> Response:
    """Show the start page: a tile for every place that is open to the caller, and to administrators the addresses for machines.

    Who has a home of the own, as residents have, is led there.
    """
    handle = getattr(request.state, "handle", None)
    home = shell_of(request).home(handle.actor.role) if handle is not None else "/"
    if home != "/":
        return RedirectResponse(home, status_code=303, headers={"cache-control": "no-store"})
    return render(request, "start.html", machines=handle is None or handle.may("operations.metrics"))


async def offline(request: Request) -> Response:
    """Show the page that the service worker keeps for moments without a network."""
    return render(request, "error.html", kind="offline", number=None, detail=None, posted=False)


async def service_worker(request: Request) -> Response:
    """Serve the worker from the root, since a worker's scope is its own folder.

    It is the same in every language: a browser that gets another one while a page is on its way may wait for ever.
    """
    del request
    body = asset("service-worker.js").body.decode()
    files = ", ".join(f'"{asset_url(name)}"' for name in ("vendor/tabler.min.css", "tokens.css", "shell.css", "components.css", "icons.svg"))
    script = body.replace("/* FILES */", files)
    return Response(script, media_type="text/javascript", headers={"cache-control": "no-cache"})


async def manifest(request: Request) -> Response:
    """Tell a phone how to install us as an app: name in the reader's language, icons, where it begins."""
    language = request.state.language
    pictures = (("icon-192.png", "192x192", "any"), ("icon-512.png", "512x512", "any"), ("icon-maskable.png", "512x512", "maskable"))
    told = {
        "id": "/", "name": f"{translate(language, 'shell.name')} {shell_of(request).region[language]}", "short_name": translate(language, "shell.name"),
        "lang": "zh-Hans" if language == "zh" else "en", "start_url": "/", "scope": "/", "display": "standalone",
        "background_color": _PAPER, "theme_color": _TEAL,
        "icons": [{"src": asset_url(name), "sizes": size, "type": "image/png", "purpose": purpose} for name, size, purpose in pictures],
    }
    headers = {"cache-control": "no-cache", "vary": "cookie, accept-language"}
    return Response(json.dumps(told, ensure_ascii=False), media_type="application/manifest+json", headers=headers)


async def favicon(_request: Request) -> Response:
    """Serve our mark where browsers ask for it by themselves, as they do beside plain FHIR answers."""
    return Response(asset("mark.svg").body, media_type="image/svg+xml", headers={"cache-control": "public, max-age=86400"})


def wants_page(request: Request) -> bool:
    """Say whether the caller is a person's browser and not a machine."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/fhir")


def error_page(request: Request, status: int, *, kind: str = "", number: str | None = None, detail: str | None = None) -> Response:
    """Show what happened, what to do, and a ``number`` to quote; ``detail`` is already in the person's language.

    Whoever has sent a form is led back to it: there is nothing to be had at its address, and what was typed still stands there.
    """
    kind = kind or (str(status) if status in _DESIGNED else "500" if status >= 500 else "400")
    # A part of a page that cannot be had is told in a word beside the page, instead of a whole page in its place.
    block = "words" if "hx-request" in request.headers else None
    response = render(
        request, "error.html", block=block, status=status, kind=kind, number=number or new_number(), detail=detail, posted=request.method == "POST")
    response.headers["x-problem"] = kind
    return response


def new_number() -> str:
    """Make a number that is short enough to read out on the telephone."""
    return f"{secrets.randbelow(10**8):08d}"


async def on_problem(request: Request, problem: Exception) -> Response:
    """Show an expected refusal as a page."""
    refused = problem if isinstance(problem, errors.Problem) else errors.Problem(500)
    detail = " ".join(errors.text(issue, request.state.language) for issue in refused.issues)
    kind = "form" if any(issue.key == "web.form-expired" for issue in refused.issues) else ""
    response = error_page(request, refused.status, kind=kind, detail=detail or None)
    response.headers.update(refused.headers)
    return response


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
        route("/manifest.webmanifest", manifest, permission=PUBLIC),
        route("/favicon.ico", favicon, permission=PUBLIC),
        route("/service-worker.js", service_worker, permission=PUBLIC),
    ]
