"""The store as its callers see it: one object for the process, one session for each transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from kangyun.base import clock
from kangyun.base.database import Connection, Database, plan_by_values
from kangyun.base.reactions.runner import CHANNEL
from kangyun.base.wakeup import Bell
from kangyun.commons.records.actions import writing
from kangyun.commons.records.actions.committer import Committer
from kangyun.commons.records.model import HistoryPage, Stored, Write, Written, hash64
from kangyun.commons.records.queries import reading, search
from kangyun.commons.records.queries.reader import Reader
from kangyun.commons.records.queries.reading import sql


class StoreSession:
    """The store inside one transaction: it sees its own writes."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._searches = False

    async def fetch(self, type_: str, id_: str) -> Stored | None:
        """The current version, perhaps a deleted one."""
        return await reading.read(self.connection, type_, id_)

    async def fetch_all(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """The current versions of several resources by (type, id), in one statement."""
        return await reading.read_all(self.connection, names)

    async def fetch_version(self, type_: str, id_: str, version: int) -> Stored | None:
        """One version of a resource."""
        return await reading.read_version(self.connection, type_, id_, version)

    async def versions(self, type_: str | None, id_: str | None, page: Mapping[str, Any]) -> HistoryPage:
        """A page of history, newest first."""
        return await reading.versions(self.connection, type_, id_, page)

    async def find(self, query: search.Query) -> search.Result:
        """Run a search."""
        if not self._searches and not search.is_narrow(query):
            await plan_by_values(self.connection)
            self._searches = True
        return await search.run(self.connection, query)

    async def seen(self, restriction: search.Restriction, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """Of the resources named by (type, id), those that are there and that the restriction lets be seen."""
        return await search.seen(self.connection, restriction, names)

    async def write(
        self, writes: Sequence[Write], places: Sequence[str] | None = None, seen: search.Restriction = search.EVERYTHING
    ) -> list[Written]:
        """Do all writes or none; see `writing.write`."""
        return await writing.write(self.connection, writes, places, seen)


# What a caller does inside of a commit's transaction, before its writes; it gives further writes.
Beside = Callable[[StoreSession], Awaitable[Sequence[Write]]]


class Store:
    """The record store of one process; every call but `transaction` is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._bell = Bell(database, CHANNEL)
        self._committer = Committer(database)
        self._reader = Reader(database)

    async def fetch(self, type_: str, id_: str) -> Stored | None:
        """The current version, perhaps a deleted one."""
        return await self._reader.read(type_, id_)

    async def fetch_version(self, type_: str, id_: str, version: int) -> Stored | None:
        """One version of a resource."""
        async with self.database.connection() as connection:
            return await reading.read_version(connection, type_, id_, version)

    async def versions(self, type_: str | None, id_: str | None, page: Mapping[str, Any]) -> HistoryPage:
        """A page of history, newest first."""
        async with self.database.connection() as connection:
            return await reading.versions(connection, type_, id_, page)

    async def find(self, query: search.Query) -> search.Result:
        """Run a search."""
        async with self.database.connection("force_generic_plan" if search.is_narrow(query) else "force_custom_plan") as connection:
            return await search.run(connection, query)

    async def seen(self, restriction: search.Restriction, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """Of the resources named by (type, id), those that are there and that the restriction lets be seen."""
        async with self.database.connection() as connection:
            return await search.seen(connection, restriction, names)

    async def write(self, writes: Sequence[Write], places: Sequence[str] | None = None) -> list[Written]:
        """Do all writes or none; a single plain create joins the group commit."""
        if len(writes) == 1 and writing.fresh(writes[0]):
            row, written = writing.prepare(writes[0], clock.now(), places[0] if places else None)
            await self._committer.create(row)
            self._bell.ring()
            return [written]
        async with self.transaction() as session:
            return await session.write(writes, places)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[StoreSession]:
        """A session whose writes all become durable when the block ends well, or none."""
        async with self.database.transaction() as connection:
            yield StoreSession(connection)
        self._bell.ring()

    async def write_beside(self, writes: Sequence[Write], beside: Beside) -> list[Written]:
        """As `write`, in one transaction with what `beside` does and together with the writes that it gives."""
        async with self.transaction() as session:
            return await session.write([*writes, *await beside(session)])

    async def write_once(self, key: str, writes: Sequence[Write], beside: Beside | None = None) -> list[Written]:
        """As `write`, but a second call with the same key changes nothing and returns what the first one did."""
        async with self.transaction() as session:
            connection = session.connection
            # The lock, not the row, keeps a twin waiting: a row written first would spoil the order of the feed.
            await connection.execute(sql.once_lock, hash64(key))
            earlier = await connection.fetchval(sql.once_result, key)
            if earlier is not None:
                return msgspec.json.decode(earlier, type=list[Written])
            more = await beside(session) if beside else ()
            written = await session.write([*writes, *more])
            plain = [Written(w.type, w.id, w.version, w.updated, w.status) for w in written]
            await connection.execute(sql.once_done, key, msgspec.json.encode(plain).decode())
            return written

    async def trim(self, before: datetime) -> None:
        """Forget idempotency keys that are older than `before`."""
        async with self.database.connection() as connection:
            await connection.execute(sql.trim_once, before)
