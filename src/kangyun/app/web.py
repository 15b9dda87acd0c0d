"""The web application: all routes of all rooms behind the gate, machines' API and people's pages side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from kangyun.app.rooms import doors
from kangyun.app.services import Services
from kangyun.base import errors, health, logs, metrics, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.web.routing import GuardedRoute
from kangyun.commons.access.decisions import actor_at, may_enter

log = structlog.get_logger()

Endpoint = Callable[[Request], Awaitable[Response]]


def build(services: Services, checks: Mapping[str, health.Check]) -> ASGIApp:
    """The whole application; raises ValueError for a route that names no permission."""
    routes = [*_own_routes(checks), *web.routes(), *_room_routes()]
    guarded = [_guarded(services, entry) for entry in routes]
    machines = [entry for entry in guarded if entry.path.startswith("/fhir")]
    people = [entry for entry in guarded if not entry.path.startswith("/fhir")]
    inner = [Middleware(logs.RequestLog), Middleware(metrics.HttpMetrics)]
    return _ByAddress(
        _application(services, machines, inner),
        _application(services, people, [*inner, *web.middleware()]),
    )


def route_table() -> list[GuardedRoute]:
    """Every route of the platform, for the house tests and the reference."""
    return [_checked(entry) for entry in [*_own_routes({}), *web.routes(), *_room_routes()]]


class _ByAddress:
    """The API goes past what only pages need: cookies, languages, content policies."""

    def __init__(self, machines: ASGIApp, people: ASGIApp) -> None:
        self.machines = machines
        self.people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/fhir"):
            await self.machines(scope, receive, send)
        else:
            await self.people(scope, receive, send)


def _own_routes(checks: Mapping[str, health.Check]) -> list[GuardedRoute]:
    return [
        web.route("/health/live", health.live, permission=web.PUBLIC),
        web.route("/health/ready", health.ready(checks), permission=web.PUBLIC),
        web.route("/metrics", metrics.show, permission="operations.metrics"),
    ]


def _room_routes() -> list[BaseRoute]:
    return [entry for door in ("api", "pages") for module in doors(door) for entry in module.routes()]


def _menu() -> list[web.MenuEntry]:
    return [entry for module in doors("pages") if hasattr(module, "menu") for entry in module.menu()]


def _checked(entry: BaseRoute) -> GuardedRoute:
    if not isinstance(entry, GuardedRoute):
        raise ValueError(f"a route names no permission: {getattr(entry, 'path', entry)}")
    return entry


def _guarded(services: Services, entry: BaseRoute) -> GuardedRoute:
    """The same route with the gate in front of its endpoint."""
    known = _checked(entry)
    methods = sorted(known.methods or {"GET"})
    return web.route(known.path, _gate(services, known), permission=known.permission, methods=methods, name=known.name)


def _gate(services: Services, entry: GuardedRoute) -> Endpoint:
    settings, endpoint, permission = services.settings, entry.endpoint, entry.permission

    async def pass_gate(request: Request) -> Response:
        client = request.client
        actor = actor_at(client.host if client else None, settings.access_local_role, settings.access_network_role)
        if not may_enter(actor.role, permission):
            key = "base.unauthenticated" if actor.role == "anonymous" else "base.forbidden"
            raise refuse(401 if actor.role == "anonymous" else 403, "forbidden", key)
        request.state.handle = services.gate.open(actor, "care")
        return await endpoint(request)

    return pass_gate


def _application(services: Services, routes: Iterable[GuardedRoute], middleware: list[Middleware]) -> Starlette:
    handlers: dict[Any, Any] = {Problem: _on_problem, HTTPException: _on_http, Exception: _on_bug}
    app = Starlette(routes=list(routes), middleware=middleware, exception_handlers=handlers)
    app.state.settings = services.settings
    app.state.services = services
    app.state.shell = web.shell(_menu(), search="/clinician/")
    return app


async def _on_problem(request: Request, error: Problem) -> Response:
    if web.wants_page(request):
        return await web.on_problem(request, error)
    return _outcome(error, request)


async def _on_http(request: Request, error: HTTPException) -> Response:
    if web.wants_page(request):
        return await web.on_http_exception(request, error)
    method = request.method[:16]
    problem = refuse(405, "not-supported", "base.method-not-allowed", method=method) if error.status_code == 405 \
        else refuse(404, "not-found", "base.not-found")  # noqa: PLR2004 - HTTP
    return _outcome(problem, request, error.headers)


async def _on_bug(request: Request, error: Exception) -> Response:
    """Whatever nobody expected: the log gets the place, the person a number, nobody the data."""
    number = web.new_number()
    log.error("http.bug", number=number, exc_info=error)
    if web.wants_page(request):
        return web.error_page(request, 500, number=number)
    return _outcome(refuse(500, "exception", "base.internal", number=number), request)


def _outcome(problem: Problem, request: Request, headers: Mapping[str, str] | None = None) -> Response:
    content = fhir_json.dumps(errors.operation_outcome(problem, _language(request)))
    return Response(content, problem.status, headers=headers, media_type="application/fhir+json; charset=utf-8")


def _language(request: Request) -> str:
    return "en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh"
