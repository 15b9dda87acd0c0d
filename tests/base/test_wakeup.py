"""Wake-up calls between processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from kangyun.base.wakeup import Bell


class SlowDatabase:
    """Counts the calls that reach it, and keeps each until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.closed = False
        self.go = asyncio.Event()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[SlowDatabase]:
        yield self

    async def execute(self, *_: Any) -> None:
        self.calls += 1
        await self.go.wait()


async def test_rings_of_one_pause_are_one_call_and_a_ring_while_it_is_under_way_is_another() -> None:
    db = SlowDatabase()
    bell = Bell(db, "work", pause=0.01)  # pyright: ignore[reportArgumentType]
    bell.ring()
    bell.ring()
    await asyncio.sleep(0.1)
    assert db.calls == 1
    bell.ring()
    await asyncio.sleep(0.1)
    db.go.set()
    assert db.calls == 2


async def test_who_closes_the_database_right_after_a_ring_is_not_called_back() -> None:
    db = SlowDatabase()
    Bell(db, "work", pause=0.01).ring()  # pyright: ignore[reportArgumentType]
    db.closed = True
    await asyncio.sleep(0.1)
    assert db.calls == 0
