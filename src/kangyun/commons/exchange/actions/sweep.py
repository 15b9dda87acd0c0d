"""What nobody finished is finished: messages kept before a crash or during a fault, oldest first, with growing pauses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.jobs import every
from kangyun.commons.access import Gate
from kangyun.commons.exchange.actions.intake import PATIENCE, Intake
from kangyun.commons.exchange.model import RawMessage
from kangyun.commons.exchange.queries.messages import sql

log = structlog.get_logger()

_AT_ONCE = 20


@every("exchange.sweep", seconds=10)
async def sweep(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job; `services` has `database` and `gate`."""
    await finish_waiting(services.database, services.gate)


async def finish_waiting(database: Database, gate: Gate) -> int:
    """Handle every message whose time has come; returns how many were taken."""
    intake = Intake(database, gate)
    total = 0
    while True:
        async with database.connection() as connection:
            waiting = await _claim(connection)
        for raw in waiting:
            await intake.handle(raw)
        total += len(waiting)
        if len(waiting) < _AT_ONCE:
            break
    if total:
        log.info("exchange.swept", count=total)
    return total


async def take_over(database: Database) -> None:
    """At the start of the only process: what a dead one left unfinished need not wait for its patience to run out."""
    async with database.connection() as connection:
        await connection.execute(sql.take_over, clock.now())


async def replay(database: Database, gate: Gate, number: int) -> bool:
    """Handle a quarantined message again; False when there is none of that number, or it is stored already."""
    now = clock.now()
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.one, number)
        if row is None or row["body"] is None:
            return False
        if await connection.fetchval(sql.reopen, row["sender_key"], number, now + PATIENCE) is None:
            return False
    await Intake(database, gate).handle(_raw(row))
    return True


async def _claim(connection: Connection) -> list[RawMessage]:
    now = clock.now()
    rows = await connection.fetch(sql.claim_waiting, now, now + PATIENCE + timedelta(seconds=60), _AT_ONCE)
    return sorted((_raw(row) for row in rows), key=lambda raw: raw.id)


def _raw(row: Any) -> RawMessage:
    return RawMessage(
        row["id"], row["sender"], row["sender_key"], row["control_id"], row["kind"], row["form"], bytes(row["body"]),
        row["received"], "received", row["tries"],
    )
