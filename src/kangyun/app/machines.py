"""The way of machines' requests to their endpoint: short, because the FHIR API is measured in microseconds.

Starlette's router, middleware and error layers cost more than a read of the record (measured: 0.35 of 0.5 ms). What
they did for us is done here in one place: find the route, pass the gate, answer refusals, count, log what failed.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from kangyun.base.errors import Problem, refuse
from kangyun.base.metrics import REQUESTS, SECONDS
from kangyun.base.web.headers import ENCRYPTED
from kangyun.base.web.routing import Endpoint, GuardedRoute, GuardedSocket
from kangyun.commons.access import Handle

log = structlog.get_logger()

Enter = Callable[[Request, GuardedRoute | GuardedSocket], Awaitable[Handle]]
Tell = Callable[[Request, Exception], Awaitable[Response]]
# Sees a posted bundle and its answer after that was sent; must return at once and not raise.
Watch = Callable[[Request, Response], None]

_SLOW = 1.0
_BUNDLES = {"/fhir", "/fhir/"}
_MARKS = {"$", "_"}
# The API needs no content policy but the strictest: nothing of it is ever a page, and nothing of it may be kept on the way.
_GUARDS = [
    (b"x-content-type-options", b"nosniff"), (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
_ENCRYPTED = [*_GUARDS, (ENCRYPTED[0].encode(), ENCRYPTED[1].encode())]
_run = os.urandom(4).hex()
_numbers = itertools.count(1)


async def settled(handle: Handle, permission: str, endpoint: Endpoint, request: Request) -> Response:
    """The endpoint's answer, after it is written down durably who saw what."""
    try:
        response = await endpoint(request)
    except Problem as problem:
        await handle.settle("refused" if problem.status in {401, 403} else "failed", permission)
        raise
    except Exception:
        await handle.settle("failed", permission)
        raise
    await handle.settle("ok", permission)
    return response


@dataclass(frozen=True, slots=True)
class _Place:
    """One address: what its segments begin with, the parameters that take the rest, and what each method does there."""

    template: str
    segments: tuple[tuple[str, str | None], ...]
    methods: Mapping[str, GuardedRoute]

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """The path parameters when the address is this one."""
        found: dict[str, str] = {}
        for (start, name), part in zip(self.segments, parts, strict=True):
            if name is None:
                if start != part:
                    return None
            elif len(part) > len(start) and part.startswith(start):
                found[name] = part[len(start):]
            else:
                return None
        return found


class Machines:
    """The ASGI application of everything under /fhir."""

    def __init__(self, routes: Iterable[GuardedRoute], application: Any, enter: Enter, tell: Tell, watch: Iterable[Watch] = ()) -> None:
        self._places = _places(routes)
        self._application = application
        self._enter = enter
        self._tell = tell
        self._watch = tuple(watch)
        self._meters: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        began = time.perf_counter()
        number = f"{_run}-{next(_numbers):x}"
        bind_contextvars(request=number)
        scope["app"] = self._application
        scope["state"] = {"request_id": number}
        request = Request(scope, receive)
        try:
            response = await self._answer(scope, request)
        except Exception as error:  # noqa: BLE001 - nothing that an endpoint raises may end the connection
            response = await self._tell(request, error)
            if response.status_code == 405:
                response.headers["allow"] = _allowed(scope.get("route"))
        response.raw_headers.append((b"x-request-id", number.encode()))
        response.raw_headers.extend(_ENCRYPTED if scope["scheme"] == "https" else _GUARDS)
        await response(scope, receive, send)
        self._count(scope, response.status_code, time.perf_counter() - began)
        if scope["path"] in _BUNDLES and scope["method"] == "POST":
            for watch in self._watch:
                watch(request, response)

    async def _answer(self, scope: Scope, request: Request) -> Response:
        parts = scope["path"].split("/")[1:]
        method: str = scope["method"]
        place, parameters = self._find(parts, method)
        route = place.methods.get("GET" if method == "HEAD" else method)
        scope["route"] = place
        if route is None:
            raise refuse(405, "not-supported", "base.method-not-allowed", method=method[:16])
        scope["path_params"] = parameters
        handle = await self._enter(request, route)
        return await settled(handle, route.permission, route.endpoint, request)

    def _find(self, parts: list[str], method: str) -> tuple[_Place, dict[str, str]]:
        other: tuple[_Place, dict[str, str]] | None = None
        wanted = "GET" if method == "HEAD" else method
        for place in self._places.get((len(parts), parts[-1][:1] in _MARKS), ()):
            found = place.match(parts)
            if found is not None:
                if wanted in place.methods:
                    return place, found
                other = other or (place, found)
        if other is None:
            raise refuse(404, "not-found", "base.not-found")
        return other

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        place: _Place | None = scope.get("route")
        template = place.template if place else "unmatched"
        key = (scope["method"], template, status)
        meters = self._meters.get(key)
        if meters is None:
            method = key[0] if key[0] in {"GET", "POST", "PUT", "DELETE", "HEAD"} else "OTHER"
            meters = (SECONDS.labels(method, template), REQUESTS.labels(method, template, str(status)))
            if method != "OTHER":
                self._meters[key] = meters
        meters[0].observe(seconds)
        meters[1].inc()
        if status >= 500 or seconds > _SLOW:
            log.info("http.request", method=key[0][:16], route=template, status=status, ms=round(seconds * 1000, 1))


def _allowed(place: _Place | None) -> str:
    methods = set(place.methods) if place else set[str]()
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set[str]())))


def _places(routes: Iterable[GuardedRoute]) -> dict[tuple[int, bool], list[_Place]]:
    """All addresses by their number of segments and whether the last is marked ($match, _history), in the order of the routes."""
    found: dict[str, dict[str, GuardedRoute]] = {}
    for route in routes:
        methods = found.setdefault(route.path, {})
        for method in route.methods or ():
            methods.setdefault(method, route)
    places: dict[tuple[int, bool], list[_Place]] = {}
    for template, methods in found.items():
        segments = tuple(_segment(part) for part in template.split("/")[1:])
        start, name = segments[-1]
        # A parameter takes any segment, a marked one too, unless it is known as something else further up the list.
        for marked in {True, False} if name and not start else {start[:1] in _MARKS}:
            places.setdefault((len(segments), marked), []).append(_Place(template, segments, methods))
    for alike in places.values():
        # A room's own operation, such as Patient/$match, comes before the addresses that any type has.
        alike.sort(key=lambda place: sum(name is not None for _, name in place.segments))
    return places


def _segment(text: str) -> tuple[str, str | None]:
    """What a segment begins with, and the name of the parameter that takes the rest of it."""
    start, _, name = text.partition("{")
    return start, name.removesuffix("}") or None
