"""What is on the shelves of the demonstration's pharmacies: some packages of every drug of the catalogue."""

from __future__ import annotations

from datetime import timedelta

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.support.drugs.decisions.catalogue import built_in
from kangyun.support.drugs.queries.stock import sql

_LASTS = timedelta(days=540)


async def fill(services: Services, pharmacies: list[str], packages: int = 500) -> None:
    """Fill the shelves of pharmacies (ids of Organizations) up to so many packages of each drug."""
    now = clock.now()
    drugs = built_in().values()
    rows = [(one, drug.code, drug.per_package * packages, f"Y{now:%y%m}01", (now + _LASTS).date(), now) for one in pharmacies for drug in drugs]
    async with services.database.connection() as connection:
        await connection.executemany(sql.put, rows)
