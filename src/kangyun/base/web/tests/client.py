"""A small app of pages and a client for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kangyun.base import web


async def save(request: Request) -> Response:
    form = await web.posted(request)
    return PlainTextResponse(str(form.get("word")))


def small_app() -> Starlette:
    """The shell with one form behind it."""
    routes = [*web.routes(), web.route("/save", save, permission="web.write", methods=["POST"])]
    app = Starlette(routes=routes, middleware=web.middleware(), exception_handlers=web.exception_handlers())
    app.state.shell = web.shell([web.MenuEntry("web.start.fhir", "/save", "api")], search="/find")
    return app


@asynccontextmanager
async def client_of(app: Starlette, **headers: str) -> AsyncGenerator[httpx.AsyncClient]:
    """Speak to an app without a network."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client
