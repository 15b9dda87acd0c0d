"""What no statement can look into: parts of sealed texts. Rows are opened one by one until the page is full."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kangyun.base.database import Connection
from kangyun.base.text import fold
from kangyun.commons.records.decisions.index.strings import squeeze
from kangyun.commons.records.decisions.index.tree import values
from kangyun.commons.records.model import Stored, type_name
from kangyun.commons.records.queries.search.conditions import AnyOf, Condition, Inside
from kangyun.commons.records.queries.search.cursor import Place
from kangyun.commons.records.queries.search.query import Query
from kangyun.commons.records.queries.search.refusals import too_costly
from kangyun.commons.records.queries.search.sorting import key_count, page, place_of
from kangyun.commons.records.queries.search.sql import Statement

# Opening this many takes about half a second; whoever needs to look at more must say something else, too.
MOST_OPENED = 10_000
_AT_ONCE = 200


def is_hidden(condition: Condition) -> bool:
    """Whether only an opened resource can tell."""
    return isinstance(condition, Inside) or (isinstance(condition, AnyOf) and any(is_hidden(part) for part in condition.parts))


def has_hidden(query: Query) -> bool:
    """Whether a search asks for something that only opened resources can tell."""
    return any(is_hidden(condition) for condition in query.conditions)


async def sift(connection: Connection, query: Query, place: Place | None) -> list[Any]:
    """The rows of a page and one more; raises Problem 400 where too many would have to be opened."""
    hidden = [condition for condition in query.conditions if is_hidden(condition)]
    query = replace(query, conditions=tuple(one for one in query.conditions if not is_hidden(one)))
    found: list[Any] = []
    opened = 0
    while True:
        statement = Statement(query.restriction)
        rows = await connection.fetch(page(query, statement, place, _AT_ONCE), *statement.values)
        found += [row for row in rows if all(_holds(condition, row) for condition in hidden)]
        opened += len(rows)
        if len(rows) < _AT_ONCE or len(found) > query.count:
            return found[: query.count + 1]
        if opened >= MOST_OPENED:
            raise too_costly("contains")
        place = place_of(rows[-1], key_count(query))


def _holds(condition: Condition, row: Any) -> bool:
    if isinstance(condition, AnyOf):
        return any(_holds(part, row) for part in condition.parts)
    if not isinstance(condition, Inside):
        # A statement could tell this alternative; it is not told apart once the other is hidden.
        raise too_costly("contains")
    resource = _stored(row).resource
    return any(condition.needle in squeeze(fold(text)) for path in condition.paths for text in values(path, resource))


def _stored(row: Any) -> Stored:
    return Stored(type_name(row["type"]), row["id"], row["version"], row["updated"], row["deleted"], row["meta"], row["body"])
