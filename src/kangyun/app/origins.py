"""Which web pages of other sites may read our answers: those of registered apps, and only what an access token opens.

Browsers show a page of another site nothing of ours unless we say so (Fetch standard, CORS). Apps that run in a browser
need it for the token endpoint and the record's API. Cookies never count there: no answer allows credentials, and the
API asks for none, so another site gets nothing that the app's own token would not give it.
"""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kangyun.base.database import Database
from kangyun.commons.access.queries.clients import origins

_ANYBODYS = ("/.well-known/", "/fhir/.well-known/", "/fhir/metadata", "/oauth/jwks")
_APPS = ("/fhir", "/oauth/token", "/oauth/revoke", "/oauth/userinfo")
_KEPT = 10.0
_PAUSE = 0.5
_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type, accept, accept-language, if-match, if-none-match, if-none-exist, prefer"),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
]
_EXPOSED = "location, content-location, etag, last-modified, www-authenticate, x-request-id"


class OtherOrigins:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self._database = database
        self._known: set[str] = set()
        self._asked = -_KEPT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; one of our own pages names no origin that concerns us here."""
        origin = _header(scope, b"origin") if scope["type"] == "http" else ""
        allowed = await self._allowed(scope, origin) if origin else ""
        if not allowed:
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and _header(scope, b"access-control-request-method"):
            headers = [(b"access-control-allow-origin", allowed.encode()), (b"vary", b"origin"), *_PREFLIGHT]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.app(scope, receive, _telling(allowed, send))

    async def _allowed(self, scope: Scope, origin: str) -> str:
        """What the answer says about who may read it; '' for nothing."""
        path: str = scope["path"]
        if path.startswith(_ANYBODYS):
            return "*"
        concerns = any(path == one or path.startswith(f"{one}/") for one in _APPS)
        # Whoever is somebody by the address alone must not lend that to a page of another site.
        shown = scope["method"] == "OPTIONS" or path.startswith("/oauth/") or bool(_header(scope, b"authorization"))
        return origin if concerns and shown and await self._is_app(origin) else ""

    async def _is_app(self, origin: str) -> bool:
        age = time.monotonic() - self._asked
        if age > (_KEPT if origin in self._known else _PAUSE):
            self._known = await origins(self._database)
            self._asked = time.monotonic()
        return origin in self._known


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _telling(allowed: str, send: Send) -> Send:
    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = allowed
            headers["access-control-expose-headers"] = _EXPOSED
            headers.add_vary_header("origin")
        await send(message)

    return telling
