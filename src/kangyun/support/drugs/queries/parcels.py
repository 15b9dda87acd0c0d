"""Parcels and the log of their temperature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.drugs.model.circulation import Parcel

sql = queries("kangyun.support.drugs", "queries/parcels.sql")


async def parcel_of(handle: Handle, id_: str) -> Parcel | None:
    """A parcel by its id; None when there is none."""
    async with handle.connection() as connection:
        row = await connection.fetchrow(sql.one, id_)
    return Parcel(**dict(row)) if row else None


async def one_locked(connection: Connection, id_: str) -> Parcel:
    """A parcel whose row is kept until the transaction ends. Raises Problem 404."""
    row = await connection.fetchrow(sql.hold, id_)
    if row is None:
        raise refuse(404, "not-found", "drugs.no-parcel")
    return Parcel(**dict(row))


async def of_courier(handle: Handle, courier: str, states: Sequence[str], most: int = 200) -> list[Parcel]:
    """The parcels of a delivering institution, the oldest first."""
    async with handle.connection() as connection:
        return [Parcel(**dict(row)) for row in await connection.fetch(sql.of_courier, courier, list(states), most)]


async def of_number(handle: Handle, number: str) -> Parcel | None:
    """The parcel of a prescription; None when it has none."""
    async with handle.connection() as connection:
        row = await connection.fetchrow(sql.of_number, number)
    return Parcel(**dict(row)) if row else None


async def temperatures(connection: Connection, parcel: str) -> list[tuple[datetime, Decimal]]:
    """The log of a parcel, first things first."""
    return [(row["at"], row["celsius"]) for row in await connection.fetch(sql.temperatures, parcel)]
