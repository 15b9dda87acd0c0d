"""Kept messages as pages show them; bodies only where one message is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.commons.exchange.model import Reason, State
from kangyun.commons.exchange.queries import senders

sql = queries("kangyun.commons.exchange", "queries/messages.sql")

_MINUTES = 30


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the list of messages."""

    id: int
    sender: str
    form: str
    kind: str
    size: int
    received: datetime
    handled: datetime | None
    state: State
    reason: Reason | None
    patient: str | None
    entries: int

    @property
    def seconds(self) -> float | None:
        """From receipt to result."""
        return (self.handled - self.received).total_seconds() if self.handled else None


@dataclass(frozen=True, slots=True)
class Kept(Listed):
    """One message with its bytes as they are kept: `sealed` says how, see actions/sealing."""

    sender_key: int
    control_id: str
    content_hash: bytes
    sealed: int
    body: bytes | None
    tries: int
    next_try: datetime | None
    repeats: int | None
    channel: str
    origin: str
    occurred: datetime | None
    asked: int
    filled: int
    codes: int
    coded: int
    matching: str
    edits: int | None
    successor: int | None


@dataclass(slots=True)
class Volume:
    """One sender over the last half hour: messages by minute, oldest first."""

    sender: str
    minutes: list[int] = field(default_factory=lambda: [0] * _MINUTES)
    quarantined: int = 0
    latest: datetime | None = None
    delay: float | None = None

    @property
    def total(self) -> int:
        """Messages in the half hour."""
        return sum(self.minutes)


async def latest(
    connection: Connection, *, state: str | None = None, sender_key: int | None = None, before: int | None = None,
    limit: int = 50,
) -> list[Listed]:
    """The newest messages, filtered; `before` is the id of the last one already seen."""
    rows = await connection.fetch(sql.latest, state, sender_key, before, limit)
    return [Listed(**_read(row)) for row in rows]


async def one(connection: Connection, id_: int) -> Kept | None:
    """One message with its bytes, or None."""
    row = await connection.fetchrow(sql.one, id_)
    return Kept(**_read(row)) if row else None


async def states(connection: Connection, hours: int = 24) -> dict[str, int]:
    """How many messages of the last hours are in which state; whole hours that are counted already are not read again."""
    counted = await connection.fetchval(senders.sql.mark)
    counted = counted.replace(minute=0, second=0, microsecond=0) if counted.year > 1 else counted
    rows = await connection.fetch(sql.states, clock.now() - timedelta(hours=hours), counted)
    return {row["state"]: row["number"] for row in rows}


async def volumes(connection: Connection) -> list[Volume]:
    """The senders of the last half hour, busiest first."""
    found: dict[str, Volume] = {}
    for row in await connection.fetch(sql.volumes, clock.now()):
        volume = found.setdefault(row["sender"], Volume(row["sender"]))
        place = _MINUTES - 1 - min(max(row["minutes_ago"], 0), _MINUTES - 1)
        volume.minutes[place] += row["number"]
        volume.quarantined += row["quarantined"]
        if volume.latest is None or row["latest"] > volume.latest:
            volume.latest = row["latest"]
            volume.delay = float(row["delay"]) if row["delay"] is not None else None
    return sorted(found.values(), key=lambda volume: (-volume.total, volume.sender))


def _read(row: asyncpg.Record) -> dict[str, Any]:
    return {**dict(row), "reason": read_reason(row["reason"])}


def read_reason(text: str | None) -> Reason | None:
    """A reason from the table's text."""
    return Reason(**json.loads(text)) if text else None


def write_reason(reason: Reason | None) -> str | None:
    """A reason as the table's text."""
    if reason is None:
        return None
    fields = {name: getattr(reason, name) for name in ("key", "place", "params", "code", "occurrence")}
    return json.dumps(fields, ensure_ascii=False)
