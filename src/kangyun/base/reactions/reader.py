"""Reads the change feed once for all reactions of a process: those that stand at the same place share what is read.

Every reaction remembers its own snapshot. If each of them took a new one of its own, no two would ever stand at the same
place, and each would ask for every batch by itself. So they all go on to the snapshot that was taken last, and only
whoever stands there already lets a newer one be taken.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from kangyun.base.database import Connection, Database, queries
from kangyun.base.reactions.model import Change, Feed

sql = queries(__package__ or "", "reactions.sql")

PAGE = 500
_KEPT = 32


@dataclass(frozen=True, slots=True)
class Batch:
    """What the snapshot `high` sees and `low` did not: its first page, the seq of its last change (0: it has none), the types of all."""

    low: str
    high: str
    page: Sequence[Change] = ()
    last: int = 0
    types: AbstractSet[str] = frozenset()


class Reader:
    """The feed as the reactions of one process read it."""

    def __init__(self, db: Database, feed: Feed, calls: Callable[[], int], fresh: float) -> None:
        self._db = db
        self._feed = feed
        # How often somebody rang, and for how many seconds nothing new is believed to be there while nobody rings.
        self._calls = calls
        self._fresh = fresh
        self._turn = asyncio.Lock()
        self._snapshot = ""
        self._asked = (-1, 0.0)
        self._batches: dict[str, Batch] = {}
        self._order: deque[str] = deque()

    async def begin(self) -> None:
        """Take a snapshot now: it sees all that those saw which another process has written down until now."""
        async with self._turn, self._db.connection() as connection:
            await self._ask(connection)

    async def following(self, high: str) -> Batch:
        """The batch after the snapshot `high`; one without changes where nothing was added."""
        async with self._turn:
            found = self._batches.get(high)
            if found is not None:
                return found
            if high == self._snapshot and self._is_fresh():
                return Batch(high, high)
            async with self._db.connection() as connection:
                if high == self._snapshot:
                    await self._ask(connection)
                return Batch(high, high) if high == self._snapshot else await self._read(connection, high)

    def _is_fresh(self) -> bool:
        calls, moment = self._asked
        return calls == self._calls() and time.monotonic() - moment < self._fresh

    async def _ask(self, connection: Connection) -> None:
        asked = (self._calls(), time.monotonic())
        self._snapshot = await connection.fetchval(sql.snapshot)
        self._asked = asked

    async def _read(self, connection: Connection, low: str) -> Batch:
        page = await self._feed.first(connection, low, self._snapshot, PAGE)
        if len(page) == PAGE:
            last, types = await self._feed.extent(connection, low, self._snapshot)
        else:
            last, types = page[-1].seq if page else 0, {change.type for change in page}
        batch = self._batches[low] = Batch(low, self._snapshot, page, last, types)
        self._order.append(low)
        if len(self._order) > _KEPT:
            self._batches.pop(self._order.popleft(), None)
        return batch
