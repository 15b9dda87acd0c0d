"""Runs a search: settles chains, reads one page, what it includes, and the total."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kangyun.base.database import Connection
from kangyun.commons.records.model import Stored, type_name
from kangyun.commons.records.queries.search import cursor as cursors
from kangyun.commons.records.queries.search.chains import expected, settle
from kangyun.commons.records.queries.search.conditions import All, Condition, HasToken, Nothing
from kangyun.commons.records.queries.search.cursor import Place
from kangyun.commons.records.queries.search.includes import included
from kangyun.commons.records.queries.search.query import Query, Result
from kangyun.commons.records.queries.search.sifting import has_hidden, sift
from kangyun.commons.records.queries.search.sorting import by_rid, key_count, page, place_of
from kangyun.commons.records.queries.search.sql import Statement

# A total that nobody asked for is counted up to here.
CHEAP_TOTAL = 300
_MOST_COUNTED = 8


async def run(connection: Connection, query: Query) -> Result:
    """The page that the query asks for; raises Problem 400 for a cursor of another search."""
    place = await _place(connection, query)
    settled = [await settle(connection, query.restriction, condition) for condition in query.conditions]
    query = replace(query, conditions=tuple(settled))
    if any(isinstance(condition, Nothing) for condition in settled):
        return Result([], [], 0, None, list(query.ignored))
    rows = await _rows(connection, query, place)
    shown = rows[: query.count]
    more = len(rows) > query.count
    found = await included(connection, query, shown) if query.includes else []
    total = await _total(connection, query, None if more or place else len(rows))
    next_page = _next(query, shown[-1]) if more and shown else None
    return Result([stored_of(row) for row in shown], [stored_of(row) for row in found], total, next_page, list(query.ignored))


async def _place(connection: Connection, query: Query) -> Place | None:
    if query.cursor is None:
        return None
    secret: bytes = await connection.fetchval("SELECT secret FROM search_secret")
    return cursors.unseal(secret, query.params, query.cursor)


async def _rows(connection: Connection, query: Query, place: Place | None) -> list[Any]:
    if query.count == 0:
        return []
    if has_hidden(query):
        return await sift(connection, query, place)
    statement = Statement(query.restriction)
    text = page(query, statement, place, query.count + 1)
    return await connection.fetch(text, *statement.values)


def _next(query: Query, row: Any) -> list[tuple[str, str]]:
    sealed = cursors.seal(row["secret"], query.params, place_of(row, key_count(query)))
    return [*query.params, ("_cursor", sealed)]


def stored_of(row: Any) -> Stored:
    """The stored version in a row of COLUMNS."""
    return Stored(
        type_name(row["type"]), row["id"], row["version"], row["updated"], row["deleted"], row["meta"], row["body"], row["resident"]
    )


async def _total(connection: Connection, query: Query, known: int | None) -> int | None:
    """The exact total when it is known, asked for, or cheap; an estimate when asked for that."""
    if query.total == "none":
        return None
    if has_hidden(query):
        return known
    if query.count == 0 or query.total == "accurate":
        return known if known is not None and query.count else await _count(connection, query, None)
    if known is not None:
        return known
    if query.total == "estimate" and query.restriction.by_type is None:
        return await expected(connection, query.restriction, query.types, query.conditions)
    if query.cursor is None and _cheap(query.conditions):
        found = await _count(connection, query, CHEAP_TOTAL + 1)
        return found if found <= CHEAP_TOTAL else None
    return None


def _cheap(conditions: tuple[Condition, ...]) -> bool:
    return bool(conditions) and all(
        (isinstance(part, HasToken) and len(part.tokens) <= _MOST_COUNTED) or (isinstance(part, All) and _cheap(part.parts)) for part in conditions
    )


async def _count(connection: Connection, query: Query, limit: int | None) -> int:
    statement = Statement(query.restriction)
    where = statement.where("r", query.types, query.conditions, implied=True)
    # In the order of the page: the planner then walks the type, not the table, which may begin with other types.
    some = f"SELECT FROM resource r WHERE {where}" + (f" ORDER BY {by_rid(query)} LIMIT {limit}" if limit else "")
    return await connection.fetchval(f"SELECT count(*) FROM ({some}) r", *statement.values)
