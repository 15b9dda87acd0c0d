"""Requests that arrive while the database is busy share its next statement.

A round trip costs more than a row: the driver's bookkeeping, a system call on each side, waking a process. A lone
request is sent at once, so nobody waits for company.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

_IN_FLIGHT = 2
_MOST = 64


class Together(Generic[Asked, Answer]):
    """Collects requests; `work` does a list of them and returns their answers in the same order.

    What `work` raises reaches everybody in the group. `in_flight` lists are worked on at a time: with one, those who come
    meanwhile make up the next.
    """

    def __init__(self, work: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]], in_flight: int = _IN_FLIGHT) -> None:
        self._work = work
        self._in_flight = in_flight
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def ask(self, asked: Asked) -> Answer:
        """The answer to one request."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if len(self._running) < self._in_flight:
            task = asyncio.create_task(self._run())
            self._running.add(task)
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            try:
                answers = await self._work([asked for asked, _ in group])
                for (_, waiting), answer in zip(group, answers, strict=True):
                    if not waiting.done():
                        waiting.set_result(answer)
            except BaseException as error:  # noqa: BLE001 - it belongs to those who wait, not to this task
                for _, waiting in group:
                    if not waiting.done():
                        waiting.set_exception(error)
        # Here and not in a callback of the task: those who were just answered run before it, and would wait for a task that has ended.
        self._running -= {asyncio.current_task()}
