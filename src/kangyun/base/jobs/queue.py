"""What the rest of the platform asks of the queue: put in, count, look at failures, try them again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from kangyun.base.database import Connection, queries, ring_later

sql = queries(__package__ or "", "jobs.sql")

CHANNEL = "kangyun_job"


async def enqueue(
    connection: Connection,
    name: str,
    payload: dict[str, Any],
    *,
    run_at: datetime | None = None,
    key: str | None = None,
) -> int | None:
    """Put a job into the queue, in the caller's transaction: it exists exactly when that commits.

    With a `key` the same work is taken once: while a job of this name and key waits, runs, failed, or was done within
    the last days, nothing happens and None is returned; otherwise the job's number.
    """
    number = await connection.fetchval(sql.enqueue, name, key, orjson.dumps(payload).decode(), run_at)
    if number is not None and run_at is None:
        ring_later(connection, CHANNEL)
    return number


async def enqueue_all(connection: Connection, name: str, payloads: Mapping[str, dict[str, Any]], run_at: datetime) -> None:
    """As `enqueue` for many jobs of one name, each under its key, in one statement; they wait for the worker's next look."""
    if payloads:
        told = [orjson.dumps(payload).decode() for payload in payloads.values()]
        await connection.execute(sql.enqueue_all, name, list(payloads), told, run_at)


async def counts(connection: Connection) -> list[dict[str, Any]]:
    """Rows of name, state, number and the age in seconds of the oldest due time; for pages and metrics."""
    return [dict(row) for row in await connection.fetch(sql.counts)]


async def failed(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """The jobs that were given up, latest first, with their error code; for the operator's page."""
    return [dict(row) for row in await connection.fetch(sql.failed, limit)]


async def retry_failed(connection: Connection, number: int | None = None) -> int:
    """Let one failed job, or all of them, run again; returns how many."""
    rows = await connection.fetch(sql.retry_failed, number)
    ring_later(connection, CHANNEL)
    return len(rows)
