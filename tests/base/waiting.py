"""Waiting in tests: for a condition, not for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Return as soon as the condition holds; raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in code under test that sets no event
            await asyncio.sleep(0.01)


async def becomes(read: Callable[[], Awaitable[T]], wanted: T, seconds: float = 15) -> None:
    """Return as soon as what is read is what is wanted; raises AssertionError with what it is instead after `seconds`."""
    found = await read()
    end = asyncio.get_running_loop().time() + seconds
    while found != wanted:
        assert asyncio.get_running_loop().time() < end, f"still {found}, not {wanted}"
        await asyncio.sleep(0.01)
        found = await read()
