"""Senders as they are registered, and what the hourly counts say of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from kangyun.base.database import Connection, queries
from kangyun.commons.exchange.decisions.registrations import Registration, registration

sql = queries("kangyun.commons.exchange", "queries/senders.sql")


@dataclass(frozen=True, slots=True)
class Total:
    """A sender's messages over a time; `asked` and `filled` in the order of model.MEASURED."""

    sender_key: int
    sender: str
    stored: int
    quarantined: int
    duplicate: int
    dismissed: int
    waiting: int
    bytes: int
    latest: datetime
    told: int
    on_time: int
    arrival_seconds: float
    handled: int
    handling_seconds: float
    asked: tuple[int, ...]
    filled: tuple[int, ...]
    codes: int
    coded: int
    linked: int
    reviewed: int
    created: int

    @property
    def received(self) -> int:
        """All that arrived."""
        return self.stored + self.quarantined + self.duplicate + self.dismissed + self.waiting


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which a sender said nothing though it should have; `expected` messages are missing."""

    sender_key: int
    sender: str
    since: datetime
    expected: float
    noticed: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a sender's registration, and who made it."""

    number: int
    registration: Registration
    changed: datetime
    actor: str


@dataclass(slots=True)
class Habit:
    """What a sender sent in each hour of the week since it is known, Monday 0 o'clock first."""

    sender: str
    counts: list[int] = field(default_factory=lambda: [0] * 168)


def registration_of(row: Any) -> Registration:
    """A registration from its row."""
    return registration(row["sender"], orjson.loads(row["body"]))


async def versions(connection: Connection, sender_key: int) -> list[Version]:
    """The versions of a sender's registration, newest first."""
    rows = await connection.fetch(sql.versions, sender_key)
    return [Version(row["version"], registration_of(row), row["changed"], row["actor"]) for row in rows]


async def totals(connection: Connection, start: datetime, end: datetime, sender_key: int | None = None) -> list[Total]:
    """Each sender over a time, busiest first."""
    rows = await connection.fetch(sql.totals, start, end, sender_key)
    found = [Total(**{name: _plain(value) for name, value in row.items()}) for row in rows]
    return sorted(found, key=lambda one: (-one.received, one.sender))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(int(one or 0) for one in list[Any](value))
    return value


async def hours(connection: Connection, sender_key: int, start: datetime, end: datetime) -> list[tuple[datetime, Total]]:
    """A sender's hours that had messages, oldest first."""
    rows = await connection.fetch(sql.hours, sender_key, start, end)
    names = Total.__dataclass_fields__
    return [(row["hour"], Total(**{name: _plain(row[name]) for name in names})) for row in rows]


async def reasons(connection: Connection, start: datetime, end: datetime, sender_key: int | None = None) -> list[tuple[int, str, int]]:
    """Why messages were refused: (sender key, message key, number), most frequent first."""
    return [(row["sender_key"], row["reason"], row["number"]) for row in await connection.fetch(sql.reasons, start, end, sender_key)]


async def habits(connection: Connection, start: datetime, end: datetime) -> dict[int, Habit]:
    """What each sender sent in each hour of the week, summed over the time."""
    found: dict[int, Habit] = {}
    for row in await connection.fetch(sql.habits, start, end):
        habit = found.setdefault(row["sender_key"], Habit(row["sender"]))
        habit.counts[row["slot"]] += row["number"]
    return found


async def heard(connection: Connection) -> dict[int, tuple[str, datetime, datetime]]:
    """Each sender's name, first and latest message."""
    return {row["sender_key"]: (row["sender"], row["first"], row["latest"]) for row in await connection.fetch(sql.heard)}


async def silences(connection: Connection, sender_key: int | None = None) -> list[Silence]:
    """Who is silent now; or the silences of one sender, latest first."""
    rows = await (connection.fetch(sql.silences_of, sender_key) if sender_key is not None else connection.fetch(sql.silences))
    return [Silence(**dict(row)) for row in rows]


async def pauses(connection: Connection) -> dict[int, tuple[datetime, str]]:
    """The senders whose messages are not tried again, since when and by whom."""
    return {row["sender_key"]: (row["since"], row["actor"]) for row in await connection.fetch(sql.pauses)}
