"""Large bodies go one after the other, so that the memory of the process stays bounded whatever arrives at once.

A JSON text of 32 MB may need ten times as much while it is a tree of Python objects. Small requests never wait here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from starlette.requests import Request

from kangyun.base.errors import refuse
from kangyun.base.web.heads import header

LARGE_BYTES = 1_000_000
MOST_LARGE = 2
# A million commas are a million elements or keys; what is written by hand or machine has one for each 20 bytes or more.
MOST_ELEMENTS = 3_000_000

_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def is_large(request: Request) -> bool:
    """Whether the body is large, or says nothing about its size."""
    declared = header(request.scope, b"content-length") or ""
    if declared.isascii() and declared.isdigit():
        return len(declared) > 12 or int(declared) > LARGE_BYTES
    return header(request.scope, b"transfer-encoding") is not None


@asynccontextmanager
async def place(seconds: float) -> AsyncGenerator[None]:
    """One of the few places for large requests; raises Problem 503 when none becomes free in time."""
    places = _places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MOST_LARGE))
    try:
        async with asyncio.timeout(seconds):
            await places.acquire()
    except TimeoutError as error:
        raise refuse(503, "throttled", "base.busy") from error
    try:
        yield
    finally:
        places.release()


def check_elements(body: bytes) -> None:
    """Raise Problem 413 for a body of so many tiny elements that its objects would fill the memory."""
    if len(body) > LARGE_BYTES and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_ELEMENTS:
        raise refuse(413, "too-costly", "base.too-many-elements", limit=str(MOST_ELEMENTS))
