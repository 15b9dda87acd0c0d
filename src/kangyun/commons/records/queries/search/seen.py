"""Which of some resources a caller may see, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base.database import Connection
from kangyun.commons.records.model import Stored, key_of
from kangyun.commons.records.queries.reading import FEW, few
from kangyun.commons.records.queries.search.query import Restriction
from kangyun.commons.records.queries.search.run import stored_of
from kangyun.commons.records.queries.search.sql import COLUMNS, Statement


async def seen(
    connection: Connection, restriction: Restriction, names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Stored]:
    """Of the resources named by (type, id), those that are there and that the restriction lets be seen."""
    found: dict[tuple[str, str], Stored] = {}
    for type_ in dict.fromkeys(type_ for type_, _ in names):
        statement = Statement(restriction)
        keys = _among(statement, [key_of(*name) for name in names if name[0] == type_])
        where = statement.where("r", (type_,), ())
        # Without OFFSET the planner may read all resources of the type or of the compartment, to intersect them with a few keys.
        by_key = f"(SELECT * FROM resource k WHERE k.key {keys} OFFSET 0) r"
        rows = await connection.fetch(f"SELECT {COLUMNS} FROM {by_key} WHERE {where}", *statement.values)
        found |= {(type_, row["id"]): stored_of(row) for row in rows}
    return {name: found[name] for name in names if name in found}


def _among(statement: Statement, keys: Sequence[int]) -> str:
    """The condition on the key, for one and for a few in a text that says how many there are, so that PostgreSQL keeps its plan."""
    if len(keys) == 1:
        return f"= {statement.add(keys[0], 'bigint')}"
    if len(keys) > FEW:
        return f"= ANY ({statement.add(keys, 'bigint[]')})"
    return f"IN ({', '.join(statement.add(one, 'bigint') for one in few(keys))})"
