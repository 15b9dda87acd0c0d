"""The identity table is sealed: once when it comes from an older version, and anew after a new key, while it is used."""

from __future__ import annotations

from typing import Any

import structlog

from kangyun.base.database import Connection, queries
from kangyun.base.keys import vault
from kangyun.base.sealing import Page, reseals
from kangyun.commons.population.decisions.kept import PURPOSE, blinded, opened, sealed
from kangyun.commons.population.queries.placed import array_of

sql = queries("kangyun.commons.population", "queries/resealing.sql")
log = structlog.get_logger()

_AT_ONCE = 500


async def seal_identities(connection: Connection) -> int:
    """At the start, before anybody is placed: seal the rows that an older version wrote; returns how many.

    A row with unkeyed numbers would not be found, and its person would get a second record. It takes a minute for a
    million Patients; a start that was interrupted goes on where it stopped, and processes that start together share it.
    """
    total = 0
    while True:
        async with connection.transaction():
            await connection.execute(sql.alone)
            rows = await connection.fetch(sql.plain, _AT_ONCE)
            if not rows:
                return total
            await connection.execute(sql.seal, *(list(column) for column in zip(*map(_sealed, rows), strict=True)))
        total += len(rows)
        log.info("population.sealed", count=total)


def _sealed(row: Any) -> tuple[int, str, str, str, str]:
    text = sealed(row["patient"], row["ids"], row["features"])
    return row["resident"], row["patient"], _blinded(row["numbers"]), _blinded(row["keys"]), text


def _blinded(numbers: list[int]) -> str:
    return array_of(blinded(numbers))


@reseals(PURPOSE)
async def reseal(connection: Connection, page: Page) -> str | None:
    """Seal some rows anew with the current key."""
    resident, _, patient = page.place.partition("|")
    rows = await connection.fetch(sql.page, int(resident or -(2**63)), patient, _AT_ONCE)
    page.seen = len(rows)
    for row in rows:
        if vault.key_id(row["features"]) != page.key:
            text = sealed(row["patient"], *opened(row["patient"], row["features"]))
            await connection.execute(sql.keep, row["resident"], row["patient"], row["features"], text)
            page.renewed += 1
    return f"{rows[-1]['resident']}|{rows[-1]['patient']}" if rows else None
