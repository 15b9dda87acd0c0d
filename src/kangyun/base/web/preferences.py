"""What a person chose about the look: language, theme and text size, kept in three cookies."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LANGUAGES = ("zh", "en")
THEMES = ("auto", "light", "dark")
SIZES = ("normal", "large")
COOKIES = {"language": LANGUAGES, "theme": THEMES, "text": SIZES}
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Preferences:
    """``language`` "zh" or "en", ``theme`` "auto", "light" or "dark", ``text`` "normal" or "large"."""

    language: str = "zh"
    theme: str = "auto"
    text: str = "normal"


def negotiate(header: str) -> str:
    """Choose "zh" or "en" from an Accept-Language header (RFC 9110, 12.5.4); Chinese when it names neither."""
    ranked = sorted((_weighted(part) for part in header.split(",")), key=lambda pair: -pair[1])
    for tag, weight in ranked:
        if weight > 0 and tag.split("-")[0] in LANGUAGES:
            return tag.split("-")[0]
    return "zh"


def _weighted(part: str) -> tuple[str, float]:
    tag, _, quality = part.strip().lower().partition(";q=")
    try:
        return tag, float(quality or 1)
    except ValueError:
        return tag, 0.0


def preferences_of(connection: HTTPConnection) -> Preferences:
    """Read the preferences of a request: ``?lang=`` first, then cookies, then Accept-Language."""
    language = _asked(connection.scope) or _chosen(connection, "language") or negotiate(connection.headers.get("accept-language", ""))
    return Preferences(language, _chosen(connection, "theme") or "auto", _chosen(connection, "text") or "normal")


def _chosen(connection: HTTPConnection, cookie: str) -> str | None:
    value = connection.cookies.get(cookie)
    return value if value in COOKIES[cookie] else None


def _asked(scope: Scope) -> str | None:
    query: bytes = scope.get("query_string", b"")
    if b"lang=" not in query:
        return None
    value = parse_qs(query.decode("latin-1")).get("lang", [""])[-1].lower().split("-")[0]
    return value if value in LANGUAGES else None


def cookie(name: str, value: str) -> str:
    """Write a Set-Cookie line that lasts a year and is never sent from other sites' forms; both parts are plain words."""
    return f"{name}={value}; Path=/; Max-Age={_YEAR}; SameSite=Lax; HttpOnly"


class Negotiation:
    """Middleware: sets ``request.state.language`` and ``request.state.preferences``; remembers ``?lang=``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        chosen = preferences_of(HTTPConnection(scope))
        scope.setdefault("state", {}).update(language=chosen.language, preferences=chosen)
        await self.app(scope, receive, _remembering(scope, send) if _asked(scope) else send)


def _remembering(scope: Scope, send: Send) -> Send:
    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            MutableHeaders(scope=message).append("set-cookie", cookie("language", str(_asked(scope))))
        await send(message)

    return send_with_cookie


def _is_page(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")
