"""Posted forms: the one way to read them also proves that they came from a page of ours."""

from __future__ import annotations

import secrets

from starlette.datastructures import FormData
from starlette.requests import Request

from kangyun.base.errors import Issue, Problem

COOKIE = "csrf"
FIELD = "csrf"
HEADER = "x-csrf-token"
_SIZE = 16


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


async def posted(request: Request) -> FormData:
    """Read a posted form.

    Raises ``Problem(403)`` when the token is missing or belongs to another browser.
    """
    form = await request.form()
    token = request.headers.get(HEADER) or form.get(FIELD)
    if not isinstance(token, str) or not matches(request.cookies.get(COOKIE), token):
        raise Problem(403, Issue("forbidden", "web.form-expired"))
    return form
