"""What is on the shelves of pharmacies, in the smallest unit of each drug; what has expired is not there."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from kangyun.base.database import Connection, queries
from kangyun.support.drugs.model.circulation import Shelf
from kangyun.support.drugs.queries.prescribers import today

sql = queries("kangyun.support.drugs", "queries/stock.sql")


async def shelf_of(connection: Connection, pharmacy: str, codes: Sequence[str]) -> dict[str, Decimal]:
    """How much a pharmacy has of some drugs."""
    return {row["code"]: row["amount"] for row in await connection.fetch(sql.amounts, pharmacy, list(codes), today())}


async def having(connection: Connection, pharmacies: Sequence[str], codes: Sequence[str]) -> dict[str, dict[str, Decimal]]:
    """How much some pharmacies have of some drugs, by pharmacy and code."""
    found: dict[str, dict[str, Decimal]] = {}
    for row in await connection.fetch(sql.having, list(pharmacies), list(codes), today()):
        found.setdefault(row["pharmacy"], {})[row["code"]] = row["amount"]
    return found


async def whole_shelf(connection: Connection, pharmacy: str) -> list[Shelf]:
    """Everything that a pharmacy has counted."""
    return [Shelf(**dict(row)) for row in await connection.fetch(sql.shelf, pharmacy)]
