"""Carries changes to reactions: at least once, in order for each resident, one runner for each reaction at a time.

Why not simply read `seq > last seen`? A sequence number is taken when a row is inserted, but the row becomes visible
when its transaction commits. A transaction that took number 5 may commit after the one with number 6; whoever has read
up to max(seq) = 6 never sees 5.

So we remember snapshots instead of numbers. A snapshot says of every transaction whether it was finished. A batch is
the changes of the transactions that are finished in the new snapshot and were not in the last one: nothing can slip
between two batches, nothing can be added to one later, and a long transaction delays nobody but itself.

And the order? Two versions of one resource never stand in the wrong order: the second writer waits for the first one's
lock, so whenever its change is visible the first one's is too (same batch or an earlier one), and inside a batch its
seq is higher, because it took the number after the first had committed. Reading merely up to `pg_snapshot_xmin` would
miss nothing either, but a transaction gets its number at its first write, which may be long before it locks the
resource; then the horizon can pass the second writer of a resource before the first. The test with writers that
commit in any order shows it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from kangyun.base.database import Connection, Database, queries
from kangyun.base.errors import Problem
from kangyun.base.health import Pulse
from kangyun.base.logs import fault
from kangyun.base.reactions.model import Change, Cursor, Feed, Reaction
from kangyun.base.reactions.reader import PAGE, Batch, Reader
from kangyun.base.wakeup import Listener

log = structlog.get_logger()
sql = queries(__package__ or "", "reactions.sql")

CHANNEL = "kangyun_change"
"""Ring this channel after a commit: `Bell(db, CHANNEL).ring()`."""

DELIVERIES = Counter("kangyun_reactions", "Changes handed to reactions, by reaction and outcome.", ["name", "outcome"])
POSITION = Gauge(
    "kangyun_reaction_position", "The seq up to which a reaction has read the change feed.", ["name"],
    multiprocess_mode="mostrecent",
)

_RETRIES_A_ROUND = 50
# How late it may be written down that changes have passed which a reaction does not listen to: they are only read again.
_SAVE_SECONDS = 2.0
# How late that changes were delivered: after an accident they are delivered again, which their keys make harmless.
_SAVE_DELIVERED_SECONDS = 0.25
_RESIDENTS_AT_ONCE = 6
# While requests are being answered: for so few residents one after the other, with a rest as many times as long as the last
# delivery took, in seconds at most. More of them, and people wait for what follows from their writes: it is done at once, for
# whoever waits asks again and again, which costs more. Nobody waits like that for what may be done for many together.
_FEW, _REST, _LONGEST_REST = 2, 1.0, 0.1
# Nobody waits for a backlog, such as an import leaves: it lets those who ask go before it.
_REST_OF_BACKLOG, _LONGEST_REST_OF_BACKLOG = 9.0, 5.0
# Residents of a backlog that a reaction takes in one commit: more would make the answers between them wait.
_TOGETHER = 25
_AWAY = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError, OSError)

# What a handle of the gate offers beside `commit` to write with.
_WAYS_PAST_THE_KEY = {"write", "transaction"}

OpenHandle = Callable[[str], Any]


class Once:
    """The handle that a reaction gets: its one commit carries the delivery's key and only declared types."""

    def __init__(self, handle: Any, reaction: Reaction, *changes: Change) -> None:
        self._handle = handle
        self._reaction = reaction
        self._key = f"{reaction.name}:{'+'.join(str(one.seq) for one in changes)}"
        self._committed = False

    def __getattr__(self, name: str) -> Any:
        if name in _WAYS_PAST_THE_KEY:
            raise AttributeError(f"a reaction writes by commit, not by {name}")
        return getattr(self._handle, name)

    async def commit(self, writes: Sequence[Any], *, key: str | None = None, beside: Any = None) -> Any:
        """Commit as the handle does; a second commit needs a key of its own, because it may run without the first."""
        if key is None and self._committed:
            raise RuntimeError(f"{self._reaction.name} commits twice for one change without naming a key")
        self._check(writes)
        self._committed = self._committed or key is None
        more = {} if beside is None else {"beside": self._checked(beside)}
        return await self._handle.commit(writes, key=self._key if key is None else f"{self._key}/{key}", **more)

    def _checked(self, beside: Any) -> Any:
        async def run(session: Any) -> Sequence[Any]:
            writes = await beside(session)
            self._check(writes)
            return writes

        return run

    def _check(self, writes: Sequence[Any]) -> None:
        undeclared = {write.type for write in writes} - self._reaction.writes
        if undeclared:
            raise RuntimeError(f"{self._reaction.name} does not declare that it writes {sorted(undeclared)}")


async def run_feed(
    db: Database,
    reactions: Iterable[Reaction],
    feed: Feed,
    open_handle: OpenHandle,
    *,
    poll: float = 1.0,
    pulse: Pulse | None = None,
    crowd: Callable[[], int] = lambda: 0,
) -> None:
    """Run all reactions until cancelled; several processes may do so at once.

    `crowd` tells how many requests are being answered in this process: while there are any, reactions with little to do, or
    with a backlog, take one resident at a time and rest between them, for people wait and what follows from their writes can.
    `open_handle(name)` gives the handle of the system under a reaction's name. What was being delivered when the task
    is cancelled, or the process killed, is delivered again by whoever comes next.
    """
    async with Listener(db.dsn, CHANNEL) as listener, asyncio.TaskGroup() as group:
        reader = Reader(db, feed, lambda: listener.calls, poll / 2)
        for reaction in reactions:
            group.create_task(_Runner(db, reaction, feed, reader, open_handle, listener, poll, pulse or Pulse(), crowd).run())


@dataclass(slots=True)
class _Runner:
    """One reaction's reader."""

    db: Database
    reaction: Reaction
    feed: Feed
    reader: Reader
    open_handle: OpenHandle
    listener: Listener
    poll: float
    pulse: Pulse
    crowd: Callable[[], int]
    _seen: int = field(default=0, init=False)
    _saved: float = field(default=0.0, init=False)
    _unsaved: Cursor | None = field(default=None, init=False)
    _retried: float = field(default=0.0, init=False)
    _later: float = field(default=_SAVE_SECONDS, init=False)
    # Whether a change of this reaction may be parked; only who leads parks, and looks in each polling interval.
    _waits: bool = field(default=True, init=False)
    # Whether there is more to deliver than one page.
    _is_behind: bool = field(default=False, init=False)
    # Whether so many residents are in the page that people wait for them, and not as many as in a backlog.
    _is_awaited: bool = field(default=False, init=False)
    # Held by who works and rests while requests are being answered, so that all of them together rest as one would.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def run(self) -> None:
        while True:
            try:
                await self._lead()
            except (*_AWAY, Problem, asyncpg.PostgresError, TimeoutError) as error:
                log.warning("reactions.interrupted", reaction=self.reaction.name, error=fault(error))
            self.pulse.beat()
            await asyncio.sleep(self.poll * 3)

    async def _lead(self) -> None:
        """Deliver for as long as this process holds the reaction's lock, on a connection of its own."""
        guard: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self.db.dsn)
        try:
            if await guard.fetchval(sql.lead, self.reaction.name):
                await self._follow(guard)
        finally:
            guard.terminate()

    async def _follow(self, guard: asyncpg.Connection[asyncpg.Record]) -> None:
        row = await guard.fetchrow(sql.open_cursor, self.reaction.name)
        assert row is not None
        cursor = Cursor(row["low"], row["high"], row["after"], row["last"])
        self._unsaved, self._waits = None, True
        await self.reader.begin()
        try:
            while not guard.is_closed():
                self.pulse.beat()
                retried = await self._retry()
                following = await self._advance(cursor)
                if self._unsaved is not None and time.monotonic() - self._saved > self._later:
                    await self._save(self._unsaved)
                if not retried and (following.after, following.last) == (cursor.after, cursor.last):
                    self._seen = await self.listener.wait(self.poll if self._unsaved is None else min(self.poll, self._later), self._seen)
                cursor = following
        finally:
            if self._unsaved is not None and not guard.is_closed():
                with suppress(*_AWAY, Problem, asyncpg.PostgresError, TimeoutError):
                    await self._save(self._unsaved)

    async def _advance(self, cursor: Cursor) -> Cursor:
        """Deliver the next page; returns where we stand after it."""
        if cursor.after >= cursor.last:
            batch = await self.reader.following(cursor.high)
            if not batch.page:
                # Kept in memory only: writing it down would itself make the next snapshot differ, for ever.
                return replace(cursor, low=batch.low, high=batch.high)
            cursor, page = _start(batch), batch.page
            if self.reaction.deaf_to(batch.types):
                return self._stand(replace(cursor, after=cursor.last))
            heard = [change for change in page if self.reaction.hears(change)]
        else:
            async with self.db.connection() as connection:
                heard = page = await self.feed.page(connection, cursor, PAGE, self.reaction.heard())
        self._is_behind = len(page) == PAGE
        if heard:
            await self._deliver_page(heard)
        moved = replace(cursor, after=page[-1].seq if len(page) == PAGE else cursor.last)
        if heard:
            self._later = _SAVE_DELIVERED_SECONDS
        return self._stand(moved)

    def _stand(self, cursor: Cursor) -> Cursor:
        """Stand there; it is written down later."""
        self._unsaved = cursor
        return cursor

    async def _save(self, cursor: Cursor) -> None:
        async with self.db.connection() as connection:
            await connection.execute(
                sql.save_cursor, self.reaction.name, cursor.low, cursor.high, cursor.after, cursor.last,
            )
        self._saved, self._unsaved, self._later = time.monotonic(), None, _SAVE_SECONDS
        POSITION.labels(self.reaction.name).set(cursor.after)

    async def _deliver_page(self, page: Sequence[Change]) -> None:
        lines: dict[int, list[Change]] = {}
        for change in page:
            lines.setdefault(change.resident, []).append(change)
        if not lines:
            return
        waiting = await self._waiting(list(lines)) if self._waits else set[int]()
        places = asyncio.Semaphore(_RESIDENTS_AT_ONCE)
        self._is_awaited = len(lines) > _FEW and not self._is_behind and not self.reaction.together
        ended = await asyncio.gather(*self._work(lines, waiting, places), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    def _work(self, lines: dict[int, list[Change]], waiting: set[int], places: asyncio.Semaphore) -> Iterator[Coroutine[Any, Any, None]]:
        """The deliveries of a page: resident by resident, or some residents at once."""
        for resident in waiting:
            yield self._deliver_line(lines[resident], places, behind=True)
        free = [line for resident, line in lines.items() if resident not in waiting]
        if self._is_behind and self.reaction.together:
            for start in range(0, len(free), _TOGETHER):
                yield self._deliver_together(free[start : start + _TOGETHER], places)
        else:
            for line in free:
                yield self._deliver_line(line, places, behind=False)

    async def _waiting(self, residents: Sequence[int]) -> set[int]:
        """Those of the residents who have parked changes."""
        async with self.db.connection() as connection:
            rows = await connection.fetch(sql.waiting_residents, self.reaction.name, residents)
        return {row["resident"] for row in rows}

    async def _deliver_line(self, line: Sequence[Change], places: asyncio.Semaphore, behind: bool) -> None:
        """Deliver one resident's changes in order; from the first failure on, the rest waits behind it."""
        async with places, self._turn_of_one():
            for change in line:
                if behind:
                    await self._park(change, 0, "waits behind an earlier change", 0.0)
                    continue
                began = time.monotonic()
                reason = await self._deliver(change)
                if reason:
                    behind = True
                    await self._park(change, 1, reason, self.reaction.pause(1))
                await self._rest(began)

    async def _deliver_together(self, lines: Sequence[Sequence[Change]], places: asyncio.Semaphore) -> None:
        """Deliver the changes of some residents in one; where that fails, resident by resident, to find whose change it is."""
        act = self.reaction.together
        assert act is not None
        changes = [change for line in lines for change in line]
        async with places, self._turn_of_one():
            began = time.monotonic()
            failed = await self._act(changes, lambda handle: act(handle, changes))
            await self._rest(began)
        if failed:
            for line in lines:
                await self._deliver_line(line, places, behind=False)

    def _turn_of_one(self) -> AbstractAsyncContextManager[None]:
        """Who gives way goes one after the other; that is asked anew before each, since the crowd comes and goes."""
        return self._turn if self._gives_way() else nullcontext()

    def _gives_way(self) -> bool:
        """Whether those who wait for an answer go first."""
        return not self._is_awaited and self.crowd() > 0

    async def _rest(self, began: float) -> None:
        if self._gives_way():
            rest, longest = (_REST_OF_BACKLOG, _LONGEST_REST_OF_BACKLOG) if self._is_behind else (_REST, _LONGEST_REST)
            await asyncio.sleep(min(longest, rest * (time.monotonic() - began)))

    async def _deliver(self, change: Change) -> str | None:
        """Let the reaction act; returns the reason of a failure."""
        return await self._act([change], lambda handle: self.reaction.act(handle, change))

    async def _act(self, changes: Sequence[Change], act: Callable[[Once], Awaitable[None]]) -> str | None:
        try:
            await act(Once(self.open_handle(self.reaction.name), self.reaction, *changes))
        except _AWAY:
            raise
        except Exception as error:
            if isinstance(error, Problem) and error.status in (503, 507):
                raise
            log.warning("reactions.failed", reaction=self.reaction.name, change=changes[0].seq, exc_info=error)
            DELIVERIES.labels(self.reaction.name, "failed").inc()
            return fault(error)
        DELIVERIES.labels(self.reaction.name, "done").inc(len(changes))
        return None

    async def _park(self, change: Change, tries: int, reason: str, pause: float) -> None:
        self._waits = True
        async with self.db.connection() as connection:
            await connection.execute(
                sql.park, self.reaction.name, change.resident, change.seq, change.key, change.type, change.id,
                change.version, change.method, tries, reason, pause,
            )

    async def _retry(self) -> bool:
        """Deliver again what failed and is due, once in a polling interval; says whether there was any."""
        if time.monotonic() - self._retried < self.poll:
            return False
        self._retried = time.monotonic()
        async with self.db.connection() as connection:
            self._waits = await connection.fetchval(sql.any_waits, self.reaction.name)
            rows = await connection.fetch(sql.due_again, self.reaction.name, _RETRIES_A_ROUND) if self._waits else []
        for row in rows:
            await self._retry_one(row)
        return bool(rows)

    async def _retry_one(self, row: asyncpg.Record) -> None:
        change = Change(**{name: row[name] for name in ("seq", "resident", "key", "type", "id", "version", "method")})
        reason = await self._deliver(change)
        place = (self.reaction.name, change.resident, change.seq)
        async with self.db.connection() as connection:
            if reason is None:
                await connection.execute(sql.settled, *place)
            else:
                pause = self.reaction.pause(row["tries"] + 1)
                await connection.execute(sql.failed_again, *place, reason, pause, self.reaction.tries)


def _start(batch: Batch) -> Cursor:
    """Where a batch is to be read from."""
    return Cursor(batch.low, batch.high, batch.page[0].seq - 1, batch.last)


async def parked(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """Changes that wait or were given up, given-up ones first, with the reason; for the operator's page."""
    return [dict(row) for row in await connection.fetch(sql.parked, limit)]


async def resume(connection: Connection, reaction: str | None = None) -> int:
    """Let the given-up changes of one reaction, or of all, be tried again; returns how many."""
    return len(await connection.fetch(sql.resume, reaction))


async def delivered_below(connection: Connection) -> int | None:
    """The transaction number below which every reaction has seen all changes; None where none has begun to read."""
    return await connection.fetchval(sql.delivered_below)
