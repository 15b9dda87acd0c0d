"""Labelling anew what is in the record, when the rule of sensitive classes is another than the one it was written under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Database, queries
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions import sensitive
from kangyun.commons.records import Store, Stored, key_of, search

log = structlog.get_logger()
sql = queries("kangyun.commons.access", "queries/labelling.sql")

_PAGE = "500"


@jobs.every("access.relabel", seconds=300)
async def relabel(services: Parts, _payload: dict[str, Any]) -> None:
    """Label every resource by the rule as it is now; at once when that was done, and resumable type by type."""
    await label_all(services.database)


async def label_all(database: Database) -> int:
    """Label what was not labelled under the rule as it is; how many resources were looked at."""
    mark = sensitive.mark()
    async with database.connection() as connection:
        state = await connection.fetchrow(sql.state, mark)
        if state and state["done"]:
            return 0
        await connection.execute(sql.begin, mark)
    finished: list[str] = list(state["types"]) if state else []
    seen = 0
    for type_ in sensitive.types():
        if type_ not in finished:
            seen += await _label(database, type_)
            finished.append(type_)
            async with database.connection() as connection:
                await connection.execute(sql.went_on, mark, finished)
    async with database.connection() as connection:
        await connection.execute(sql.done, mark)
    log.info("access.relabelled", count=seen)
    return seen


async def _label(database: Database, type_: str) -> int:
    store, seen = Store(database), 0
    pairs: Sequence[tuple[str, str]] | None = [("_count", _PAGE), ("_total", "none")]
    while pairs:
        found = await store.find(search.parse(type_, list(pairs), strict=True, now=clock.now()))
        await _keep(database, found.rows)
        seen, pairs = seen + len(found.rows), found.next
    return seen


async def _keep(database: Database, rows: Sequence[Stored]) -> None:
    keys = [key_of(row.type, row.id) for row in rows]
    labels = [f"{{{','.join(map(str, sensitive.tokens(row.resource)))}}}" for row in rows]
    async with database.connection() as connection:
        await connection.execute(sql.relabel, keys, [row.version for row in rows], sensitive.every_token(), labels)
