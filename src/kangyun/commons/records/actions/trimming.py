"""Keeping the change feed short: what every reaction has seen is dropped after some days."""

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


async def trim_changes(connection: Connection, today: date, days: int) -> int:
    """Note how far the feed is today, and drop what was there `days` ago and is delivered; returns how many rows."""
    await connection.execute(sql.mark_changes, today)
    below = await delivered_below(connection)
    done = await connection.execute(sql.trim_changes, today - timedelta(days=days), None if below is None else str(below))
    await connection.execute(sql.trim_marks, today - timedelta(days=days))
    return int(done.split()[-1])
