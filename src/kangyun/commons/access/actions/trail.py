"""The audit trail of one process: events are noted at once and written in groups, each group one durable statement.

While one group is on its way to the disk, the next gathers; so the more callers wait, the fewer statements each costs.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

import asyncpg
import structlog

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.errors import Problem, refuse
from kangyun.base.keys import KeyStore
from kangyun.commons.access.actions.lane import Lane, Witness, open_lane
from kangyun.commons.access.decisions.trail import Row, body_of, fits, forced, row_of, secret_of, tidy
from kangyun.commons.access.model import Event
from kangyun.commons.access.queries.trail import SEAL_KEY

log = structlog.get_logger()

_MOST_AT_ONCE = 2000
# So many turns of the loop without a new event end the gathering of a group: an answer from PostgreSQL takes some turns to become one.
_QUIET_TURNS = 12
_MOST_ADDRESSES = 5000
_MOST_WAITING = 200_000
# Classes of SQLSTATE: data, integrity, limits.
_FAULTS = {"22", "23", "54"}
_PAUSES = (0.05, 0.2, 0.5, 1.0)


class Trail:
    """What happened in this process, kept for good. `folder` is where this machine remembers the ends of its lanes.

    Works without being entered; entering gives the promise that everything noted is written on leaving.
    """

    def __init__(self, database: Database, keys: KeyStore, folder: Path | None = None) -> None:
        self._database = database
        self._keys = keys
        self._witness = Witness(folder) if folder else None
        self._noted: list[Event] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._under_way: list[asyncio.Future[None]] = []
        self._writing: asyncio.Task[None] | None = None
        self._lane: Lane | None = None
        self._unsure: tuple[int, int, bytes, int] | None = None
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
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def settled(self) -> None:
        """Return when everything noted so far is durable; raises Problem 503 when it cannot be made so now."""
        if self._noted:
            waiting = self._waiting
        elif self._writing is not None:
            waiting = self._under_way
        else:
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        await turn

    async def close(self) -> None:
        """Write what is left and give the lane back; what cannot be written is counted in the log."""
        try:
            await self.settled()
        except Problem:
            log.error("audit.lost", count=len(self._noted))
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait({self._writing})
        if self._lane is not None:
            await self._lane.close()
            self._lane = None
        if self._witness is not None:
            self._witness.close()

    async def _write(self) -> None:
        failed = 0
        try:
            while self._noted:
                await self._gather()
                problem = await self._write_group()
                failed = failed + 1 if problem else 0
                self._tell(problem)
                if problem:
                    self._spare()
                    await asyncio.sleep(_PAUSES[min(failed, len(_PAUSES)) - 1])
        finally:
            self._writing = None

    async def _gather(self) -> None:
        """Let those who are served in this very moment come along: no pause, only the turns of the loop that bring more events."""
        before, quiet = 0, 0
        while len(self._noted) < _MOST_AT_ONCE and quiet < _QUIET_TURNS:
            quiet = 0 if before < len(self._noted) else quiet + 1
            before = len(self._noted)
            await asyncio.sleep(0)

    async def _write_group(self) -> Problem | None:
        """Make one group durable; what is wrong when that fails, and then its events wait for the next turn."""
        group: list[Event] = []
        try:
            lane = await self._held()
            group, self._noted = self._noted[:_MOST_AT_ONCE], self._noted[_MOST_AT_ONCE:]
            if not self._noted:
                self._under_way, self._waiting = self._waiting, []
            await self._append(lane, group)
        except asyncio.CancelledError:
            self._noted = group + self._noted
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the events stay and those who wait are told
            if _is_faulty(error):
                group = [forced(event, clock.now()) for event in group]
            self._noted = group + self._noted
            self._under_way, self._waiting = [*self._under_way, *self._waiting], []
            self._let_go()
            return _away(error)
        return None

    async def _held(self) -> Lane:
        """The lane of this process, opened again when the connection was lost."""
        if self._lane is None:
            self._lane = await open_lane(self._database.dsn, self._keys, self._witness, self._unsure and self._unsure[0])
        if self._unsure is not None:
            number, seq, hash_, count = self._unsure
            if await self._lane.holds(number, seq, hash_):
                del self._noted[:count]
            self._unsure = None
        return self._lane

    async def _append(self, lane: Lane, group: list[Event]) -> None:
        rows: list[Row] = []
        hash_, seq = lane.hash, lane.seq
        for event in group:
            seq += 1
            row = self._row(event, (lane.number, seq, hash_))
            hash_ = row[10]
            rows.append(row)
        if not rows:
            return
        self._unsure = (lane.number, seq, hash_, len(group))
        if not await lane.append(rows):
            log.error("audit.head_moved", number=lane.number)
            self._let_go()
        self._unsure = None

    def _row(self, event: Event, place: tuple[int, int, bytes]) -> Row:
        try:
            body = body_of(event)
            if fits(body):
                return row_of(event, body, self._sealed(event), place)
        except (TypeError, ValueError):
            pass  # A text that is no text: half of a pair of surrogates.
        event = tidy(event)
        return row_of(event, body_of(event), self._sealed(event), place)

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

    def _let_go(self) -> None:
        if self._lane is not None:
            self._lane.drop()
        self._lane = None

    def _tell(self, problem: Problem | None) -> None:
        """Answer those who waited for the group."""
        for turn in self._under_way:
            if turn.done():
                continue
            if problem is None:
                turn.set_result(None)
            else:
                turn.set_exception(problem)
        self._under_way = []

    def _spare(self) -> None:
        """Hold no more than memory allows while the database is away; nobody was answered for what is dropped here."""
        excess = len(self._noted) - _MOST_WAITING
        if excess > 0 and self._unsure is None:
            self._noted[:excess] = [Event(clock.now(), "trail", "system", "lost", outcome="failed", more=str(excess))]
            log.error("audit.lost", count=excess)


def _is_faulty(error: BaseException) -> bool:
    """Whether an event itself is to blame: a moment without a zone, a number too large, nothing where a text must be."""
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, ValueError | TypeError | OverflowError) or (
        state[:2] in _FAULTS and not isinstance(error, asyncpg.UniqueViolationError))


def _away(error: BaseException) -> Problem:
    log.error("audit.unwritten", error=type(error).__name__)
    return error if isinstance(error, Problem) else refuse(503, "transient", "base.database-away")
