"""How the runner of reactions reads the change feed; see kangyun.base.reactions.runner for the order it relies on."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from kangyun.base.database import Connection
from kangyun.base.reactions import Change, Cursor
from kangyun.commons.records.model import type_code, type_name
from kangyun.commons.records.queries.reading import sql


class ChangeFeed:
    """The table `change` as a `kangyun.base.reactions.Feed`."""

    async def extent(self, connection: Connection, low: str, high: str) -> tuple[int, AbstractSet[str]]:
        """The highest seq of what the snapshot `high` sees and `low` did not, 0 where there is nothing, and the types."""
        row = await connection.fetchrow(sql.change_extent, low, high)
        return (row["last"], {type_name(code) for code in row["types"]}) if row and row["last"] else (0, set())

    async def first(self, connection: Connection, low: str, high: str, limit: int) -> Sequence[Change]:
        """The first changes of what the snapshot `high` sees and `low` did not, by seq."""
        return [_change(row) for row in await connection.fetch(sql.change_first, low, high, limit)]

    async def page(self, connection: Connection, cursor: Cursor, limit: int, types: AbstractSet[str] | None = None) -> Sequence[Change]:
        """The next changes of a batch, by seq, of these types only where they are given."""
        codes = types and [type_code(one) for one in types]
        rows = await connection.fetch(sql.change_page, cursor.low, cursor.high, cursor.after, cursor.last, limit, codes)
        return [_change(row) for row in rows]


def _change(row: Any) -> Change:
    return Change(row["seq"], row["resident"], row["key"], type_name(row["type"]), row["id"], row["version"], row["method"])
