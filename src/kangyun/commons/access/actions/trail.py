"""The audit trail of one process: events are noted at once, kept before an answer leaves, and in the tables a moment later.

Kept means in the journal of this machine, which costs one write for all who are served in the same moment. It outlives whatever
process is killed. From there events go into the tables in groups of a tenth of a second, each one statement: the more is done, the
less each costs. So the power of the machine may take with it what happened in that tenth of a second, unless the operator lets
answers wait for the disk.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Self

import asyncpg
import structlog

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.errors import Problem, refuse
from kangyun.base.keys import KeyStore
from kangyun.commons.access.actions.journal import Journal, Left, left
from kangyun.commons.access.actions.lane import Lane, Witness, open_lane
from kangyun.commons.access.decisions.trail import Row, body_of, event_of, fits, forced, row_of, secret_of, sound
from kangyun.commons.access.model import Event
from kangyun.commons.access.queries.trail import SEAL_KEY

log = structlog.get_logger()

_MOST_AT_ONCE = 2000
# So many turns of the loop without a new event end the gathering of a group: an answer from PostgreSQL takes some turns to become one.
_QUIET_TURNS = 4
# How long events that are kept wait for company on their way into the tables, unless somebody wants to read them there.
_BEHIND_SECONDS = 0.1
# A disk that answers sooner than this is written to at once; a slower one by a thread, so that nobody else waits for it.
_QUICK_SECONDS = 0.001
# One group of so many is written at once in any case: a thread's time tells more of how busy the process is than of the disk.
_TRY_EVERY = 50
_MOST_ADDRESSES = 5000
_MOST_WAITING = 200_000
# Classes of SQLSTATE: data, integrity, limits.
_FAULTS = {"22", "23", "54"}
_PAUSES = (0.05, 0.2, 0.5, 1.0)

# An event, its body and its sealed part.
Entry = tuple[Event, bytes, bytes]


class _Line:
    """Those who wait until so many events have come somewhere."""

    def __init__(self) -> None:
        self._turns: deque[tuple[int, asyncio.Future[None]]] = deque()

    def until(self, number: int) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append((number, turn))
        return turn

    def reached(self, number: int) -> None:
        while self._turns and self._turns[0][0] <= number:
            _, turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)

    def refused(self, problem: Problem) -> None:
        """Nobody is kept waiting for what cannot be now."""
        turns, self._turns = self._turns, deque()
        for _, turn in turns:
            if not turn.done():
                turn.set_exception(problem)

    def __bool__(self) -> bool:
        return bool(self._turns)


class Trail:
    """What happened in this process, kept for good. `folder` is this machine's own: journals, and the ends of lanes.

    Without a folder there is no journal, and only what stands in the tables is kept. `on_disk`: nothing is kept before the
    disk has it. Works without being entered; entering gives the promise that everything noted is written on leaving.
    """

    def __init__(self, database: Database, keys: KeyStore, folder: Path | None = None, *, on_disk: bool = False) -> None:
        self._database = database
        self._keys = keys
        self._folder = folder
        self._on_disk = on_disk
        self._witness = Witness(folder) if folder else None
        self._journal = Journal(folder, keys, on_disk=on_disk) if folder else None
        self._name = self._journal.name if self._journal else secrets.token_hex(8)
        # How many events were ever noted, are kept, and stand in the tables.
        self._noted_ever = self._kept_ever = self._stored_ever = 0
        self._noted: list[Event] = []
        self._pending: list[Entry] = []
        self._for_disk, self._for_tables = _Line(), _Line()
        self._hurry = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._storing: asyncio.Task[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._opening = asyncio.Lock()
        self._lane: Lane | None = None
        self._took = 0.0
        self._groups = 0
        self._addresses: dict[str, bytes] = {}

    async def __aenter__(self) -> Self:
        """Nothing to do: the first event opens the lane."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what is left, as far as the database is there, and give the lane back."""
        await self.close()

    def note(self, event: Event) -> None:
        """Take an event; it is written soon, with the others of its moment."""
        self._noted.append(event)
        self._noted_ever += 1
        if self._keeping is None:
            self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def kept(self) -> None:
        """Return when everything noted so far is kept; raises Problem 503 when it cannot be now."""
        if self._journal is None:
            await self.settled()
        elif self._kept_ever < self._noted_ever:
            await self._for_disk.until(self._noted_ever)

    async def settled(self) -> None:
        """Return when everything noted so far stands in the tables; raises Problem 503 when it cannot be brought there now."""
        if self._stored_ever < self._noted_ever:
            turn = self._for_tables.until(self._noted_ever)
            self._hurry.set()
            self._begin_storing()
            await turn

    async def take_over(self) -> None:
        """Bring into the tables what ended processes of this machine left; the first event does so as well."""
        try:
            await self._held()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next who needs the lane tries again
            _away(error)

    async def close(self) -> None:
        """Write what is left and give the lane back; what cannot be written stays in the journal, or is counted in the log."""
        try:
            await self.settled()
        except Problem:
            log.error("audit.left" if self._journal else "audit.lost", count=self._noted_ever - self._stored_ever)
        for task in (self._keeping, self._storing):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        if self._writing is not None:
            # A thread goes on though nobody waits for it; the files are its until it has ended.
            await asyncio.wait({self._writing})
        gone = self._journal.close() if self._journal else True
        if self._lane is not None:
            if gone:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                    await self._lane.forget(self._name)
            await self._lane.close()
            self._lane = None
        if self._witness is not None:
            self._witness.close()

    async def _keep(self) -> None:
        """Keep what is noted, group by group."""
        failed = 0
        try:
            while self._noted:
                await self._gather()
                problem = await self._keep_group()
                failed = failed + 1 if problem else 0
                if problem:
                    self._for_disk.refused(problem)
                    self._for_tables.refused(problem)
                    self._spare()
                    await asyncio.sleep(_PAUSES[min(failed, len(_PAUSES)) - 1])
        finally:
            self._keeping = None

    async def _gather(self) -> None:
        """Let those who are served in this very moment come along: no pause, only the turns of the loop that bring more events."""
        before, quiet = 0, 0
        while len(self._noted) < _MOST_AT_ONCE and quiet < _QUIET_TURNS:
            quiet = 0 if before < len(self._noted) else quiet + 1
            before = len(self._noted)
            await asyncio.sleep(0)

    async def _keep_group(self) -> Problem | None:
        """What is wrong when the group cannot be kept; its events wait for the next turn then."""
        group = self._noted[:_MOST_AT_ONCE]
        if len(self._pending) + len(group) > _MOST_WAITING:
            return refuse(503, "transient", "base.database-away")
        try:
            entries = [self._entry(event) for event in group]
            if self._journal is not None:
                await self._to_disk(self._journal, entries)
        except Exception as error:  # noqa: BLE001 - whatever it is, the events stay and those who wait are told
            return _away(error)
        del self._noted[:len(group)]
        self._pending += entries
        self._kept_ever += len(group)
        self._for_disk.reached(self._kept_ever)
        self._begin_storing()
        return None

    async def _to_disk(self, journal: Journal, entries: list[Entry]) -> None:
        first, texts = self._kept_ever + 1, [(body, sealed) for _, body, sealed in entries]
        if not self._on_disk:
            journal.write(first, texts)
            return
        self._groups += 1
        if self._took >= _QUICK_SECONDS and self._groups % _TRY_EVERY:
            self._writing = asyncio.get_running_loop().run_in_executor(None, journal.write, first, texts)
            await asyncio.shield(self._writing)
            return
        began = time.perf_counter()
        journal.write(first, texts)
        self._took += (time.perf_counter() - began - self._took) / 4

    def _entry(self, event: Event) -> Entry:
        try:
            body = body_of(event)
            if fits(body) and sound(event):
                return event, body, self._sealed(event)
        except (TypeError, ValueError, AttributeError):
            pass  # A text that is no text: half of a pair of surrogates, or nothing at all.
        event = forced(event, clock.now())
        return event, body_of(event), self._sealed(event)

    def _sealed(self, event: Event) -> bytes:
        """Address and query, sealed; an address alone is sealed once, since it comes again with every request."""
        if event.query or not event.address:
            secret = secret_of(event)
            return self._keys.seal(SEAL_KEY, secret) if secret else b""
        found = self._addresses.get(event.address)
        if found is None:
            if len(self._addresses) >= _MOST_ADDRESSES:
                self._addresses.clear()
            found = self._addresses[event.address] = self._keys.seal(SEAL_KEY, secret_of(event))
        return found

    def _begin_storing(self) -> None:
        if self._storing is None and self._pending:
            self._storing = asyncio.get_running_loop().create_task(self._store())

    async def _store(self) -> None:
        """Bring into the tables what is kept, group by group."""
        failed = 0
        try:
            while self._pending:
                if self._journal is not None and not failed and not self._for_tables:
                    await self._linger()
                problem = await self._store_group()
                failed = failed + 1 if problem else 0
                if problem:
                    self._for_tables.refused(problem)
                    await self._flush()
                    await asyncio.sleep(_PAUSES[min(failed, len(_PAUSES)) - 1])
        finally:
            self._storing = None

    async def _flush(self) -> None:
        """Give the disk what cannot come into the tables now, unless it has it."""
        if self._journal is not None and not self._on_disk:
            self._writing = asyncio.get_running_loop().run_in_executor(None, self._journal.flush)
            with suppress(OSError):
                await asyncio.shield(self._writing)

    async def _linger(self) -> None:
        self._hurry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_BEHIND_SECONDS):
                await self._hurry.wait()

    async def _store_group(self) -> Problem | None:
        """What is wrong when the group cannot be stored; its events wait for the next turn then."""
        group: list[Entry] = []
        try:
            lane = await self._held()
            group = self._pending[:_MOST_AT_ONCE]
            upto = self._stored_ever + len(group)
            if group and not await self._append(lane, group, self._name, upto):
                log.error("audit.head_moved", number=lane.number)
                self._let_go()
            self._stand(upto)
        except asyncio.CancelledError:
            self._let_go()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the events stay and those who wait are told
            if _is_faulty(error):
                self._pending[:len(group)] = [self._entry(forced(event, clock.now())) for event, _, _ in group]
            self._let_go()
            return _away(error)
        return None

    def _stand(self, upto: int) -> None:
        """Events up to this number stand in the tables."""
        del self._pending[:upto - self._stored_ever]
        self._stored_ever = upto
        if self._journal is not None:
            self._journal.stored(upto)
        self._for_tables.reached(upto)

    async def _held(self) -> Lane:
        """The lane of this process, opened again when the connection was lost."""
        async with self._opening:
            if self._lane is None:
                lane = await open_lane(self._database.dsn, self._keys, self._witness)
                try:
                    # The last group may have been written, though we were not told.
                    upto = await lane.upto(self._name)
                    if upto > self._stored_ever:
                        self._stand(upto)
                    for one in left(self._folder) if self._folder else ():
                        await self._bring(lane, one)
                except BaseException:
                    lane.drop()
                    raise
                self._lane = lane
            return self._lane

    async def _bring(self, lane: Lane, one: Left) -> None:
        """Bring what an ended process left into the tables, once, and clear up after it."""
        try:
            after = await lane.upto(one.name)
            last, missing, texts = one.texts(self._keys, after)
            entries = [(number, (event_of(body), body, sealed)) for number, (body, sealed) in texts]
            if missing:
                entries.append((last, self._entry(Event(clock.now(), "trail", "system", "lost", outcome="failed", more=str(missing)))))
            for start in range(0, len(entries), _MOST_AT_ONCE):
                part = entries[start:start + _MOST_AT_ONCE]
                await self._append(lane, [entry for _, entry in part], one.name, part[-1][0])
        except BaseException:
            one.let_go()
            raise
        one.remove()
        await lane.forget(one.name)
        if entries:
            log.info("audit.taken_over", count=len(entries))

    async def _append(self, lane: Lane, group: list[Entry], journal: str, upto: int) -> bool:
        rows: list[Row] = []
        hash_, seq = lane.hash, lane.seq
        for event, body, sealed in group:
            seq += 1
            row = row_of(event, body, sealed, (lane.number, seq, hash_))
            hash_ = row[10]
            rows.append(row)
        return await lane.append(rows, journal, upto)

    def _let_go(self) -> None:
        if self._lane is not None:
            self._lane.drop()
        self._lane = None

    def _spare(self) -> None:
        """Hold no more than memory allows while nothing can be written; nobody was answered for what is dropped here."""
        excess = len(self._noted) - _MOST_WAITING
        if excess > 0:
            self._noted[:excess] = [Event(clock.now(), "trail", "system", "lost", outcome="failed", more=str(excess))]
            self._noted_ever -= excess - 1
            log.error("audit.lost", count=excess)


def _is_faulty(error: BaseException) -> bool:
    """Whether an event itself is to blame: a moment without a zone, a number too large, nothing where a text must be."""
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, ValueError | TypeError | OverflowError) or (
        state[:2] in _FAULTS and not isinstance(error, asyncpg.UniqueViolationError))


def _away(error: BaseException) -> Problem:
    log.error("audit.unwritten", error=type(error).__name__)
    return error if isinstance(error, Problem) else refuse(503, "transient", "base.database-away")
