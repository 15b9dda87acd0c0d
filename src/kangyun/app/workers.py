"""Processes that share the work of one command: each with the platform opened on the same database.

They end when the one that started them ends, however it ends: nobody would give them more to do.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Self, TypeVar

from kangyun.app.services import Services, assemble, collect_less, settle_process
from kangyun.base.database import Database
from kangyun.base.database.connection import open_pool
from kangyun.base.settings import Settings

_STATEMENT_SECONDS = 300
_CONNECTIONS = 3
# So many parts of the work are under way for each process, so that none waits for the next.
_AHEAD = 2

Part = TypeVar("Part")
Result = TypeVar("Result")
Work = Callable[[Services, Part], Awaitable[Result]]


class Workers:
    """`count` processes; of one, the work is done in this process."""

    def __init__(self, services: Services, count: int) -> None:
        self._services = services
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        """Start them."""
        if self._count > 1:
            place = self._services.settings, self._services.database.dsn
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, context, initializer=open_process, initargs=place)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let them end."""
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def each(self, work: Work[Part, Result], parts: AsyncIterable[Part]) -> AsyncGenerator[Result]:
        """The results of some work on each part, in the order in which they are done; `work` is a function of a module."""
        waiting: set[asyncio.Future[Result]] = set()
        try:
            async for part in parts:
                waiting.add(self._begin(work, part))
                while len(waiting) >= self._count * _AHEAD:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for one in done:
                        yield one.result()
            for one in asyncio.as_completed(waiting):
                yield await one
        finally:
            for one in waiting:
                one.cancel()

    def _begin(self, work: Work[Part, Result], part: Part) -> asyncio.Future[Result]:
        if self._pool is None:
            return asyncio.ensure_future(work(self._services, part))
        return asyncio.get_running_loop().run_in_executor(self._pool, run_in_process, work, part)


class _Process:
    """What one process keeps open."""

    loop: asyncio.AbstractEventLoop
    services: Services


def open_process(settings: Settings, dsn: str) -> None:
    """Open the platform in a process of its own."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settle_process(settings)
    _Process.loop = asyncio.new_event_loop()

    async def connect() -> Services:
        return assemble(settings, Database(dsn, open_pool(dsn, _CONNECTIONS, _STATEMENT_SECONDS), None))

    _Process.services = _Process.loop.run_until_complete(connect())
    collect_less()


def run_in_process(work: Callable[[Services, Any], Awaitable[Any]], part: Any) -> Any:
    """Do a part of the work; what it did stands in the audit trail before it is told."""

    async def run() -> Any:
        done = await work(_Process.services, part)
        await _Process.services.trail.settled()
        return done

    return _Process.loop.run_until_complete(run())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
