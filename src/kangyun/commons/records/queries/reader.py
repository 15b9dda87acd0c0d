"""Reads by id that arrive together share a statement."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from kangyun.base.database import Database
from kangyun.base.database.together import Together
from kangyun.commons.records.model import Stored, key_of
from kangyun.commons.records.queries import reading

Name = tuple[str, str]


class Reader:
    """Collects the reads of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together: Together[Name, Stored | None] = Together(self._read)

    async def read(self, type_: str, id_: str) -> Stored | None:
        """The current version, which may be a deleted one; None when there never was one."""
        return await self._together.ask((type_, id_))

    async def _read(self, names: Sequence[Name]) -> list[Stored | None]:
        if len(names) == 1:
            async with self._database.connection() as connection:
                return [await reading.read(connection, *names[0])]
        keys = [key_of(*name) for name in names]
        async with self._database.connection() as connection:
            rows = await reading.rows_of(connection, keys)
        found = {(row["key"], row["id"]): row for row in rows}
        return [_stored(name, found.get((key, name[1]))) for name, key in zip(names, keys, strict=True)]


def _stored(name: Name, row: asyncpg.Record | None) -> Stored | None:
    if row is None:
        return None
    return Stored(*name, row["version"], row["updated"], row["deleted"], row["meta"], row["body"], row["resident"])
