"""The post between the browsers of a call: what one says waits in a table for the other, and a NOTIFY tells its process.

The browsers of one call may be connected to different web processes, and connections break in the middle of a call. So
nothing is handed from socket to socket: a signal stays in its row until the browser it is for has said that it has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.wakeup import Listener
from kangyun.care.internet_hospital.model.calls import Call
from kangyun.care.internet_hospital.queries.calls import sql

_CHANNEL = "call_signal"


class Switchboard(Listener):
    """What one process hears of the signals of all, while any browser is connected to it."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, _CHANNEL)
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._lines = 0

    @asynccontextmanager
    async def plugged(self, peer: str) -> AsyncGenerator[asyncio.Event]:
        """A bell that rings when something may wait for `peer`; whoever answers it clears it."""
        bell = asyncio.Event()
        self._bells.setdefault(peer, set()).add(bell)
        self._lines += 1
        if self._lines == 1:
            await self.__aenter__()
        try:
            yield bell
        finally:
            self._bells[peer].discard(bell)
            if not self._bells[peer]:
                del self._bells[peer]
            self._lines -= 1
            if not self._lines:
                await self.__aexit__()

    def call(self, *told: Any) -> None:
        """Ring for the peer that is named; for all after a time of not hearing."""
        named = [str(told[-1])] if told else list(self._bells)
        for peer in named:
            for bell in self._bells.get(peer, ()):
                bell.set()


_boards: WeakKeyDictionary[Database, Switchboard] = WeakKeyDictionary()


def switchboard(database: Database) -> Switchboard:
    """The one of this process."""
    if database not in _boards:
        _boards[database] = Switchboard(database.dsn)
    return _boards[database]


async def post(connection: Connection, found: Call, signal: dict[str, Any], *, to: str | None = None, sender: str = "") -> bool:
    """Put a signal before one peer of the call, or all but the sender; False when nobody is there to get it."""
    rows = await connection.fetch(
        sql.post, found.resident, found.encounter, to, orjson.dumps(signal).decode(), clock.now(), sender)
    return await _told(connection, [str(row["peer"]) for row in rows])


async def post_to(connection: Connection, resident: int, peer: str, signal: dict[str, Any]) -> None:
    """Put a signal before a peer whose place somebody else has taken."""
    await connection.execute(sql.post_to, resident, peer, orjson.dumps(signal).decode(), clock.now())
    await _told(connection, [peer])


async def _told(connection: Connection, told: list[str]) -> bool:
    if told:
        await connection.execute(sql.tell, told)
    return bool(told)
