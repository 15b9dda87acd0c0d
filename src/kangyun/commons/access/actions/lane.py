"""One lane of the audit trail: a chain of rows that one process at a time continues, on a connection of its own.

A lane is held by an advisory lock, which goes with the connection, so after a crash another process continues where the
chain ended. A lane whose end does not fit together is left as it is, for `kangyun verify-audit` to name.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import structlog

from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.base.keys import KeyStore
from kangyun.commons.access.decisions.trail import START, Row, head_text

log = structlog.get_logger()
sql = queries("kangyun.commons.access", "queries/trail.sql")

HEAD_KEY = "audit-head"
# Our own number among the advisory locks of the database; the second number is the lane.
_LOCK = 23_100
_SECONDS = 20.0
# How late the end of a lane may be remembered: writing it down after each group would cost more than the group's hashes.
_REMEMBER_SECONDS = 0.05
_MOST_NEW = 1000


class Lane:
    """A lane that this process holds: `seq` and `hash` are of its last row."""

    def __init__(self, connection: Connection, keys: KeyStore, number: int, witness: Witness | None) -> None:
        self.number = number
        self.seq = 0
        self.hash = START
        self._connection = connection
        self._keys = keys
        self._witness = witness
        self._remembering: asyncio.TimerHandle | None = None

    async def prepare(self) -> bool:
        """Find the end of the chain; False when it does not fit together."""
        await self._connection.execute(sql.begin, self.number, START, self._mac(0, START))
        head = await self._connection.fetchrow(sql.head, self.number)
        assert head is not None
        self.seq, self.hash = head["seq"], head["hash"]
        last = await self._connection.fetchrow(sql.last, self.number)
        self._append = await self._connection.prepare(sql.append)
        ends = last is None or (last["seq"], last["hash"]) == (self.seq, self.hash)
        return ends and head["mac"] == self._mac(self.seq, self.hash) and await self._is_witnessed()

    async def append(self, rows: Sequence[Row], journal: str, upto: int) -> bool:
        """Write rows that continue the chain, the last event of a journal among them; durable on return.

        False when somebody else has touched the head.
        """
        seq, hash_ = rows[-1][1], rows[-1][10]
        moved = await self._append.fetchval(rows, self.number, seq, hash_, self._mac(seq, hash_), journal, upto)
        self.seq, self.hash = seq, hash_
        if self._witness and self._remembering is None:
            self._remembering = asyncio.get_running_loop().call_later(_REMEMBER_SECONDS, self._remember)
        return moved is not None

    async def upto(self, journal: str) -> int:
        """The number of a journal's last event that stands in the tables."""
        return await self._connection.fetchval(sql.upto, journal) or 0

    async def forget(self, journal: str) -> None:
        """A journal's files are gone."""
        await self._connection.execute(sql.forget_journal, journal)

    async def _holds(self, lane: int, seq: int, hash_: bytes) -> bool:
        return await self._connection.fetchval(sql.hash_of, lane, seq) == hash_

    async def close(self) -> None:
        """Let others have the lane."""
        self._remember()
        await self._connection.close(timeout=2)

    def drop(self) -> None:
        """Close at once a connection that nobody knows the state of."""
        self._remember()
        self._connection.terminate()

    def _remember(self) -> None:
        if self._remembering is not None and self._witness is not None:
            self._remembering.cancel()
            self._remembering = None
            self._witness.write(self.number, self.seq, self.hash)

    def _mac(self, seq: int, hash_: bytes) -> bytes:
        return self._keys.mac(HEAD_KEY, head_text(self.number, seq, hash_))

    async def _is_witnessed(self) -> bool:
        """Whether the chain still holds what this machine saw last: an old head with its old mac would look true."""
        seen = self._witness.read(self.number) if self._witness else None
        if seen is None or seen[0] == 0:
            return True
        if seen == (self.seq, self.hash):
            return True
        return seen[0] < self.seq and await self._holds(self.number, *seen)


class Witness:
    """What this machine saw last of each lane, in files that nobody reaches through the database.

    It is written soon after each group, without waiting for the disk: a killed process leaves it a moment behind, a
    machine without power perhaps some seconds.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._open: dict[int, int] = {}

    def write(self, lane: int, seq: int, hash_: bytes) -> None:
        """Remember the end of a lane."""
        handle = self._open.get(lane)
        if handle is None:
            handle = self._open[lane] = os.open(self._path(lane), os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(handle, f"{seq:020} {hash_.hex()}\n".encode(), 0)

    def read(self, lane: int) -> tuple[int, bytes] | None:
        """The last seq and hash seen; None when this machine never wrote the lane."""
        try:
            seq, _, hash_ = self._path(lane).read_text("ascii").strip().partition(" ")
        except FileNotFoundError:
            return None
        return int(seq), bytes.fromhex(hash_)

    def lanes(self) -> list[int]:
        """All lanes that this machine ever wrote."""
        return sorted(int(path.name.removeprefix("lane-")) for path in self._folder.glob("lane-*"))

    def close(self) -> None:
        """Close the files."""
        for handle in self._open.values():
            os.close(handle)
        self._open.clear()

    def _path(self, lane: int) -> Path:
        return self._folder / f"lane-{lane}"


async def open_lane(dsn: str, keys: KeyStore, witness: Witness | None) -> Lane:
    """Hold a lane; raises what the driver raises while the database is away."""
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=_SECONDS, server_settings={
        "application_name": "kangyun-audit", "synchronous_commit": "on", "timezone": "UTC", "jit": "off",
        "statement_timeout": str(int(_SECONDS * 1000)),
    })
    try:
        for number in await _known(connection):
            if not await connection.fetchval(sql.take, _LOCK, number):
                continue
            lane = Lane(connection, keys, number, witness)
            if await lane.prepare():
                return lane
            log.error("audit.lane_refused", number=number)
            await connection.execute(sql.leave, _LOCK, number)
    except BaseException:
        connection.terminate()
        raise
    connection.terminate()
    raise refuse(503, "transient", "base.database-away")


async def _known(connection: Connection) -> list[int]:
    """The lanes to try: those that exist, then new ones."""
    lanes = [row["lane"] for row in await connection.fetch(sql.lanes)]
    return [*lanes, *range(max(lanes, default=0) + 1, max(lanes, default=0) + _MOST_NEW)]
