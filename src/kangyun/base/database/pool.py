"""A pool of connections for several thousand short statements a second.

The driver's own pool makes a task, a proxy and often a round trip for every loan; a loan of ours is a pop from a list
(measured: 25 of the 150 microseconds of a read). A connection that comes back broken, cancelled or inside a
transaction is closed and not lent again.

A plan is kept where PostgreSQL finds that the values do not matter, as when a row is found by its key: to plan takes longer
than to find it. A search is planned with its values each time, since the frequency of a token decides how it goes; it
borrows a connection that is set so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import asyncpg

_BY_VALUES, _KEPT = "SET plan_cache_mode = force_custom_plan", "SET plan_cache_mode = auto"

_to_ring: WeakKeyDictionary[asyncpg.Connection[asyncpg.Record], set[str]] = WeakKeyDictionary()


def ring_later(connection: asyncpg.Connection[asyncpg.Record], channel: str) -> None:
    """Wake the listeners of a channel once the connection is given back: what is written over it now is committed then."""
    _to_ring.setdefault(connection, set()).add(channel)


class Pool:
    """At most `size` connections to one database, opened when they are needed."""

    def __init__(self, dsn: str, size: int, **options: Any) -> None:
        self.dsn = dsn
        self.size = size
        self._options = options
        # Idle connections that keep plans, and those that plan with values.
        self._idle: dict[bool, list[asyncpg.Connection[asyncpg.Record]]] = {False: [], True: []}
        self._valued: WeakSet[asyncpg.Connection[asyncpg.Record]] = WeakSet()
        self._lent: set[asyncpg.Connection[asyncpg.Record]] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self.ring: Callable[[str], None] = lambda _channel: None

    async def acquire(self, *, by_values: bool = False) -> asyncpg.Connection[asyncpg.Record]:
        """Borrow a connection; raises what the driver raises when the database cannot be reached.

        by_values: each statement is planned with its values.
        """
        connection = await self._borrow(by_values)
        if (connection in self._valued) is not by_values:
            try:
                await connection.execute(_BY_VALUES if by_values else _KEPT)
            except BaseException:
                self.release(connection, spoilt=True)
                raise
            (self._valued.add if by_values else self._valued.discard)(connection)
        return connection

    async def _borrow(self, by_values: bool) -> asyncpg.Connection[asyncpg.Record]:
        while True:
            if self._closed:
                raise asyncpg.InterfaceError("the pool is closed")
            room = len(self._lent) + self._opening + len(self._idle[True]) + len(self._idle[False]) < self.size
            for idle in (self._idle[by_values], *(() if room else (self._idle[not by_values],))):
                while idle:
                    connection = idle.pop()
                    if not connection.is_closed():
                        self._lent.add(connection)
                        return connection
            if len(self._lent) + self._opening < self.size:
                return await self._open()
            await self._wait()

    def release(self, connection: asyncpg.Connection[asyncpg.Record], *, spoilt: bool = False) -> None:
        """Give a connection back; `spoilt` says that nobody knows what state it is in."""
        self._lent.discard(connection)
        for channel in _to_ring.pop(connection, ()):
            self.ring(channel)
        if spoilt or self._closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle[connection in self._valued].append(connection)
        self._wake()

    async def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                await idle.pop().close(timeout=2)
        while self._waiting:
            self._wake()

    def terminate(self) -> None:
        """End all connections at once."""
        self._closed = True
        for connection in (*self._idle[True], *self._idle[False], *self._lent):
            connection.terminate()

    async def _open(self) -> asyncpg.Connection[asyncpg.Record]:
        self._opening += 1
        try:
            connection = await asyncpg.connect(self.dsn, **self._options)
        finally:
            self._opening -= 1
            self._wake()
        self._lent.add(connection)
        return connection

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake()
            raise

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
