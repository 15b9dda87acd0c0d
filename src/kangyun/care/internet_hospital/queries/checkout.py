"""Reads of checkouts: the money of a consultation or a prescription, as it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kangyun.base.database import Connection, queries
from kangyun.base.money import Fen
from kangyun.care.internet_hospital.decisions.checkout import Quote

sql = queries("kangyun.care.internet_hospital", "queries/checkout.sql")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A row of internet_hospital_checkout; the migration says what the columns mean."""

    resident: int
    id: str
    kind: str
    about: str
    patient: str
    payer: str
    institution: str
    state: str
    quote: Quote
    cash: Fen
    total: Fen
    order_id: str | None
    settlement: str | None
    reason: str | None
    opened: datetime
    expires: datetime
    moved: datetime

    def at(self, state: str, settlement: str | None = None) -> Checkout:
        """The same one step further, perhaps with its settlement."""
        return replace(self, state=state, settlement=settlement or self.settlement)


def of_row(row: Any) -> Checkout:
    """The checkout of a row."""
    told: dict[str, Any] = {**row, "quote": Quote.of(row["quote"])}
    return Checkout(**told)


async def standing(connection: Connection, kind: str, about: str) -> Checkout | None:
    """The checkout that is on its way or done for a consultation or a prescription; none once it went back."""
    row = await connection.fetchrow(sql.standing, kind, about)
    return of_row(row) if row else None


async def last_about(connection: Connection, kind: str, about: str) -> Checkout | None:
    """The last checkout of a consultation or a prescription, also one that went back."""
    row = await connection.fetchrow(sql.last_about, kind, about)
    return of_row(row) if row else None


async def named(connection: Connection, id_: str) -> Checkout | None:
    """The checkout of an id."""
    row = await connection.fetchrow(sql.named, id_)
    return of_row(row) if row else None


async def of_order(connection: Connection, order: str) -> Checkout | None:
    """The checkout that an order of payments is for."""
    row = await connection.fetchrow(sql.of_order, order)
    return of_row(row) if row else None


async def of_settlement(connection: Connection, settlement: str) -> Checkout | None:
    """The checkout that a settlement of insurance is for."""
    row = await connection.fetchrow(sql.of_settlement, settlement)
    return of_row(row) if row else None


async def of_key(connection: Connection, resident: int, id_: str) -> Checkout:
    """The checkout of a resident's key and an id; it is there, since checkouts are never deleted."""
    return of_row(await connection.fetchrow(sql.one, resident, id_))
