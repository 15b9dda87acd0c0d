"""Messages that wait are finished: those left by a crash or held up by a fault, oldest first, with growing pauses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.errors import Problem
from kangyun.base.jobs import every
from kangyun.base.keys import KeyStore
from kangyun.commons.access import Gate
from kangyun.commons.exchange.actions import sealing
from kangyun.commons.exchange.actions.intake import Intake
from kangyun.commons.exchange.actions.keeping import PATIENCE
from kangyun.commons.exchange.actions.registering import refresh
from kangyun.commons.exchange.model import RawMessage
from kangyun.commons.exchange.queries.messages import sql

log = structlog.get_logger()

_AT_ONCE = 20


@every("exchange.sweep", seconds=10)
async def sweep(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job; `services` has database, gate and keys."""
    await refresh(services.database)
    await finish_waiting(services.database, services.gate, services.keys)


async def finish_waiting(database: Database, gate: Gate, keys: KeyStore) -> int:
    """Handle every message whose time has come; returns how many were taken."""
    intake = Intake(database, gate, keys)
    total = 0
    while True:
        async with database.connection() as connection:
            waiting = await _claim(connection)
        for row in waiting:
            await _finish(intake, keys, row)
        total += len(waiting)
        if len(waiting) < _AT_ONCE:
            break
    if total:
        log.info("exchange.swept", count=total)
    return total


async def _finish(intake: Intake, keys: KeyStore, row: Any) -> None:
    try:
        raw = raw_of(keys, row)
    except Problem:
        # It waits for its key; the claim has put off its next try.
        return
    await intake.handle(raw)


async def take_over(database: Database) -> None:
    """At the start of the only process: what a dead one left unfinished need not wait for its patience to run out."""
    async with database.connection() as connection:
        await connection.execute(sql.take_over, clock.now())


async def _claim(connection: Connection) -> list[Any]:
    now = clock.now()
    rows = await connection.fetch(sql.claim_waiting, now, now + PATIENCE + timedelta(seconds=60), _AT_ONCE)
    return sorted(rows, key=lambda row: row["id"])


def raw_of(keys: KeyStore, row: Any) -> RawMessage:
    """A kept message with its body open. Raises Problem 503 when this installation's keys do not open it."""
    body = sealing.opened(keys, bytes(row["body"]), row["sealed"], bytes(row["content_hash"]))
    return RawMessage(
        row["id"], row["sender"], row["sender_key"], row["control_id"], row["kind"], row["form"], body,
        row["received"], "received", row["tries"],
    )
