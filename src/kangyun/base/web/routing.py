"""Every address names the permission it needs; an address without one cannot be built."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

Endpoint = Callable[[Request], Awaitable[Response]]
SocketEndpoint = Callable[[WebSocket], Awaitable[None]]

PUBLIC = "web.public"
"""The permission of pages that show nothing about anybody: static files, preferences, the offline page."""

_PERMISSION = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_-]*")


class GuardedRoute(Route):
    """A Starlette route that carries ``permission`` for the gate and for the house test, and its ``limit``."""

    def __init__(
        self, path: str, endpoint: Endpoint, *, permission: str, methods: Sequence[str], name: str | None, limit: str | None,
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods), name=name)
        self.permission = permission
        self.limit = limit


class GuardedSocket(WebSocketRoute):
    """A Starlette WebSocket route that carries ``permission`` for the gate and for the house test."""

    def __init__(self, path: str, endpoint: SocketEndpoint, *, permission: str) -> None:
        super().__init__(path, endpoint)
        self.permission = permission


def route(
    path: str,
    endpoint: Endpoint,
    *,
    permission: str,
    methods: Sequence[str] = ("GET",),
    name: str | None = None,
    limit: str | None = None,
) -> GuardedRoute:
    """Build a route that needs ``permission``, written ``room.verb``.

    ``limit`` is a kind of request in base/limits/rules/rates.yaml: whoever asks too often is answered 429.
    Raises ``ValueError`` when the permission is missing or not of that shape.
    """
    if not _PERMISSION.fullmatch(permission):
        raise ValueError(f"The route {path} must name a permission such as 'clinician.read', not {permission!r}.")
    return GuardedRoute(path, endpoint, permission=permission, methods=methods, name=name, limit=limit)


def socket(path: str, endpoint: SocketEndpoint, *, permission: str) -> GuardedSocket:
    """Build a WebSocket that needs ``permission``; the endpoint finds the handle at ``socket.state.handle``.

    A connection outlives what let it in, so ``await socket.state.again()`` asks the gate once more: a handle, or Problem
    401 or 403 when the caller has logged out or may no longer. Another site's page is refused before the endpoint runs.
    Raises ``ValueError`` as ``route`` does.
    """
    if not _PERMISSION.fullmatch(permission):
        raise ValueError(f"The socket {path} must name a permission such as 'clinician.read', not {permission!r}.")
    return GuardedSocket(path, endpoint, permission=permission)


def permission_of(entry: object) -> str | None:
    """Return the permission of a route, or ``None`` where there is none and the app must refuse to start."""
    return getattr(entry, "permission", None)
