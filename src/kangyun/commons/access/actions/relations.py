"""Keeping the rules of relations in the database the same as the file's."""

from __future__ import annotations

from typing import Any

from kangyun.base.database import Connection, queries
from kangyun.commons.access.decisions import relations

sql = queries("kangyun.commons.access", "queries/relations.sql")


async def settle(connection: Connection) -> bool:
    """Write rules/relations.yaml into its table; when it changed, work out all relations anew. True: it had changed."""
    if await _same(connection):
        return False
    async with connection.transaction():
        await connection.execute(sql.rules_lock)
        if await _same(connection):
            return False
        await connection.execute(sql.clear_rules)
        for row in relations.rows():
            await connection.execute(sql.put_rule, *row)
        await connection.fetchval(sql.relate_all, sorted({row[0] for row in relations.rows()}))
    return True


async def _same(connection: Connection) -> bool:
    found = {_frozen(tuple(row.values())) for row in await connection.fetch(sql.rules)}
    return found == {_frozen(row) for row in relations.rows()}


def _frozen(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(tuple(part) if isinstance(part, list) else part for part in row)
