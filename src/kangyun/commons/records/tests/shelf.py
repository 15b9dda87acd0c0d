"""Puts resources into a test database and searches them, without the layers above."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from kangyun.base.database import Database
from kangyun.commons.records.actions.entries import entry
from kangyun.commons.records.queries import search
from kangyun.commons.records.queries.reading import sql

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


async def put(database: Database, resources: Iterable[dict[str, Any]], updated: datetime = NOW) -> None:
    """Create resources under their ids."""
    rows = [entry(resource, resource["id"], updated, None) for resource in resources]
    async with database.connection() as connection:
        await connection.execute(sql.create, rows)


async def change(database: Database, resource: dict[str, Any], updated: datetime = NOW) -> None:
    """Create or update one resource."""
    async with database.connection() as connection:
        await connection.fetch(sql.commit, [entry(resource, resource["id"], updated, None)])


def parse(address: str, *, strict: bool = True, now: datetime = NOW) -> search.Query:
    """`Patient?name=x` -> Query."""
    type_, _, query = address.partition("?")
    return search.parse(type_ or None, parse_qsl(query, keep_blank_values=True), strict=strict, now=now)


async def page(database: Database, address: str) -> search.Result:
    """One page."""
    async with database.connection() as connection:
        return await search.run(connection, parse(address))


async def ids(database: Database, address: str) -> list[str]:
    """The ids of all matches, in order, over all pages."""
    return [row.id for row in await rows(database, address)]


async def rows(database: Database, address: str) -> list[Any]:
    """All matches, over all pages."""
    query = parse(address)
    found: list[Any] = []
    async with database.connection() as connection:
        while True:
            result = await search.run(connection, query)
            found += result.rows
            if result.next is None:
                return found
            query = search.parse(query.type, result.next, strict=True, now=NOW)
