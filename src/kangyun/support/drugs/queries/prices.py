"""What a package costs at an institution: its own price where it has set one, else that of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.support.drugs.model import Drug

sql = queries("kangyun.support.drugs", "queries/prices.sql")


async def prices_of(connection: Connection, institution: str, drugs: Mapping[str, Drug]) -> dict[str, int]:
    """The price of one package in fen by code, for the drugs asked about."""
    own = {row["code"]: int(row["fen"]) for row in await connection.fetch(sql.now, institution, list(drugs), clock.now())}
    return {code: own.get(code, drug.price) for code, drug in drugs.items()}


async def own_prices(connection: Connection, institution: str) -> dict[str, tuple[int, datetime]]:
    """The prices that an institution has set, in fen, with the moment from which they hold."""
    return {row["code"]: (int(row["fen"]), row["since"]) for row in await connection.fetch(sql.all, institution, clock.now())}
