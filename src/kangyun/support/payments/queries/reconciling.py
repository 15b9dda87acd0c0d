"""Days of channels, and where their bills and we disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from kangyun.base.database import Connection, queries
from kangyun.base.money import Fen
from kangyun.support.payments.decisions.reconciling import Ours
from kangyun.support.payments.model import PACKAGE, BillRow

sql = queries(PACKAGE, "queries/reconciling.sql")

_MOST = 200


@dataclass(frozen=True, slots=True)
class Day:
    """A channel's day as it was compared: both sides' sums, and how many differences there were and are left."""

    channel: str
    day: date
    theirs_count: int
    theirs_fen: Fen
    theirs_refund_fen: Fen
    fee_fen: Fen
    ours_count: int
    ours_fen: Fen
    ours_refund_fen: Fen
    made: datetime
    differences: int
    unresolved: int


@dataclass(frozen=True, slots=True)
class Found:
    """A difference as it is kept. subject: the number of the payment or refund."""

    id: int
    channel: str
    day: date
    kind: str
    about: str
    subject: str
    ours_fen: Fen | None
    theirs_fen: Fen | None
    ours: str
    theirs: str
    state: str
    resolution: str
    note: str
    at: datetime | None


_SHOWN = Found.__slots__


async def ours_of(connection: Connection, channel: str, day: date, rows: Sequence[BillRow]) -> list[Ours]:
    """What we have of a channel's day, and whatever else of ours its bill names."""
    payments = [row.id for row in rows if row.about == "payment"]
    refunds = [row.id for row in rows if row.about == "refund"]
    found = await connection.fetch(sql.ours, channel, day, payments, refunds)
    return [Ours(row["about"], row["id"], row["amount_fen"], row["state"], row["counted"]) for row in found]


async def shares(connection: Connection, channel: str, day: date) -> Mapping[str, tuple[Fen, Fen]]:
    """What was paid for each institution and what was given back."""
    found: dict[str, tuple[Fen, Fen]] = {}
    for row in await connection.fetch(sql.shares, channel, day):
        paid, back = found.get(row["institution"], (0, 0))
        found[row["institution"]] = (paid + row["paid"], back + row["back"])
    return found


async def days(connection: Connection) -> list[Day]:
    """The days that were compared, newest first."""
    return [Day(**dict(row)) for row in await connection.fetch(sql.reconciliations, _MOST)]


async def differences(connection: Connection, channel: str = "", day: date | None = None, state: str = "") -> list[Found]:
    """Differences: all, or those of a channel, a day, a state (open, resolved)."""
    return [found_of(row) for row in await connection.fetch(sql.differences, channel, day, state, _MOST)]


def found_of(row: asyncpg.Record) -> Found:
    """The difference of a row."""
    return Found(**{name: row[name] for name in _SHOWN})


async def is_ours(connection: Connection, subject: str) -> bool:
    """Whether a number is that of a payment or refund of ours."""
    return bool(await connection.fetchval(sql.is_ours, subject))


async def not_reconciled(connection: Connection, channels: Sequence[str], day: date) -> list[str]:
    """The channels that were used on a day and whose bill of it was not compared yet."""
    return [row["channel"] for row in await connection.fetch(sql.not_reconciled, list(channels), day)]


@dataclass(frozen=True, slots=True)
class Noted:
    """What a channel's notice was taken for: taken, repeated, nothing, unknown, amount or forged."""

    at: datetime
    channel: str
    verdict: str
    about: str


async def channel_notices(connection: Connection) -> list[Noted]:
    """The newest notices of channels that were not taken well."""
    return [Noted(row["at"], row["channel"], row["verdict"], row["about"]) for row in await connection.fetch(sql.doubtful_notices, 50)]
