"""The queue of documents for the province, as pages show it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kangyun.base.database import Connection, queries
from kangyun.base.errors import Issue

sql = queries("kangyun.commons.exchange", "queries/upload.sql")

STATES = ("waiting", "sending", "accepted", "refused", "incomplete", "unchanged", "replaced")


@dataclass(frozen=True, slots=True)
class Queued:
    """One version of one document; `reason` is an Issue where something is in the way."""

    id: int
    patient: str
    document: str
    state: str
    created: datetime
    handled: datetime | None
    tries: int
    next_try: datetime
    version: int | None
    receipt: str | None
    reason: Issue | None


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when and by whom the upload is stopped."""

    since: datetime
    by_whom: str


async def latest(connection: Connection, *, state: str | None = None, before: int | None = None, limit: int = 50) -> list[Queued]:
    """The newest versions, filtered; `before` is the id of the last one already seen."""
    rows = await connection.fetch(sql.latest, state, before, limit)
    return [_queued(row) for row in rows]


def _queued(row: Any) -> Queued:
    found: dict[str, Any] = {**dict(row), "reason": read_reason(row["reason"])}
    return Queued(**found)


async def counts(connection: Connection) -> dict[str, int]:
    """How many versions are in which state."""
    return {row["state"]: row["number"] for row in await connection.fetch(sql.counts)}


async def pause(connection: Connection) -> Pause | None:
    """The stop that a person has ordered, or None."""
    row = await connection.fetchrow(sql.paused)
    return Pause(row["since"], row["by_whom"]) if row else None


def read_reason(text: str | None) -> Issue | None:
    """A reason from the table's text."""
    if not text:
        return None
    found = json.loads(text)
    return Issue("processing", found["key"], found["params"])


def write_reason(key: str, **params: str) -> str:
    """A reason as the table's text."""
    return json.dumps({"key": key, "params": params}, ensure_ascii=False)
