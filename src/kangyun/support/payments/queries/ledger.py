"""The books: balances, entries, what institutions are owed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from kangyun.base.database import Connection, queries
from kangyun.base.money import Fen
from kangyun.support.payments.model import PACKAGE

sql = queries(PACKAGE, "queries/ledger.sql")

_MOST = 200


@dataclass(frozen=True, slots=True)
class Balance:
    """What stands on an account; debits are positive."""

    account: str
    fen: Fen
    postings: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting of an account with the transaction that it is a side of."""

    transaction: int
    kind: str
    reference: str
    at: datetime
    day: date
    fen: Fen


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an institution is paid for the days up to one; state: made, or paid with the bank's reference."""

    id: str
    institution: str
    day: date
    amount_fen: Fen
    state: str
    bank_reference: str
    made: datetime
    paid: datetime | None


async def balances(connection: Connection) -> list[Balance]:
    """All accounts; their sum is nothing."""
    return [Balance(row["account"], row["fen"], row["postings"]) for row in await connection.fetch(sql.balances)]


async def balance(connection: Connection, account: str) -> Fen:
    """What stands on an account."""
    return int(await connection.fetchval(sql.balance, account))


async def entries(connection: Connection, account: str) -> list[Entry]:
    """The newest postings of an account."""
    return [Entry(row["id"], row["kind"], row["reference"], row["at"], row["day"], row["fen"]) for row in await connection.fetch(sql.entries, account, _MOST)]


async def owed(connection: Connection, day: date) -> dict[str, Fen]:
    """What each institution is owed for the days up to one, less what was settled since; never nothing."""
    return {row["institution"]: row["fen"] for row in await connection.fetch(sql.owed, day)}


async def settlements(connection: Connection, institution: str = "") -> list[Settlement]:
    """Settlements, newest first; of one institution."""
    return [
        Settlement(row["id"], row["institution"], row["day"], row["amount_fen"], row["state"], row["bank_reference"], row["made"], row["paid"])
        for row in await connection.fetch(sql.settlements, institution, _MOST)
    ]
