"""Orders with their payments and refunds."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg
import orjson

from kangyun.base.database import Connection, queries
from kangyun.commons.access import key_of
from kangyun.support.payments.decisions.orders import line_of
from kangyun.support.payments.model import PACKAGE, Order, Payment, Refund

sql = queries(PACKAGE, "queries/orders.sql")

_MOST = 100


@dataclass(frozen=True, slots=True)
class Locked:
    """An order that nobody else changes until the transaction ends, with everything about it."""

    order: Order
    payments: list[Payment]
    refunds: list[Refund]


async def order_of(connection: Connection, id_: str) -> Order | None:
    """The order of that id."""
    row = await connection.fetchrow(sql.order_by_id, id_)
    return order(row) if row else None


async def order_by_key(connection: Connection, resident: int, key: str) -> Order | None:
    """The order that was made with that key."""
    row = await connection.fetchrow(sql.order_by_key, resident, key)
    return order(row) if row else None


async def lock(connection: Connection, id_: str) -> Locked | None:
    """The order of that id, locked: every change of an order, its payments and its refunds begins here."""
    return await _locked(connection, sql.lock_order, id_)


async def lock_by(connection: Connection, about: str, id_: str) -> Locked | None:
    """As `lock`, by the number of a payment or a refund."""
    return await _locked(connection, sql.lock_order_of_payment if about == "payment" else sql.lock_order_of_refund, id_)


async def _locked(connection: Connection, statement: str, id_: str) -> Locked | None:
    row = await connection.fetchrow(statement, id_)
    if row is None:
        return None
    about = await connection.fetchrow(sql.about_order, row["id"])
    assert about is not None
    return Locked(order(row), [payment(one) for one in about["payments"]], [refund(one) for one in about["refunds"]])


async def orders_of_person(connection: Connection, person: str, most: int = _MOST) -> list[Order]:
    """The orders of a Person, newest first."""
    return [order(row) for row in await connection.fetch(sql.orders_of_person, key_of("Person", person), most)]


async def orders_of_institution(connection: Connection, institution: str, state: str = "", id_: str = "", most: int = _MOST) -> list[Order]:
    """The orders that an institution (empty: any) is owed, newest first; of one state, or with one number."""
    return [order(row) for row in await connection.fetch(sql.orders_of_institution, institution, state, id_, most)]


async def payments_of(connection: Connection, order_id: str) -> list[Payment]:
    """All attempts to pay an order, the first one first."""
    return [payment(row) for row in await connection.fetch(sql.payments_of, order_id)]


async def payment_of(connection: Connection, id_: str) -> Payment | None:
    """The payment with that number."""
    row = await connection.fetchrow(sql.payment_by_id, id_)
    return payment(row) if row else None


async def refunds_of(connection: Connection, order_id: str) -> list[Refund]:
    """All refunds of an order, the first one first."""
    return [refund(row) for row in await connection.fetch(sql.refunds_of, order_id)]


async def refund_of(connection: Connection, id_: str) -> Refund | None:
    """The refund with that number."""
    row = await connection.fetchrow(sql.refund_by_id, id_)
    return refund(row) if row else None


async def refunds_asked(connection: Connection, institution: str) -> list[Refund]:
    """The refunds that payers have asked an institution (empty: any) for and that nobody has judged."""
    return [refund(row) for row in await connection.fetch(sql.refunds_asked, institution, _MOST)]


def order(row: asyncpg.Record) -> Order:
    """The order of a row."""
    return Order(
        row["resident"], row["id"], row["person"], row["patient"], row["institution"], row["source"], row["state"], row["total_fen"],
        row["paid_fen"], row["refunded_fen"], tuple(line_of(one) for one in orjson.loads(row["lines"])), row["made"], row["expires"],
        row["paid"], row["reason"],
    )


def payment(row: asyncpg.Record) -> Payment:
    """The payment of a row."""
    return Payment(
        row["resident"], row["id"], row["order_id"], row["channel"], row["scene"], row["state"], row["amount_fen"], row["link"], row["number"],
        row["made"], row["expires"], row["looks"], row["paid"], row["excess"],
    )


def refund(row: asyncpg.Record) -> Refund:
    """The refund of a row."""
    return Refund(
        row["resident"], row["id"], row["order_id"], row["payment_id"], row["state"], row["amount_fen"], row["reason"], row["asked_by"],
        row["number"], row["made"], row["looks"], row["done"], row["channel"], row["excess"],
    )
