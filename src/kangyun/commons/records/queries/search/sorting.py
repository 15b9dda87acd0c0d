"""Order and keyset of a page, as SQL.

Rows without the key of an order come last. Equal keys are ordered by rid, which never changes, so a page begins exactly
behind the last row of the page before, whatever was written in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kangyun.commons.records.decisions.index.dates import from_microseconds, to_microseconds
from kangyun.commons.records.queries.search.conditions import (
    Chain,
    HasLexeme,
    HasToken,
    Not,
    Reverse,
    SpanExists,
)
from kangyun.commons.records.queries.search.cursor import Place
from kangyun.commons.records.queries.search.query import Query, SortKey
from kangyun.commons.records.queries.search.sql import COLUMNS, Statement, flat

_SEAL = "(SELECT secret FROM search_secret) AS secret"
# Behind every text, and behind every number.
_LAST_TEXT = "chr(1114111)"


@dataclass(frozen=True, slots=True)
class Key:
    """One ordering expression over `r`; `cast` is its SQL type."""

    sql: str
    cast: str
    descending: bool


def page(query: Query, statement: Statement, place: Place | None, limit: int) -> str:
    """The statement of one page of at most `limit` rows; its columns end with k0, k1, ... and secret."""
    if len(query.sort) == 1 and query.sort[0].kind == "span":
        return (_gather if _rare(query) or not _walkable(query) else _walk)(query, statement, place, limit)
    if not query.sort and query.type:
        return _unsorted(query, statement, place, limit)
    keys = [_key(statement, sort) for sort in query.sort] or [Key("r.type", "smallint", descending=False)]
    where = statement.where("r", query.types, query.conditions)
    plain = all(key.sql.startswith("r.") for key in keys)
    columns = ", ".join([COLUMNS, *(f"{key.sql} AS k{n}" for n, key in enumerate(keys)), _SEAL])
    named = [key.sql if plain else f"r.k{n}" for n, key in enumerate(keys)]
    after = _after(statement, keys, named, place) if place else "true"
    order = _order(keys, named)
    if plain:
        return f"SELECT {columns} FROM resource r WHERE {where} AND {after} ORDER BY {order} LIMIT {limit}"
    inner = f"SELECT {columns} FROM resource r WHERE {where}"
    return f"SELECT * FROM ({inner}) r WHERE {after} ORDER BY {order} LIMIT {limit}"


def _rare(query: Query) -> bool:
    """Whether so few match that they are best found first and sorted then."""
    return any(isinstance(part, HasToken) and part.rare for part in query.conditions)


def is_narrow(query: Query) -> bool:
    """Whether it asks by tokens alone for somebody's own things, so that one plan serves all values, also one of an empty table."""
    is_gathered = not query.sort or (len(query.sort) == 1 and query.sort[0].kind == "span")
    if query.type is None or not is_gathered or query.includes or not _rare(query):
        return False
    return all(isinstance(part, HasToken) for part in flat((*query.conditions, query.restriction.condition(query.type))))


def by_rid(query: Query) -> str:
    """The order of the rows as they came. To name the type lets the planner walk it; for what is rare it had better not."""
    return "r.rid" if _rare(query) else "r.type, r.rid"


def _walkable(query: Query) -> bool:
    return query.type is not None and len(query.sort[0].values) == 1


def _unsorted(query: Query, statement: Statement, place: Place | None, limit: int) -> str:
    """By rid. Naming the type in the order lets the planner walk the type; leaving it out keeps it from doing so."""
    linked = [part for part in query.conditions if isinstance(part, Chain | Reverse)]
    rest = tuple(part for part in query.conditions if not isinstance(part, Chain | Reverse))
    # A frequent token is better walked in order; a text is found in the index, far fewer than a type has.
    found_first = linked and any(isinstance(part, HasLexeme) for part in rest)
    where = statement.where("r", query.types, rest if found_first else query.conditions, implied=True)
    after = f"r.rid > {statement.add(place.rid, 'bigint')}" if place else "true"
    order = by_rid(query)
    if not found_first:
        return f"SELECT {COLUMNS}, {_SEAL} FROM resource r WHERE {where} AND {after} ORDER BY {order} LIMIT {limit}"
    # What others must fulfil is looked at in order and only until the page is full, not for everybody before sorting.
    inner = f"SELECT r.* FROM resource r WHERE {where} AND {after} ORDER BY {order} OFFSET 0"
    tests = " AND ".join(statement.condition("r", part) for part in linked)
    # PostgreSQL plans the inner part for its first rows only when nothing is sorted outside; the filter keeps its order.
    return f"SELECT {COLUMNS}, {_SEAL} FROM ({inner}) r WHERE {tests} LIMIT {limit}"


def _gather(query: Query, statement: Statement, place: Place | None, limit: int) -> str:
    """By spans, where few rows match: all of them with their key, then sorted."""
    sort = query.sort[0]
    direction, sign = ("DESC", "<") if sort.descending else ("ASC", ">")
    where = statement.where("r", query.types, query.conditions, implied=True)
    after = "true"
    if place:
        rid = statement.add(place.rid, "bigint")
        after = f"k0 IS NULL AND rid {sign} {rid}"
        if not place.behind:
            low = statement.add(_unbounded(float(place.keys[0])), "float8")
            after = f"(k0 IS NULL OR (k0, rid) {sign} ({low}, {rid}))"
    return (
        f"SELECT * FROM (SELECT {COLUMNS}, {_span_key(statement, sort)} AS k0, {_SEAL} FROM resource r WHERE {where}) r"
        f" WHERE {after} ORDER BY k0 {direction} NULLS LAST, rid {direction} LIMIT {limit}"
    )


def _walk(query: Query, statement: Statement, place: Place | None, limit: int) -> str:
    """By one param of spans: its b-tree is in the right order, so a frequent filter need not sort what it finds."""
    param, descending = int(query.sort[0].values[0]), query.sort[0].descending
    direction, mark, sign = ("DESC", "greatest", "<") if descending else ("ASC", "least", ">")
    behind = _without_key(query, statement, param, place, f"{direction} LIMIT {limit}")
    if place and place.behind:
        return behind
    where = statement.where("r", query.types, query.conditions)
    after = "true"
    if place:
        low, rid = statement.add(_unbounded(float(place.keys[0])), "float8"), statement.add(place.rid, "bigint")
        after = f"(k.lo, k.rid) {sign} ({low}, {rid})"
    return (
        f"(SELECT {COLUMNS}, k.lo AS k0, {_SEAL} FROM span k JOIN resource r ON r.rid = k.rid"
        f" WHERE k.param = {statement.add(param, 'bigint')} AND k.{mark} AND {after} AND {where}"
        f" ORDER BY k.lo {direction}, k.rid {direction} LIMIT {limit}) UNION ALL ({behind}) LIMIT {limit}"
    )


def _without_key(query: Query, statement: Statement, param: int, place: Place | None, tail: str) -> str:
    where = statement.where("r", query.types, (*query.conditions, Not(SpanExists((param,)))))
    sign = "<" if query.sort[0].descending else ">"
    after = f"r.rid {sign} {statement.add(place.rid, 'bigint')}" if place and place.behind else "true"
    return (
        f"SELECT {COLUMNS}, NULL::float8 AS k0, {_SEAL} FROM resource r WHERE {where} AND {after} ORDER BY r.rid {tail}"
    )


def _key(statement: Statement, sort: SortKey) -> Key:
    match sort.kind:
        case "updated":
            return Key("r.updated", "timestamptz", sort.descending)
        case "id":
            return Key("r.id", "text", sort.descending)
        case "span":
            last = "-Infinity" if sort.descending else "Infinity"
            return Key(f"coalesce({_span_key(statement, sort)}, '{last}'::float8)", "float8", sort.descending)
        case "text":
            return Key(_or_last(_text_key(statement, sort), sort), "text", sort.descending)
        case _:
            return Key(_or_last(_json_key(statement, sort), sort), "text", sort.descending)


def _span_key(statement: Statement, sort: SortKey) -> str:
    params = statement.add(list(sort.values), "bigint[]")
    function = "max" if sort.descending else "min"
    return f"(SELECT {function}(k.lo) FROM span k WHERE k.rid = r.rid AND k.param = ANY ({params}))"


def _or_last(expression: str, sort: SortKey) -> str:
    last = "''" if sort.descending else _LAST_TEXT
    return f'(coalesce({expression}, {last}) COLLATE "C")'


def _text_key(statement: Statement, sort: SortKey) -> str:
    """Names by their pinyin where there is one; the slots in turn, so that the surname comes before the first name."""
    function = "max" if sort.descending else "min"
    each: list[str] = []
    for letters in sort.values:
        for mark in "~:":
            head = statement.add(f"{letters}{mark}%", "text")
            each.append(
                f'(SELECT {function}(substr(l, 6) COLLATE "C") FROM unnest(tsvector_to_array(r.strings)) l'
                f" WHERE l LIKE {head})"
            )
    return f"coalesce({', '.join(each)})"


def _json_key(statement: Statement, sort: SortKey) -> str:
    function = "max" if sort.descending else "min"
    each = [
        f"""(SELECT {function}((v #>> '{{}}') COLLATE "C")"""
        f" FROM jsonb_path_query({_document(str(path))}, {statement.add(path, 'text')}::jsonpath) v)"
        for path in sort.values
    ]
    return f"coalesce({', '.join(each)})"


def _document(path: str) -> str:
    if path.startswith('$."meta"'):
        return "('{\"meta\":{' || coalesce(r.meta, '') || '}}')::jsonb"
    return "r.body::jsonb"


def _order(keys: Sequence[Key], named: Sequence[str]) -> str:
    parts = [f"{name} {'DESC' if key.descending else 'ASC'}" for key, name in zip(keys, named, strict=True)]
    return ", ".join([*parts, f"r.rid {'DESC' if _rid_descends(keys) else 'ASC'}"])


def _rid_descends(keys: Sequence[Key]) -> bool:
    return bool(keys) and keys[-1].descending


def _after(statement: Statement, keys: Sequence[Key], named: Sequence[str], place: Place) -> str:
    """Behind the place: (k0 > a) OR (k0 = a AND ((k1 > b) OR ...)); one row comparison where all keys run one way."""
    values = [
        statement.add(_value(key, value), key.cast) for key, value in zip(keys, place.keys, strict=True)
    ]
    rid = statement.add(place.rid, "bigint")
    ways = {key.descending for key in keys}
    if len(ways) <= 1:
        sign = "<" if _rid_descends(keys) else ">"
        return f"({', '.join([*named, 'r.rid'])}) {sign} ({', '.join([*values, rid])})"
    text = f"r.rid {'<' if _rid_descends(keys) else '>'} {rid}"
    for key, name, value in reversed(list(zip(keys, named, values, strict=True))):
        text = f"({name} {'<' if key.descending else '>'} {value} OR ({name} = {value} AND {text}))"
    return text


def _value(key: Key, value: float | str) -> Any:
    if key.cast == "timestamptz":
        return from_microseconds(float(value))
    if key.cast == "float8":
        return _unbounded(float(value))
    return value


def _unbounded(value: float) -> float:
    # cursor.py writes infinities as the ends of what JSON can hold.
    return value * 10 if abs(value) >= 1e308 else value


def place_of(row: Any, count: int) -> Place:
    """The place behind a row of `page`, which has `count` keys."""
    keys = [row[f"k{n}"] for n in range(count)]
    if None in keys:  # Only an order by one span has rows without a key; the other orders have a value for that.
        return Place(row["rid"], (), behind=True)
    return Place(row["rid"], tuple(_plain(key) for key in keys))


def _plain(key: Any) -> float | int | str:
    return to_microseconds(key) if isinstance(key, datetime) else key


def key_count(query: Query) -> int:
    """How many k columns the rows of `page` have."""
    return len(query.sort) or int(query.type is None)
