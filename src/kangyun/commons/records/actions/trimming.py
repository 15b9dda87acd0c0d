"""Housekeeping of the store: old changes are dropped, new index entries are sorted in before searches wade in them."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.jobs import every
from kangyun.base.reactions import delivered_below
from kangyun.commons.records.queries.reading import sql

log = structlog.get_logger()


@every("records.trim", at=time(3, 30))
async def trim(services: Any, _payload: dict[str, Any]) -> None:
    """Drop delivered changes that are older than the setting change_days."""
    async with services.database.transaction() as connection:
        count = await trim_changes(connection, clock.now().date(), services.settings.change_days)
    log.info("records.trimmed", count=count)


@every("records.sort-in", seconds=2)
async def sort_in(services: Any, _payload: dict[str, Any]) -> None:
    """Sort the pending entries of the token and text indexes in, so that neither a search nor a write pays for it.

    A write only appends to the pending list; every search reads the whole list, and the write that fills it up would
    sort in all of it (measured: up to 1.6 s).
    """
    async with services.database.connection() as connection:
        await connection.execute(sql.sort_in)


async def trim_changes(connection: Connection, today: date, days: int) -> int:
    """Note how far the feed is today, and drop what was there `days` ago and is delivered; returns how many rows."""
    await connection.execute(sql.mark_changes, today)
    below = await delivered_below(connection)
    done = await connection.execute(sql.trim_changes, today - timedelta(days=days), None if below is None else str(below))
    await connection.execute(sql.trim_marks, today - timedelta(days=days))
    return int(done.split()[-1])
