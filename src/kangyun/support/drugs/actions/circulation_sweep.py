"""What time does: prescriptions expire, locks and claims end, storage periods are over; addresses are sealed anew after a new key."""

from __future__ import annotations

from typing import Any, Protocol

import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Connection
from kangyun.base.errors import Problem
from kangyun.base.keys import vault
from kangyun.base.sealing import Page, reseals
from kangyun.commons.access import Gate
from kangyun.support.drugs.actions.circulation import ADDRESS, unlocking
from kangyun.support.drugs.actions.prescriptions_review import expire
from kangyun.support.drugs.actions.steps import Move, advance, anybody, unchanged
from kangyun.support.drugs.queries.prescribers import today
from kangyun.support.drugs.queries.prescriptions import sql

log = structlog.get_logger()

_AT_ONCE = 200


class Parts(Protocol):
    """The opened parts of one process."""

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...


@jobs.every("drugs.sweep", seconds=60)
async def sweep(services: Parts, _payload: dict[str, Any]) -> None:
    """End what is over. A prescription that somebody has in hand at this moment is looked at again in a minute."""
    own = services.gate.system("drugs.sweep")
    async with own.connection() as connection:
        now = clock.now()
        overdue = [row["number"] for row in await connection.fetch(sql.overdue, now, _AT_ONCE)]
        locks = [row["number"] for row in await connection.fetch(sql.old_locks, now, _AT_ONCE)]
        kept = [row["number"] for row in await connection.fetch(sql.to_archive, today(), _AT_ONCE)]
    done = 0
    for number in overdue:
        done += await _quietly(expire(own, number))
    for number in locks:
        done += await _quietly(advance(own, own.actor, number, Move("unlock", "system", anybody, unlocking)))
    for number in kept:
        done += await _quietly(advance(own, own.actor, number, Move("archive", "system", anybody, unchanged)))
    if done:
        log.info("drugs.swept", count=done)


async def _quietly(work: Any) -> int:
    """1 when it was done; 0 when it could not be, because somebody was quicker."""
    try:
        await work
    except Problem:
        return 0
    return 1


@reseals(ADDRESS)
async def reseal(connection: Connection, page: Page) -> str | None:
    """Seal the addresses of parcels anew with the current key."""
    rows = await connection.fetch(sql.addresses_after, page.place, _AT_ONCE)
    page.seen = len(rows)
    for row in rows:
        if vault.key_id(row["address"]) != page.key:
            fresh = vault.seal(ADDRESS, vault.opened(ADDRESS, row["address"], row["number"]), row["number"])
            await connection.execute(sql.keep_address, row["resident"], row["number"], row["address"], fresh)
            page.renewed += 1
    return rows[-1]["number"] if rows else None
