"""Codes that no map translates, with how often they came and what people decided about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kangyun.base.database import Connection, queries

sql = queries("kangyun.commons.exchange", "queries/codes.sql")

PAGE = 50


@dataclass(frozen=True, slots=True)
class UnknownCode:
    """One local code of one sender in one role."""

    sender_key: int
    sender: str
    system: str
    code: str
    display: str
    role: str
    number: int
    first_seen: datetime
    last_seen: datetime
    state: str
    target_system: str | None
    target_code: str | None
    decided: datetime | None
    decided_by: str | None
    recoded: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """What a person narrows the list to."""

    state: str = "open"
    sender: str | None = None
    role: str | None = None
    asked: str | None = None


async def listed(connection: Connection, by: Filter, offset: int = 0) -> list[UnknownCode]:
    """A page of codes, the most frequent first; decided ones the latest first."""
    rows = await connection.fetch(sql.listed, by.state, by.sender, by.role, by.asked, offset, PAGE)
    return [UnknownCode(**dict(row)) for row in rows]


async def one(connection: Connection, sender_key: int, system: str, code: str, role: str) -> UnknownCode | None:
    """One code, or None."""
    row = await connection.fetchrow(sql.one, sender_key, system, code, role)
    return UnknownCode(**dict(row)) if row else None


async def states(connection: Connection) -> dict[str, int]:
    """How many codes are in each state."""
    return {row["state"]: row["number"] for row in await connection.fetch(sql.states)}


async def senders(connection: Connection) -> dict[str, int]:
    """The senders with open codes, those with the most first."""
    return {row["sender"]: row["number"] for row in await connection.fetch(sql.senders)}
