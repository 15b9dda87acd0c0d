"""Opening the gate: a handle judges each call before the record store sees it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.database.connection import Lease
from kangyun.base.errors import refuse
from kangyun.commons.access.decisions import may_enter, may_touch
from kangyun.commons.access.model import Actor, Page
from kangyun.commons.records import HistoryPage, Store, Stored, StoreSession, Write, Written, same_person, search


class Gate:
    """The one way to the record store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, actor: Actor, purpose: str) -> Handle:
        """A handle for one caller and one purpose."""
        return Handle(self._store, actor, purpose)

    def system(self, name: str) -> Handle:
        """A handle for one of the platform's own jobs, listeners or reactions."""
        return Handle(self._store, Actor(name, "system"), "operations")


class _Session:
    """The calls that a handle and a transaction have in common, each judged."""

    def __init__(self, inner: Store | StoreSession, actor: Actor, purpose: str) -> None:
        self._inner = inner
        self.actor = actor
        self.purpose = purpose

    async def fetch(self, type_: str, id_: str) -> Stored | None:
        """The current version, perhaps a deleted one."""
        self._judge("read", type_)
        return await self._inner.fetch(type_, id_)

    async def fetch_version(self, type_: str, id_: str, version: int) -> Stored | None:
        """One version of a resource."""
        self._judge("history", type_)
        return await self._inner.fetch_version(type_, id_, version)

    async def versions(self, type_: str | None, id_: str | None, page: Mapping[str, Any]) -> HistoryPage:
        """A page of history, newest first."""
        self._judge("history", type_)
        return await self._inner.versions(type_, id_, page)

    async def find(self, query: search.Query) -> search.Result:
        """Run a search."""
        self._judge("search", query.type)
        return await self._inner.find(query)

    async def write(self, writes: Sequence[Write], places: Sequence[str] | None = None) -> list[Written]:
        """Do all writes or none."""
        for write in writes:
            self._judge(write.method, write.type)
        return await self._inner.write(writes, places)

    async def read(self, type_: str, id_: str) -> dict[str, Any] | None:
        """The current resource as plain data; None when there is none, or it was deleted."""
        stored = await self.fetch(type_, id_)
        return None if stored is None or stored.deleted else stored.resource

    async def search(self, type_: str, query: str | Sequence[tuple[str, str]] = "") -> Page:
        """Search with a query string or pairs; unknown parameters are refused (Problem 400)."""
        pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else list(query)
        found = await self.find(search.parse(type_, pairs, strict=True, now=clock.now()))
        following = urlencode(found.next) if found.next else None
        return Page([r.resource for r in found.rows], [r.resource for r in found.included], found.total, following)

    async def history(self, type_: str, id_: str) -> list[dict[str, Any]]:
        """All versions that are not deletions, newest first, at most 1000."""
        page = await self.versions(type_, id_, {"count": 1000})
        return [version.resource for version in page.versions if not version.deleted]

    async def everything(self, patient_id: str, query: str = "") -> list[dict[str, Any]]:
        """All resources of a resident, under whichever Patient of the person, and what they point to."""
        self._judge("search", None)
        patients = await same_person(self._inner, patient_id)
        pairs: Sequence[tuple[str, str]] | None = [*parse_qsl(query, keep_blank_values=True), ("_count", "1000")]
        resources: dict[tuple[str, str], dict[str, Any]] = {}
        while pairs:
            found = await self._inner.find(search.everything(patients, pairs, now=clock.now()))
            # What is pointed to comes again with every page that points to it.
            resources |= {(row.type, row.id): row.resource for row in (*found.rows, *found.included)}
            pairs = found.next
        return list(resources.values())

    def _judge(self, interaction: str, type_: str | None) -> None:
        if not may_touch(self.actor.role, interaction, type_):
            raise refuse(403, "forbidden", "base.forbidden")


class Transaction(_Session):
    """A handle's calls inside one transaction."""

    def __init__(self, inner: StoreSession, actor: Actor, purpose: str) -> None:
        super().__init__(inner, actor, purpose)
        self.connection: Connection = inner.connection
        """For the tables of the caller's own room, which change together with the record."""
        self._session = inner

    async def fetch_all(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """The current versions of several resources by (type, id), perhaps deleted ones, in one statement."""
        for type_ in {type_ for type_, _ in names}:
            self._judge("read", type_)
        return await self._session.fetch_all(names)


# What a caller does inside of its commit, before the writes; it gives further writes.
Beside = Callable[[Transaction], Awaitable[Sequence[Write]]]
# What a caller does inside of its commit, after the writes: its own rows that must become durable together with them.
After = Callable[[Connection], Awaitable[None]]


class Handle(_Session):
    """What a caller holds; every call but `transaction` is a transaction of its own."""

    def __init__(self, store: Store, actor: Actor, purpose: str) -> None:
        super().__init__(store, actor, purpose)
        self._store = store

    def may(self, permission: str) -> bool:
        """Whether the caller may use a route or a part of a page."""
        return may_enter(self.actor.role, permission)

    @property
    def database(self) -> Database:
        """The database behind it: what a process keeps in memory of one is not what it keeps of another."""
        return self._store.database

    def connection(self) -> Lease:
        """A connection for the tables of the caller's own room."""
        return self._store.database.connection()

    async def commit(
        self, writes: Sequence[Write], *, key: str | None = None, beside: Beside | None = None, after: After | None = None
    ) -> list[Written]:
        """Do all writes or none; with a key, a repetition changes nothing and returns the first result.

        `beside` runs inside of the transaction, before the writes, and gives further ones; a repetition leaves it out.
        `after`, which takes the place of a key, runs inside of it after the writes; what it raises takes them back.
        """
        for write in writes:
            self._judge(write.method, write.type)
        inside = self._inside(beside) if beside else None
        if after is not None:
            return await self._commit_and(writes, inside, after)
        if key is not None:
            return await self._store.write_once(key, writes, inside)
        return await (self._store.write_beside(writes, inside) if inside else self._store.write(writes))

    async def _commit_and(
        self, writes: Sequence[Write], inside: Callable[[StoreSession], Awaitable[Sequence[Write]]] | None, after: After
    ) -> list[Written]:
        async with self._store.transaction() as session:
            more = await inside(session) if inside else ()
            written = await session.write([*writes, *more])
            await after(session.connection)
            return written

    def _inside(self, beside: Beside) -> Callable[[StoreSession], Awaitable[Sequence[Write]]]:
        async def run(session: StoreSession) -> Sequence[Write]:
            writes = await beside(Transaction(session, self.actor, self.purpose))
            for write in writes:
                self._judge(write.method, write.type)
            return writes

        return run

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """A session whose writes all become durable when the block ends well, or none."""
        async with self._store.transaction() as session:
            yield Transaction(session, self.actor, self.purpose)
