"""The web application: all routes of all rooms behind the gate, machines' API and people's pages side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from kangyun.app.machines import Machines
from kangyun.app.rooms import doors
from kangyun.app.services import Services
from kangyun.base import errors, health, logs, metrics, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.web.preferences import negotiate
from kangyun.base.web.routing import GuardedRoute
from kangyun.commons.access.decisions import actor_at, may_enter
from kangyun.commons.records.api import offered

log = structlog.get_logger()

_FORWARDED = {b"x-forwarded-for", b"forwarded"}


def build(services: Services, checks: Mapping[str, health.Check]) -> ASGIApp:
    """The whole application; raises TypeError for a route that names no permission."""
    routes = [_checked(entry) for entry in [*_own_routes(checks), *web.routes(), *_room_routes()]]
    enter = _gate(services)
    people = _people(services, [_guarded(enter, entry) for entry in routes if not _for_machines(entry)])
    machines = [entry for entry in routes if _for_machines(entry)]
    people.state.operations = offered(entry.path for entry in machines)
    watch = [module.watch(services) for module in doors("api") if hasattr(module, "watch")]
    return _ByAddress(Machines(machines, people, enter, _tell, watch), people)


def _for_machines(entry: GuardedRoute) -> bool:
    return entry.path == "/fhir" or entry.path.startswith("/fhir/")


def route_table() -> list[GuardedRoute]:
    """Every route of the platform, for the house tests and the reference."""
    return [_checked(entry) for entry in [*_own_routes({}), *web.routes(), *_room_routes()]]


class _ByAddress:
    """The API goes past what only pages need: cookies, languages, content policies."""

    def __init__(self, machines: ASGIApp, people: ASGIApp) -> None:
        self.machines = machines
        self.people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"] == "/fhir" or scope["path"].startswith("/fhir/")):
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
        raise TypeError(f"a route names no permission: {getattr(entry, 'path', entry)}")
    return entry


def _gate(services: Services) -> Callable[[Request, str], None]:
    settings = services.settings

    def enter(request: Request, permission: str) -> None:
        """Let the request in with a handle, or raise Problem 401 or 403."""
        actor = actor_at(_caller(request), settings.access_local_role, settings.access_network_role)
        if not may_enter(actor.role, permission):
            known = actor.role != "anonymous"
            raise refuse(403 if known else 401, "forbidden", "base.forbidden" if known else "base.unauthenticated")
        request.state.handle = services.gate.open(actor, "care")

    return enter


def _caller(request: Request) -> str:
    """The caller's address; what a proxy on this machine passes on is not a caller on this machine."""
    client = request.scope.get("client")
    if client is None or not _FORWARDED.isdisjoint(name for name, _ in request.scope["headers"]):
        return "unknown"
    return client[0]


def _guarded(enter: Callable[[Request, str], None], entry: GuardedRoute) -> GuardedRoute:
    """The same route with the gate in front of its endpoint."""
    endpoint, permission = entry.endpoint, entry.permission

    async def pass_gate(request: Request) -> Response:
        enter(request, permission)
        return await endpoint(request)

    methods = sorted(entry.methods or {"GET"})
    return web.route(entry.path, pass_gate, permission=permission, methods=methods, name=entry.name)


def _people(services: Services, routes: list[GuardedRoute]) -> Starlette:
    handlers: dict[Any, Any] = {Problem: _on_problem, HTTPException: _on_http, Exception: _on_bug}
    middleware = [Middleware(logs.RequestLog), Middleware(metrics.HttpMetrics), *web.middleware()]
    app = Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)
    app.state.settings = services.settings
    app.state.services = services
    app.state.shell = web.shell(_menu(), search="/clinician/")
    return app


async def _tell(request: Request, error: Exception) -> Response:
    """What a machine is answered when an endpoint raised."""
    return _outcome(error, request) if isinstance(error, Problem) else await _on_bug(request, error)


async def _on_problem(request: Request, error: Problem) -> Response:
    if web.wants_page(request):
        return await web.on_problem(request, error)
    return _outcome(error, request)


async def _on_http(request: Request, error: HTTPException) -> Response:
    if web.wants_page(request):
        return await web.on_http_exception(request, error)
    method = request.method[:16]
    problem = refuse(405, "not-supported", "base.method-not-allowed", method=method) if error.status_code == 405 \
        else refuse(404, "not-found", "base.not-found")
    return _outcome(problem, request, error.headers)


async def _on_bug(request: Request, error: Exception) -> Response:
    """Whatever nobody expected: the log gets the place, the person a number, nobody the data."""
    number = web.new_number()
    log.error("http.bug", number=number, exc_info=error)
    if web.wants_page(request):
        return web.error_page(request, 500, number=number)
    return _outcome(refuse(500, "exception", "base.internal", number=number), request)


def _outcome(problem: Problem, request: Request, headers: Mapping[str, str] | None = None) -> Response:
    content = fhir_json.dumps(errors.operation_outcome(problem, negotiate(request.headers.get("accept-language", ""))))
    return Response(content, problem.status, headers=headers, media_type="application/fhir+json; charset=utf-8")
