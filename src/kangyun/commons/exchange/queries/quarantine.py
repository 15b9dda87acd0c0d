"""What waits for a person: held messages, alone and by sender and reason, their notes, and replays of many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from typing import Any

from kangyun.base.database import Connection, queries
from kangyun.commons.exchange.queries.messages import Listed, read_reason

sql = queries("kangyun.commons.exchange", "queries/quarantine.sql")


@dataclass(frozen=True, slots=True)
class Held(Listed):
    """A message that was not stored; `next_try` far in the future means that a person stopped its retries."""

    tries: int
    next_try: datetime | None

    @property
    def stopped(self) -> bool:
        """Whether a person stopped its retries."""
        return self.next_try is not None and self.next_try.year == MAXYEAR


@dataclass(frozen=True, slots=True)
class Group:
    """Messages of one sender and form with one reason."""

    sender_key: int
    sender: str
    reason: str
    form: str
    number: int
    first: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody did to a message."""

    moment: datetime
    actor: str
    act: str
    said: str


@dataclass(frozen=True, slots=True)
class Run:
    """One replay of many messages."""

    id: int
    sender: str | None
    reason: str | None
    form: str | None
    total: int
    done: int
    stored: int
    state: str
    actor: str
    started: datetime
    ended: datetime | None
    last: int
    position: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which held messages: `what` is quarantined, waiting or dismissed; None means any."""

    what: str = "quarantined"
    sender_key: int | None = None
    reason: str | None = None
    form: str | None = None


async def held(connection: Connection, wanted: Wanted, before: int | None = None, limit: int = 50) -> list[Held]:
    """Held messages, newest first; `before` is the id of the last one already seen."""
    rows = await connection.fetch(sql.held, wanted.what, wanted.sender_key, wanted.reason, wanted.form, before, limit)
    return [Held(**_read(row)) for row in rows]


def _read(row: Any) -> dict[str, Any]:
    return {**dict(row), "reason": read_reason(row["reason"])}


async def groups(connection: Connection) -> list[Group]:
    """What stands in quarantine by sender, reason and form, most first."""
    rows: list[dict[str, Any]] = [{**dict(row), "reason": row["reason"] or ""} for row in await connection.fetch(sql.groups)]
    return [Group(**row) for row in rows]


async def held_counts(connection: Connection) -> dict[str, int]:
    """How many messages are quarantined, waiting for a retry, dismissed."""
    row = await connection.fetchrow(sql.counts)
    return dict(row) if row else {}


async def notes(connection: Connection, sender_key: int, message: int) -> list[Note]:
    """What was done to a message, first first."""
    return [Note(**dict(row)) for row in await connection.fetch(sql.notes, sender_key, message)]


async def runs(connection: Connection, limit: int = 5) -> list[Run]:
    """The latest replays of many messages."""
    return [Run(**dict(row)) for row in await connection.fetch(sql.runs, limit)]


async def run(connection: Connection, number: int) -> Run | None:
    """One replay of many messages."""
    row = await connection.fetchrow(sql.run, number)
    return Run(**dict(row)) if row else None
