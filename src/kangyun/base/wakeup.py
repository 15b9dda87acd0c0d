"""Wake-up calls between processes by NOTIFY; the tables stay the truth, a lost call costs one polling interval.

A NOTIFY inside a transaction makes PostgreSQL take one lock for the whole database while that transaction commits, so
that all commits which notify wait for each other's fsync. Therefore nobody notifies inside a write: a Bell sends one
NOTIFY for all rings of a short pause, in a transaction of its own; while many ring, the pause is longer, and those who
listen find more at once.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import asyncpg
import structlog

from kangyun.base.errors import Problem

if TYPE_CHECKING:
    from kangyun.base.database import Database

log = structlog.get_logger()


class Bell:
    """The calling side: `ring()` after a commit; it returns at once and never fails."""

    def __init__(self, db: Database, channel: str, pause: float = 0.02, rest: float = 0.1) -> None:
        self.db = db
        self.channel = channel
        self.pause = pause
        # So many seconds at least lie between two calls.
        self.rest = rest
        self._called = 0.0
        self._rung = False
        self._sending: set[asyncio.Task[None]] = set()

    def ring(self) -> None:
        """Wake the listeners of the channel soon; rings that follow within the pause are the same call."""
        if not self._rung:
            self._rung = True
            task = asyncio.create_task(self._send())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self) -> None:
        await asyncio.sleep(max(self.pause, self._called + self.rest - time.monotonic()))
        self._called = time.monotonic()
        # Before the call goes out: who rings while it is under way may have written what the listeners have already looked past.
        self._rung = False
        if self.db.closed:
            return
        with suppress(Problem, asyncpg.PostgresError, OSError):
            async with self.db.connection() as connection:
                await connection.execute("SELECT pg_notify($1, '')", self.channel)


class Listener:
    """The listening side, for any number of waiters; reconnects by itself."""

    def __init__(self, dsn: str, channel: str) -> None:
        self.dsn = dsn
        self.channel = channel
        self.calls = 0
        self._next_call = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def call(self, *_: Any) -> None:
        """Wake all waiters; also usable from inside this process."""
        self.calls += 1
        self._next_call.set()
        self._next_call = asyncio.Event()

    async def wait(self, seconds: float, seen: int) -> int:
        """Sleep until a call later than number `seen`, at most `seconds`; returns the number of the latest call.

        The number is what keeps a call from being lost that comes while the caller works.
        """
        if self.calls == seen:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._next_call.wait()
        return self.calls

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                log.warning("wakeup.lost", channel=self.channel)
            await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self.dsn)
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        try:
            await connection.add_listener(self.channel, self.call)
            self.call()  # Whatever was called while we were away must not wait for the next poll.
            await ended.wait()
        finally:
            connection.terminate()
