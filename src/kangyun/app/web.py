"""The web application: all routes of all rooms behind the gate, machines' API and people's pages side by side."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from kangyun.app.limiting import caller_address, limited
from kangyun.app.machines import Enter, Machines, settled
from kangyun.app.origins import OtherOrigins
from kangyun.app.rooms import doors
from kangyun.app.services import Services
from kangyun.app.sockets import guarded as guarded_socket
from kangyun.base import errors, health, logs, metrics, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.limits import limits_of
from kangyun.base.web.headers import SecurityHeaders
from kangyun.base.web.plain import check_address
from kangyun.base.web.preferences import negotiate
from kangyun.base.web.routing import GuardedRoute, GuardedSocket
from kangyun.commons.access import SESSION_COOKIE, Actor, Handle, signed_in
from kangyun.commons.access.decisions import actor_at, may_enter, scopes
from kangyun.commons.access.decisions.policy import role_home, role_welcome
from kangyun.commons.exchange import holder, shown_key
from kangyun.commons.records.api import offered

log = structlog.get_logger()

# What RFC 6750 section 3.1 calls it when a token does not do.
_BEARER_ERRORS = {401: "invalid_token", 403: "insufficient_scope"}
_SAFE = {"GET", "HEAD", "OPTIONS"}
_UNATTENDED = "x-unattended"
# The addresses at which a sender's own key opens.
_RECEIVE = "exchange.receive"

def build(services: Services, checks: Mapping[str, health.Check]) -> ASGIApp:
    """The whole application; raises TypeError for a route that names no permission."""
    every = [_checked(entry) for entry in [*_own_routes(checks), *web.routes(), *_room_routes()]]
    routes = [entry for entry in every if isinstance(entry, GuardedRoute)]
    enter = _gate(services)
    sockets = [guarded_socket(enter, entry, services.settings.public_url) for entry in every if isinstance(entry, GuardedSocket)]
    people = _people(services, [_guarded(enter, entry) for entry in routes if not _for_machines(entry)], sockets)
    machines = [entry for entry in routes if _for_machines(entry)]
    people.state.operations = offered(entry.path for entry in machines)
    watch = [module.watch(services) for module in doors("api") if hasattr(module, "watch")]
    # Around everything, so that the page which tells of a bug is guarded too.
    guarded = SecurityHeaders(people, services.settings.public_url)
    return OtherOrigins(_ByAddress(Machines(machines, people, enter, _tell, watch), guarded), services.database)


def _for_machines(entry: GuardedRoute) -> bool:
    return entry.path == "/fhir" or entry.path.startswith("/fhir/")


def route_table() -> list[GuardedRoute]:
    """Every route of the platform, for the house tests and the reference."""
    every = [_checked(entry) for entry in [*_own_routes({}), *web.routes(), *_room_routes()]]
    return [entry for entry in every if isinstance(entry, GuardedRoute)]


def socket_table() -> list[GuardedSocket]:
    """Every WebSocket of the platform, for the house tests."""
    return [entry for entry in map(_checked, _room_routes()) if isinstance(entry, GuardedSocket)]


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


def _checked(entry: BaseRoute) -> GuardedRoute | GuardedSocket:
    if not isinstance(entry, GuardedRoute | GuardedSocket):
        raise TypeError(f"a route names no permission: {getattr(entry, 'path', entry)}")
    return entry


def _gate(services: Services) -> Enter:
    settings = services.settings
    count = limited(limits_of(services.database))

    async def enter(request: Request, entry: GuardedRoute | GuardedSocket) -> Handle:
        """Let the request in with a handle, or raise Problem 401, 403 or 429."""
        permission, address = entry.permission, caller_address(request.scope, settings.trusted_proxies)
        actor, bearer = await _shown(services, request, address)
        if actor is None and permission == _RECEIVE and (sender := await holder(services.database, shown_key(request.headers))):
            actor = Actor(f"sender/{sender}", "integration", purpose="operations", address=address)
        elif actor is None and bearer:
            # Who shows a token wants to be somebody: he must not be let in as whoever is at his address.
            raise refuse(401, "login", "base.token-unknown")
        actor = actor or actor_at(address, settings.access_local_role, settings.access_network_role)
        request.state.handle = handle = services.gate.open(actor)
        if not may_enter(actor.role, permission) or not (scopes.opens(actor.scopes, permission) or scopes.asks(actor.scopes, request.scope.get("method", ""), entry.path)):
            await handle.settle("refused", permission)
            known = actor.role != "anonymous"
            raise refuse(403 if known else 401, "forbidden" if known else "login", "base.forbidden" if known else "base.unauthenticated")
        if isinstance(entry, GuardedRoute):
            await count(request, entry, actor)
        return handle

    return enter


async def _shown(services: Services, request: Request, address: str) -> tuple[Actor | None, bool]:
    """Whose session or token the caller shows, None for none that is good; and whether it is a token."""
    secret, bearer = _secret(request)
    if not secret:
        return None, bearer
    # A page that is left open asks for its news by itself (base/web/static/shell.js).
    used = bearer or _UNATTENDED not in request.headers
    return services.entries.remembered(secret, address, used=used) or await services.entries.actor(secret, address, used=used), bearer


def _secret(request: Request) -> tuple[str, bool]:
    """What the caller shows: an access token (then True), or a browser's session, which opens pages only."""
    for name, value in request.scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip(), True
    if request.scope["path"].startswith("/fhir") or (request.method not in _SAFE and web.foreign(request)):
        # No other site can make a browser send a token; a cookie it can.
        return "", False
    return request.cookies.get(SESSION_COOKIE, ""), False


def _guarded(enter: Enter, entry: GuardedRoute) -> GuardedRoute:
    """The same route with the gate in front of its endpoint."""
    endpoint, permission = entry.endpoint, entry.permission

    async def pass_gate(request: Request) -> Response:
        check_address(request)
        handle = await enter(request, entry)
        request.state.login = await signed_in(request.app.state.services, handle.actor)
        return await settled(handle, permission, endpoint, request)

    methods = sorted(entry.methods or {"GET"})
    return web.route(entry.path, pass_gate, permission=permission, methods=methods, name=entry.name)


def _people(services: Services, routes: list[GuardedRoute], sockets: list[GuardedSocket]) -> Starlette:
    handlers: dict[Any, Any] = {Problem: _on_problem, HTTPException: _on_http, Exception: _on_bug}
    middleware = [Middleware(logs.RequestLog), Middleware(metrics.HttpMetrics), *web.middleware()]
    # The more of an address is said in words, the sooner it is tried: /pharmacy/scan is no number of a prescription.
    ordered = sorted([*_forms(routes), *routes], key=lambda entry: entry.path.count("{"))
    app = Starlette(routes=[*ordered, *sockets], middleware=middleware, exception_handlers=handlers)
    app.state.settings = services.settings
    app.state.services = services
    permissions = {entry.path: entry.permission for entry in routes if "GET" in (entry.methods or {"GET"})}
    app.state.shell = web.shell(_menu(), search="/clinician/", permissions=permissions, welcome=role_welcome, home=role_home)
    return app


async def _tell(request: Request, error: Exception) -> Response:
    """What a machine is answered when an endpoint raised."""
    return _outcome(error, request) if isinstance(error, Problem) else await _on_bug(request, error)


async def _on_problem(request: Request, error: Problem) -> Response:
    if web.wants_page(request):
        if error.status == 401 and request.method in {"GET", "HEAD"}:
            return _to_login(request)
        if hasattr(request.state, "handle"):
            request.state.login = await signed_in(request.app.state.services, request.state.handle.actor)
        return await web.on_problem(request, error)
    return _outcome(error, request)


async def _on_http(request: Request, error: HTTPException) -> Response:
    if web.wants_page(request):
        # The page that says what was not found needs nobody to be known, nor a database.
        with suppress(Problem):
            await _recognise(request)
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


def _to_login(request: Request) -> Response:
    """Where somebody who is nobody yet logs in, and comes back from."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/login?next={quote(request.url.path + query, safe='')}", 303, headers={"cache-control": "no-store"})


async def _recognise(request: Request) -> None:
    """At an address that does not exist nobody is let in; who is logged in has the menu there all the same."""
    services: Services = request.app.state.services
    address = caller_address(request.scope, services.settings.trusted_proxies)
    actor, _ = await _shown(services, request, address)
    actor = actor or actor_at(address, services.settings.access_local_role, services.settings.access_network_role)
    request.state.handle = services.gate.open(actor)
    request.state.login = await signed_in(services, actor)


def _forms(routes: list[GuardedRoute]) -> list[GuardedRoute]:
    """What a GET finds at each address that only takes a form."""
    shown = {entry.path for entry in routes if "GET" in (entry.methods or {"GET"})}
    only = {entry.path: entry for entry in routes if entry.path not in shown and "POST" in (entry.methods or set[str]())}
    return [web.route(path, _to_form, permission=web.PUBLIC, name=f"above-{entry.name}") for path, entry in only.items()]


async def _to_form(request: Request) -> Response:
    """The page above an address that only takes a form.

    A refused form is shown again at such an address; from there people change the language, log in anew or go to it once more.
    """
    if not web.wants_page(request):
        raise HTTPException(405, headers={"allow": "POST"})
    path = request.url.path.rstrip("/").rpartition("/")[0]
    while path and not _is_shown(request, path):
        path = path.rpartition("/")[0]
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse((path or "/") + query, 303, headers={"cache-control": "no-store"})


def _is_shown(request: Request, path: str) -> bool:
    scope = {**request.scope, "path": path, "method": "GET"}
    return any(getattr(route, "endpoint", None) is not _to_form and route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def _outcome(problem: Problem, request: Request, headers: Mapping[str, str] | None = None) -> Response:
    content = fhir_json.dumps(errors.operation_outcome(problem, negotiate(request.headers.get("accept-language", ""))))
    headers = {**(headers or {}), **problem.headers}
    shown = request.headers.get("authorization", "")[:7].lower() == "bearer "
    if problem.status == 401 or (problem.status == 403 and shown):
        headers |= {"www-authenticate": 'Bearer realm="kangyun"' + (f', error="{_BEARER_ERRORS[problem.status]}"' if shown else "")}
    return Response(content, problem.status, headers=headers, media_type="application/fhir+json; charset=utf-8")
