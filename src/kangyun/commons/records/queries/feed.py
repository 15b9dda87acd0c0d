"""How the runner of reactions reads the change feed; see kangyun.base.reactions.runner for the order it relies on."""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base.database import Connection
from kangyun.base.reactions import Change, Cursor
from kangyun.commons.records.model import type_name
from kangyun.commons.records.queries.reading import sql


class ChangeFeed:
    """The table `change` as a `kangyun.base.reactions.Feed`."""

    async def bounds(self, connection: Connection, low: str, high: str) -> tuple[int, int] | None:
        """The lowest and highest seq of what the snapshot `high` sees and `low` did not, or None."""
        row = await connection.fetchrow(sql.change_bounds, low, high)
        return None if row is None or row[0] is None else (row[0], row[1])

    async def page(self, connection: Connection, cursor: Cursor, limit: int) -> Sequence[Change]:
        """The next changes of a batch, by seq."""
        rows = await connection.fetch(
            sql.change_page, cursor.low, cursor.high, cursor.after, cursor.last, limit
        )
        return [
            Change(r["seq"], r["resident"], r["key"], type_name(r["type"]), r["id"], r["version"], r["method"])
            for r in rows
        ]
