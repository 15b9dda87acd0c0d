"""Posted forms: the one way to read them also proves that they came from a page of ours."""

from __future__ import annotations

import asyncio
import secrets

from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from kangyun.base.errors import Issue, Problem, refuse
from kangyun.base.settings import Settings
from kangyun.base.web.plain import check_texts

COOKIE = "csrf"
FIELD = "csrf"
HEADER = "x-csrf-token"
_SIZE = 16
_MOST_FILES = 20


def new_secret() -> str:
    """Make the secret that a browser keeps in its cookie."""
    return secrets.token_hex(_SIZE)


def token_for(secret: str) -> str:
    """Mask ``secret`` with a fresh pad, so that no two pages carry the same text and compression reveals nothing."""
    pad = secrets.token_bytes(_SIZE)
    masked = bytes(a ^ b for a, b in zip(pad, _decoded(secret), strict=True))
    return (pad + masked).hex()


def is_secret(text: str | None) -> bool:
    """Say whether a cookie holds a secret of our shape."""
    return text is not None and len(_decoded(text)) == _SIZE


def _decoded(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def matches(secret: str | None, token: str) -> bool:
    """Say whether ``token`` was made by ``token_for(secret)``."""
    raw = _decoded(token)
    if secret is None or not is_secret(secret) or len(raw) != 2 * _SIZE:
        return False
    plain = bytes(a ^ b for a, b in zip(raw[:_SIZE], raw[_SIZE:], strict=True))
    return secrets.compare_digest(plain, _decoded(secret))


def foreign(request: Request) -> bool:
    """Say whether a browser tells that another site made it send this (Fetch Metadata, https://w3c.github.io/webappsec-fetch-metadata/)."""
    return request.headers.get("sec-fetch-site", "none") in {"cross-site", "same-site"}


async def posted(request: Request) -> FormData:
    """Read a posted form.

    Raises ``Problem`` 403 when another site sent it, or the token is missing or belongs to another browser; 413 when it is
    larger than the setting ``max_body_bytes``, 408 when it comes too slowly.
    """
    if foreign(request):
        raise Problem(403, Issue("forbidden", "web.form-expired"))
    form = await _read(request)
    token = request.headers.get(HEADER) or form.get(FIELD)
    if not isinstance(token, str) or not matches(request.cookies.get(COOKIE), token):
        await form.close()
        raise Problem(403, Issue("forbidden", "web.form-expired"))
    check_texts(text for pair in form.multi_items() for text in pair)
    return form


def check_own(request: Request) -> None:
    """Raise ``Problem`` 403 unless a page of ours sent what is no form, with the token in a header."""
    if foreign(request) or not matches(request.cookies.get(COOKIE), request.headers.get(HEADER, "")):
        raise Problem(403, Issue("forbidden", "web.form-expired"))


async def _read(request: Request) -> FormData:
    """The form; how many fields it has and how large each is, Starlette bounds."""
    settings = getattr(request.app.state, "settings", None) or Settings()
    receive = _bounded(request.receive, settings.max_body_bytes)
    try:
        async with asyncio.timeout(settings.slow_client_seconds):
            return await Request(request.scope, receive).form(max_files=_MOST_FILES)
    except TimeoutError as error:
        raise refuse(408, "timeout", "base.body-slow") from error
    except ClientDisconnect as error:
        raise refuse(400, "incomplete", "base.body-slow") from error


def _bounded(receive: Receive, limit: int) -> Receive:
    size = 0

    async def next_part() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(limit))
        return message

    return next_part
