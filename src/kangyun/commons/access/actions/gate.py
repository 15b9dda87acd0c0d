"""Opening the gate: a handle judges each call before the record store sees it, and hides what the policy hides.

A caller whose role has no conditions goes straight to the store. For every other one the conditions of its role become
part of each statement, so that what is hidden looks like what is absent, in searches, chains, counts and histories alike.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.database.connection import Lease
from kangyun.base.errors import refuse
from kangyun.commons.access.actions import consents, registering, signed
from kangyun.commons.access.actions.caller import Caller, forbidden
from kangyun.commons.access.actions.houses import Houses
from kangyun.commons.access.decisions import platforms_own, policy
from kangyun.commons.access.decisions.relations import named_files, named_patients, relating
from kangyun.commons.access.model import Actor, Event, Page
from kangyun.commons.access.queries import emergency
from kangyun.commons.records import HistoryPage, Store, Stored, StoreSession, Write, Written, same_person, search

Name = tuple[str, str]


class Trail(Protocol):
    """Where it is written down who did what."""

    def note(self, event: Event) -> None:
        """Take an event; returns at once."""
        ...

    async def kept(self) -> None:
        """Wait until everything noted so far is kept."""
        ...


class Gate:
    """The one way to the record store."""

    def __init__(self, store: Store, trail: Trail | None = None, houses: Houses | None = None) -> None:
        self._store = store
        self.trail = trail
        self._houses = houses

    def open(self, actor: Actor, purpose: str = "") -> Handle:
        """A handle for one caller and one purpose of use: the one said, the caller's, or the first of its role."""
        wanted = purpose or policy.purpose(actor.role, actor.purpose)
        if wanted != actor.purpose:
            actor = replace(actor, purpose=wanted)
        return Handle(self._store, actor, self.trail, houses=self._houses)

    async def settled(self) -> None:
        """Wait until everything written down so far is kept."""
        if self.trail is not None:
            await self.trail.kept()

    def system(self, name: str) -> Handle:
        """A handle for one of the platform's own jobs, listeners or reactions."""
        return Handle(self._store, Actor(name, "system", purpose="operations"), self.trail)


class _Session:
    """The calls that a handle and a transaction have in common, each judged."""

    def __init__(self, inner: Store | StoreSession, caller: Caller, connection: Connection | None) -> None:
        self._inner = inner
        self._caller = caller
        self._connection = connection
        self.actor = caller.actor
        self.purpose = caller.actor.purpose

    async def fetch(self, type_: str, id_: str) -> Stored | None:
        """The current version, perhaps a deleted one."""
        caller = self._caller
        caller.judge("read", type_)
        found = await self._fetched("read", type_, id_)
        if found is None:
            caller.types[type_] = caller.actions["read"] = None
        else:
            caller.touched("read", (found,))
        return found and caller.masked(found)

    async def fetch_version(self, type_: str, id_: str, version: int) -> Stored | None:
        """One version of a resource."""
        self._caller.judge("history", type_)
        current = None
        if not self._caller.free("history", type_):
            current = await self._fetched("history", type_, id_)
            if current is None:
                return None
        found = await self._inner.fetch_version(type_, id_, version)
        if found and current and not self._caller.sees_former(current, found):
            return None
        self._caller.touched("history", (found,) if found else ())
        return found and self._caller.masked(found)

    async def versions(self, type_: str | None, id_: str | None, page: Mapping[str, Any]) -> HistoryPage:
        """A page of history, newest first; that of a type or of everything only for callers without conditions."""
        caller = self._caller
        caller.judge("history", type_)
        current = None
        if not caller.free("history", type_):
            if type_ is None or id_ is None:
                raise forbidden()
            current = await self._fetched("history", type_, id_)
            if current is None:
                raise refuse(404, "not-found", "records.not-found", type=type_)
        found = await self._inner.versions(type_, id_, page)
        if current is not None:
            found = HistoryPage([one for one in found.versions if caller.sees_former(current, one)], None, found.next)
        self._caller.touched("history", found.versions)
        found.versions[:] = map(self._caller.masked, found.versions)
        return found

    async def find(self, query: search.Query) -> search.Result:
        """Run a search."""
        self._caller.judge("search", query.type) if query.type else self._judge_all()
        self._caller.check_asked(query)
        restriction = await self._caller.sight("search", self._connection)
        result = await self._inner.find(query if restriction is search.EVERYTHING else query.restrict(restriction))
        self._caller.searched(query, result)
        result.rows, result.included = (list(map(self._caller.masked, rows)) for rows in (result.rows, result.included))
        return result

    def judge_finding(self, type_: str, names: Sequence[str]) -> None:
        """Raise Problem 403 unless the caller may search a type by these parameters: for what finds in another way than a search."""
        self._caller.judge("search", type_)
        self._caller.check_names(type_, names)

    async def _fetched(self, interaction: str, type_: str, id_: str) -> Stored | None:
        """A resource that the caller may see; a hidden or (where conditions hold) deleted one is not there."""
        if self._caller.free(interaction, type_):
            return await self._inner.fetch(type_, id_)
        if type_ == "Binary":
            return await self._enclosed(id_)
        restriction = await self._caller.sight(interaction, self._connection)
        return (await self._inner.seen(restriction, [(type_, id_)])).get((type_, id_))

    def _guarded(self, writes: Sequence[Write]) -> bool:
        """Whether what is written has to be looked at one by one; the platform's own work knows what it may change."""
        return self.actor.role != "system" and (signed.concerns(writes) or registering.concerns(self.actor.role, writes))

    async def _enclosed(self, id_: str) -> Stored | None:
        """A file says of nobody whose it is: it is seen by whoever sees a document that names it."""
        naming = await self.search("DocumentReference", [("location", f"Binary/{id_}"), ("_count", "1")])
        return await self._inner.fetch("Binary", id_) if naming.resources else None

    async def is_own(self, patient_id: str) -> bool:
        """Whether a Patient is the person whom the caller is, or acts for."""
        return await self._caller.is_own(patient_id, self._connection)

    async def person_above(self, patient_id: str) -> dict[str, Any] | None:
        """The Person that a Patient was last linked to, found by its key; None where it has to be searched, as for callers with conditions."""
        found = await self._caller.person_above(patient_id, self._connection)
        if found is None or found.deleted:
            return None
        self._caller.touched("read", (found,))
        return self._caller.masked(found).resource

    def _judge_all(self) -> None:
        """A search over all types is for whoever may search any; it finds what the caller's conditions leave."""
        if not self._caller.may_search():
            raise forbidden()

    async def read(self, type_: str, id_: str) -> dict[str, Any] | None:
        """The current resource as plain data; None when there is none, or it was deleted."""
        stored = await self.fetch(type_, id_)
        return None if stored is None or stored.deleted else stored.resource

    async def search(self, type_: str, query: str | Sequence[tuple[str, str]] = "") -> Page:
        """Search with a query string or pairs; unknown parameters are refused (Problem 400)."""
        found = await self._found(type_, query)
        following = urlencode(found.next) if found.next else None
        return Page([r.resource for r in found.rows], [r.resource for r in found.included], found.total, following)

    async def search_unread(self, type_: str, query: str | Sequence[tuple[str, str]] = "") -> tuple[list[Stored], str | None]:
        """As `search`, for whoever lets another process open what is found: rows, and the query string of the following page."""
        found = await self._found(type_, query)
        return found.rows, urlencode(found.next) if found.next else None

    async def _found(self, type_: str, query: str | Sequence[tuple[str, str]]) -> search.Result:
        pairs = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else list(query)
        return await self.find(search.parse(type_, pairs, strict=True, now=clock.now()))

    async def history(self, type_: str, id_: str) -> list[dict[str, Any]]:
        """All versions that are not deletions, newest first, at most 1000."""
        page = await self.versions(type_, id_, {"count": 1000})
        return [version.resource for version in page.versions if not version.deleted]

    async def everything(self, patient_id: str, query: str = "") -> list[dict[str, Any]]:
        """All resources of a resident, under whichever Patient of the person, and what they point to."""
        patients = await same_person(self, patient_id)
        pairs: Sequence[tuple[str, str]] | None = [*parse_qsl(query, keep_blank_values=True), ("_count", "1000")]
        resources: dict[tuple[str, str], dict[str, Any]] = {}
        while pairs:
            found = await self.find(search.everything(patients, pairs, now=clock.now()))
            # What is pointed to comes again with every page that points to it.
            resources |= {(row.type, row.id): row.resource for row in (*found.rows, *found.included)}
            pairs = found.next
        return list(resources.values())


class Transaction(_Session):
    """A handle's calls inside one transaction."""

    def __init__(self, inner: StoreSession, caller: Caller) -> None:
        super().__init__(inner, caller, inner.connection)
        self.connection: Connection = inner.connection
        """For the tables of the caller's own room, which change together with the record."""
        self._session = inner

    async def fetch_all(self, names: Sequence[Name]) -> dict[Name, Stored]:
        """The current versions of several resources by (type, id), perhaps deleted ones, in one statement."""
        types = {type_ for type_, _ in names}
        for type_ in types:
            self._caller.judge("read", type_)
        if all(self._caller.free("read", type_) for type_ in types):
            found = await self._session.fetch_all(names)
        else:
            found = await self._session.seen(await self._caller.sight("read", self.connection), names)
        self._caller.touched("read", found.values())
        return {name: self._caller.masked(stored) for name, stored in found.items()}

    async def write(self, writes: Sequence[Write], places: Sequence[str] | None = None) -> list[Written]:
        """Do all writes or none; raises Problem 404 for what the caller does not see, 403 for what it may not make."""
        caller = self._caller
        for write in writes:
            caller.judge(write.method, write.type)
        bound = not all(caller.free(write.method, write.type) for write in writes)
        if bound:
            await self._check_before(writes)
        if self._guarded(writes):
            await signed.guard(self.connection, writes)
        if registering.concerns(self.actor.role, writes):
            await registering.guard(self._session, self.connection, caller, writes)
        written = await self._session.write(writes, places, await self._seen_by_conditions(writes))
        await consents.after_write(self.connection, written)
        if bound:
            await self._check_after(written)
        caller.wrote(written)
        return caller.masked_written(written)

    def wrote(self, written: Sequence[Written]) -> None:
        """Remember for the trail what was written in this transaction past it, by the store's way for very many."""
        self._caller.wrote(written)

    async def _check_before(self, writes: Sequence[Write]) -> None:
        """What is changed must be seen as it was; that also keeps an id from being tried out. The platform's own is its alone."""
        if any(platforms_own.may_be(one.type) and platforms_own.is_own(one.resource) for one in writes):
            raise refuse(403, "forbidden", "access.platforms-own")
        self._caller.check_conditions(writes)
        await self._check_files(writes)
        for method in ("update", "delete"):
            names = [(w.type, id_) for w in writes if w.method == method and (id_ := _own_id(w)) and not self._caller.free(method, w.type)]
            seen = await self._session.seen(await self._caller.sight(method, self.connection), names) if names else {}
            for name in names:
                if name not in seen:
                    raise refuse(404, "not-found", "records.not-found", type=name[0])
            if any(platforms_own.may_be(type_) and platforms_own.is_own(seen[type_, id_].resource) for type_, id_ in names):
                raise refuse(403, "forbidden", "access.platforms-own")
            if method == "update":
                await self._check_whom(writes, seen)

    async def _check_whom(self, writes: Sequence[Write], seen: Mapping[Name, Stored]) -> None:
        """Nobody relates himself to a resident whom he does not see: a visit or an order of one's own would open the record."""
        names: set[Name] = set()
        for write in writes:
            if write.type in relating() and not self._caller.free(write.method, write.type):
                kept = seen.get((write.type, write.id or ""))
                names |= {("Patient", id_) for id_ in {*named_patients(write.resource)} - {*named_patients(kept.resource if kept else None)}}
        if names and not self._caller.free("read", "Patient"):
            known = await self._session.seen(await self._caller.sight("read", self.connection), list(names))
            if len(known) < len(names):
                raise forbidden()

    async def _check_files(self, writes: Sequence[Write]) -> None:
        """Who names a file in a document must see that file already: a document of one's own would open it."""
        for id_ in {id_ for write in writes for id_ in named_files(write.resource)}:
            if not self._caller.free("read", "Binary") and (not self._caller.allows("search", "DocumentReference") or await self._enclosed(id_) is None):
                raise forbidden()

    async def _check_after(self, written: Sequence[Written]) -> None:
        """What was written must be what the caller may write; the refusal takes the transaction back."""
        for method, status in (("create", 201), ("update", 200)):
            names = [(w.type, w.id) for w in written if w.status == status and not self._caller.free(method, w.type)]
            seen = await self._session.seen(await self._caller.sight(method, self.connection), names) if names else {}
            if len(seen) < len(set(names)):
                raise forbidden()

    async def _seen_by_conditions(self, writes: Sequence[Write]) -> search.Restriction:
        """What conditional writes and references may find: what every method among them lets the caller see."""
        if self._caller.is_masked:
            # A reference by a search would tell what is masked: it finds nothing.
            return search.Restriction({})
        methods = {"search", *(write.method for write in writes if write.condition is not None and write.method != "create")}
        sights = [await self._caller.sight(method, self.connection) for method in sorted(methods)]
        return search.narrowest(sights)


def _own_id(write: Write) -> str | None:
    """The id that a write names; a conditional update that finds nothing takes the one in its resource."""
    named = (write.resource or {}).get("id") if write.method == "update" else None
    return write.id or named


# What a caller does inside of its commit, before the writes; it gives further writes.
Beside = Callable[[Transaction], Awaitable[Sequence[Write]]]
# What a caller does inside of its commit, after the writes: its own rows that must become durable together with them.
After = Callable[[Connection], Awaitable[None]]
# What several callers do inside of one commit, each over its own view of the one transaction: the writes of each of them.
BesideAll = Callable[[Sequence[Transaction]], Awaitable[Sequence[Sequence[Write]]]]


class Handle(_Session):
    """What a caller holds; every call but `transaction` is a transaction of its own."""

    def __init__(
        self, store: Store, actor: Actor, trail: Trail | None, started_by: tuple[Actor, str] | None = None, houses: Houses | None = None
    ) -> None:
        super().__init__(store, Caller(store.database, actor, started_by[0] if started_by else actor, houses), None)
        self._store = store
        self._trail = trail
        self._work = started_by[1] if started_by else ""
        self._acting: list[Handle] = []

    def may(self, permission: str) -> bool:
        """Whether the caller may use a route or a part of a page."""
        return policy.may_enter(self.actor.role, permission)

    def sees(self, type_: str) -> bool:
        """Whether the caller may search a type at all; which resources of it, the conditions of its role say."""
        return self._caller.allows("search", type_)

    def acting(self, permission: str, work: str, *, writes: str) -> Handle:
        """A handle for work of the platform that this caller has started, such as a booking that takes a number.

        It may what the platform may, so the room that asks for it judges for whom. What it does stands in the audit trail
        under the caller's name with `work` as the permission, and is kept when the caller's handle is settled.
        writes: the type that an app's scopes must allow to write. Raises Problem 403 without the permission.
        """
        self._caller.judge_work(permission, writes)
        own = Handle(self._store, replace(self.actor, role="system", scopes=None, purpose="operations"), self._trail, (self.actor, work))
        self._acting.append(own)
        return own

    @property
    def database(self) -> Database:
        """The database behind it: what a process keeps in memory of one is not what it keeps of another."""
        return self._store.database

    def connection(self) -> Lease:
        """A connection for the tables of the caller's own room."""
        return self._store.database.connection()

    async def withheld(self, patient_id: str) -> bool:
        """Whether consents or sensitive classes keep something of a resident from the caller: not what, and not how much."""
        if self._caller.free("read", None):
            return False
        async with self.connection() as connection:
            return await consents.withheld(connection, await self._caller.facts(connection), patient_id)

    async def opened_until(self, patient_id: str) -> datetime | None:
        """Until when the caller's own break-glass opens a resident; None when none does."""
        async with self.connection() as connection:
            return await emergency.open_until(connection, self.actor.account or self.actor.name, patient_id)

    async def settle(self, outcome: str = "ok", permission: str = "") -> None:
        """Write down what was touched, and wait until that is kept: to be called before the answer leaves."""
        if self._trail is None:
            return
        event = self._caller.event(outcome, permission)
        further = [event for one in self._acting for event in one.events(outcome)] if self._acting else ()
        if event is not None:
            self._trail.note(event)
        for one in further:
            self._trail.note(one)
        if event is not None or further:
            await self._trail.kept()

    def events(self, outcome: str) -> list[Event]:
        """What the work of a caller has touched, its further work included."""
        event = self._caller.event(outcome, self._work)
        return [*([event] if event else []), *(event for one in self._acting for event in one.events(outcome))]

    async def write(self, writes: Sequence[Write], places: Sequence[str] | None = None) -> list[Written]:
        """Do all writes or none."""
        if not self.is_plain(writes) or consents.among(writes) or self._guarded(writes):
            async with self.transaction() as session:
                return await session.write(writes, places)
        written = await self._store.write(writes, places)
        self.wrote(written)
        return written

    async def commit(
        self, writes: Sequence[Write], *, key: str | None = None, beside: Beside | None = None, after: After | None = None
    ) -> list[Written]:
        """Do all writes or none; with a key, a repetition changes nothing and returns the first result.

        `beside` runs inside of the transaction, before the writes, and gives further ones; a repetition leaves it out.
        `after`, which takes the place of a key, runs inside of it after the writes; what it raises takes them back.
        """
        plain = self.is_plain(writes)
        if after is not None or not plain or (key is None and (consents.among(writes) or self._guarded(writes))):
            if key is not None:
                raise ValueError("a key is for the platform's own commits, which have no conditions")
            return await self._commit_and(writes, beside, after)
        inside = self._inside(beside) if beside else None
        if key is not None:
            written = await self._store.write_once(key, writes, inside)
            if consents.among(written):
                async with self._store.transaction() as session:
                    await consents.after_write(session.connection, written)
        else:
            written = await (self._store.write_beside(writes, inside) if inside else self._store.write(writes))
        self.wrote(written)
        return written

    async def commit_for(self, callers: Sequence[Handle], beside: BesideAll) -> list[list[Written]]:
        """Do the writes of several callers in one transaction, all or none; what each has written, under whose name it stands in the trail.

        `beside` runs inside of it and gives the writes of each. It is for the platform's own work, which has no conditions.
        """
        async with self._store.transaction() as session:
            each = await beside([caller.within(session) for caller in callers])
            if not all(caller.is_plain(writes) and not consents.among(writes) for caller, writes in zip(callers, each, strict=True)):
                raise ValueError("callers commit together what is the platform's own work")
            written = iter(await session.write([one for writes in each for one in writes]) if any(each) else ())
        done = [list(islice(written, len(writes))) for writes in each]
        for caller, own in zip(callers, done, strict=True):
            caller.wrote(own)
        return done

    def is_plain(self, writes: Sequence[Write]) -> bool:
        """Judge; whether nothing but the role is to be judged."""
        caller = self._caller
        for write in writes:
            caller.judge(write.method, write.type)
        return caller.free("search", None) and all(caller.free(write.method, write.type) for write in writes)

    def within(self, session: StoreSession) -> Transaction:
        """The calls of this handle inside of a transaction that is shared with other callers."""
        return Transaction(session, self._caller)

    def wrote(self, written: Sequence[Written]) -> None:
        """Remember for the trail what was written for the caller."""
        self._caller.wrote(written)
        self._note()

    def _note(self) -> None:
        """The platform's own work is written down by and by: nobody waits for its answer."""
        if self.actor.role != "system" or self._work:
            return
        event = self._caller.event("ok", "")
        if self._trail is not None and event is not None:
            self._trail.note(event)

    async def _commit_and(self, writes: Sequence[Write], beside: Beside | None, after: After | None) -> list[Written]:
        async with self.transaction() as session:
            more = await beside(session) if beside else ()
            written = await session.write([*writes, *more])
            if after is not None:
                await after(session.connection)
            return written

    def _inside(self, beside: Beside) -> Callable[[StoreSession], Awaitable[Sequence[Write]]]:
        async def run(session: StoreSession) -> Sequence[Write]:
            writes = await beside(Transaction(session, self._caller))
            for write in writes:
                self._caller.judge(write.method, write.type)
            return writes

        return run

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """A session whose writes all become durable when the block ends well, or none."""
        async with self._store.transaction() as session:
            yield Transaction(session, self._caller)
        self._note()
