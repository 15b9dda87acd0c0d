"""Security headers on every answer; a page may run only scripts and styles that we serve as files."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALLOWED = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "worker-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)

HEADERS = {
    "content-security-policy": "; ".join(_ALLOWED),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
}


ENCRYPTED = ("strict-transport-security", "max-age=31536000")
"""What answers over https carry besides: browsers come back over https only, for a year."""


class SecurityHeaders:
    """Middleware: adds each header of ``HEADERS`` that the answer does not already carry.

    Over https, or where ``public_url`` says that a proxy in front of us speaks it, cookies are marked ``Secure`` as well.
    """

    def __init__(self, app: ASGIApp, public_url: str = "") -> None:
        self.app = app
        self._public = public_url.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        encrypted = self._public or scope.get("scheme") == "https"

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if encrypted:
                    headers.setdefault(*ENCRYPTED)
                    message["headers"] = [(name, _secure(name, value)) for name, value in message["headers"]]
            await send(message)

        await self.app(scope, receive, send_guarded)


def _secure(name: bytes, value: bytes) -> bytes:
    """A cookie that is never sent without encryption; any other header as it is."""
    return value if name.lower() != b"set-cookie" or b"; secure" in value.lower() else value + b"; Secure"
