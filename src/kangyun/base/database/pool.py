"""A pool of connections for several thousand short statements a second.

The driver's own pool makes a task, a proxy and often a round trip for every loan; a loan of ours is a pop from a list
(measured: 25 of the 150 microseconds of a read). A connection that comes back broken, cancelled or inside a
transaction is closed and not lent again.

A plan is kept where PostgreSQL finds that the values do not matter, as when a row is found by its key: to plan takes longer
than to find it. A search is planned with its values each time, since the frequency of a token decides how it goes; what is
asked of one resident is planned once for all, since everybody has little. A connection is of one kind for all its life: to
change it would be a round trip, and under load every second search and what followed it paid that (33 in a journey through
the internet hospital).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary

import asyncpg

# Whose values matter for a statement's plan: PostgreSQL finds out, they always do, they never do.
Plans: TypeAlias = Literal["auto", "force_custom_plan", "force_generic_plan"]

# One of so many connections plans with values, and one of so many never does.
_SHARE = 6

_to_ring: WeakKeyDictionary[asyncpg.Connection[asyncpg.Record], set[str]] = WeakKeyDictionary()


def ring_later(connection: asyncpg.Connection[asyncpg.Record], channel: str) -> None:
    """Wake the listeners of a channel once the connection is given back: what is written over it now is committed then."""
    _to_ring.setdefault(connection, set()).add(channel)


class Pool:
    """At most `size` connections to one database (three at least), opened when they are needed, of three kinds by how they plan."""

    def __init__(self, dsn: str, size: int, **options: Any) -> None:
        share = max(1, size // _SHARE)
        sizes: dict[Plans, int] = {"auto": max(1, size - 2 * share), "force_custom_plan": share, "force_generic_plan": share}
        self._kinds = {plans: _Kind(dsn, most, options, plans) for plans, most in sizes.items()}
        self._lent: dict[asyncpg.Connection[asyncpg.Record], _Kind] = {}
        self._closed = False
        self.ring: Callable[[str], None] = lambda _channel: None

    async def acquire(self, plans: Plans = "auto") -> asyncpg.Connection[asyncpg.Record]:
        """Borrow a connection; raises what the driver raises when the database cannot be reached."""
        kind = self._kinds[plans]
        while True:
            if self._closed:
                raise asyncpg.InterfaceError("the pool is closed")
            connection = await kind.take()
            if connection is not None:
                self._lent[connection] = kind
                return connection

    def release(self, connection: asyncpg.Connection[asyncpg.Record], *, spoilt: bool = False) -> None:
        """Give a connection back; `spoilt` says that nobody knows what state it is in."""
        kind = self._lent.pop(connection)
        for channel in _to_ring.pop(connection, ()):
            self.ring(channel)
        if spoilt or self._closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
            kind.lose()
        else:
            kind.give(connection)

    async def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        self._closed = True
        for kind in self._kinds.values():
            while kind.idle:
                await kind.idle.pop().close(timeout=2)
            kind.wake_all()

    def terminate(self) -> None:
        """End all connections at once."""
        self._closed = True
        idle = (connection for kind in self._kinds.values() for connection in kind.idle)
        for connection in (*idle, *self._lent):
            connection.terminate()


class _Kind:
    """The connections that plan in one way: idle ones, how many are lent or being opened, and who waits."""

    def __init__(self, dsn: str, size: int, options: Mapping[str, Any], plans: Plans) -> None:
        self.idle: list[asyncpg.Connection[asyncpg.Record]] = []
        self._dsn, self._size = dsn, size
        self._options: dict[str, Any] = {**options, "server_settings": {**options.get("server_settings", {}), "plan_cache_mode": plans}}
        self._out = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> asyncpg.Connection[asyncpg.Record] | None:
        """An idle connection or a new one; None after a wait: try again."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.is_closed():
                self._out += 1
                return connection
        if self._out >= self._size:
            await self._wait()
            return None
        self._out += 1
        try:
            return await asyncpg.connect(self._dsn, **self._options)
        except BaseException:
            self.lose()
            raise

    def give(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """It is idle again."""
        self.idle.append(connection)
        self.lose()

    def lose(self) -> None:
        """One fewer is out."""
        self._out -= 1
        self._wake()

    def wake_all(self) -> None:
        """Let everybody look again."""
        while self._waiting:
            self._wake()

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
