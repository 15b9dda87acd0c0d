"""What no page and no table can take, refused before any endpoint sees it."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from kangyun.base.errors import refuse

_LARGEST = 2**63 - 1
_LONGEST_QUERY = 16_384


def check_address(request: Request) -> None:
    """Raise ``Problem`` 400 for an address with a NUL in it, 404 for a number that no row has, 414 for an endless query.

    PostgreSQL keeps no NUL in a text and no number above 63 bits in an id.
    """
    query: bytes = request.scope["query_string"]
    if len(query) > _LONGEST_QUERY:
        raise refuse(414, "too-long", "base.head-too-large", limit=str(_LONGEST_QUERY))
    if "\x00" in request.scope["path"] or b"%00" in query or b"\x00" in query:
        raise refuse(400, "value", "base.nul")
    if any(isinstance(value, int) and value > _LARGEST for value in request.path_params.values()):
        raise refuse(404, "not-found", "base.not-found")


def check_texts(texts: Iterable[object]) -> None:
    """Raise ``Problem`` 400 when one of the texts has a NUL in it."""
    if any(isinstance(text, str) and "\x00" in text for text in texts):
        raise refuse(400, "value", "base.nul")
