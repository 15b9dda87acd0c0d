"""Examining the whole audit trail: archives, table, heads, roots and what this machine remembers."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from kangyun.base.database import Connection
from kangyun.base.keys import KeyStore, Unopenable
from kangyun.commons.access.actions.archive import ARCHIVE_KEY, Archive, archive_folder, file_hash, pieces
from kangyun.commons.access.actions.lane import Witness, sql
from kangyun.commons.access.actions.roots import checks
from kangyun.commons.access.decisions.examining import Examination, Finding, Head, Root
from kangyun.commons.access.decisions.keeping import archive_text

_AT_ONCE = 2000


def trail_folder(data: Path) -> Path:
    """Where a machine remembers the ends of its lanes."""
    return data / "trail"


class Examiner:
    """One examination of what a connection and a data folder hold; `rows` counts on."""

    def __init__(self, connection: Connection, keys: KeyStore, data: Path) -> None:
        self._connection = connection
        self._keys = keys
        self._folder = archive_folder(data)
        # Before the snapshot is taken: the trail only grows, so the table may be ahead of what was remembered, never behind.
        witness = Witness(trail_folder(data))
        seen = {lane: end for lane in witness.lanes() if (end := witness.read(lane))}
        self.examination = Examination(checks(keys), seen)

    async def findings(self) -> AsyncIterator[Finding | int]:
        """Every finding, and now and then the number of rows seen."""
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            roots = [Root(*row) for row in await self._connection.fetch(sql.roots)]
            for finding in self.examination.roots(roots):
                yield finding
            archives = [Archive(*row) for row in await self._connection.fetch(sql.archives)]
            for finding in self._archives(archives, {root.number: root for root in roots}):
                yield finding
            cursor = await self._connection.cursor(sql.all_rows)
            while rows := await cursor.fetch(_AT_ONCE):
                for finding in self._table(rows):
                    yield finding
                yield self.examination.rows
            heads = [Head(*row) for row in await self._connection.fetch(sql.heads)]
            for finding in (*self.examination.heads(heads), *self.examination.rest()):
                yield finding

    def _table(self, rows: Sequence[Any]) -> Iterator[Finding]:
        for row in rows:
            yield from self.examination.row(row)

    def _archives(self, archives: Sequence[Archive], roots: dict[int, Root]) -> Iterator[Finding | int]:
        for number, archive in enumerate(archives, 1):
            root = roots.get(archive.root)
            if root is None or archive.root != number or archive.mac != self._mac(archive):
                yield Finding("forged", f"the entry of archive {archive.file}", day=root.day if root else None)
            if root is None:
                continue
            try:
                if file_hash(self._folder / archive.file) != archive.hash:
                    yield Finding("changed", f"archive {archive.file}", day=root.day)
                for piece in pieces(self._keys, self._folder / archive.file, archive.root):
                    yield from self._table(piece)
                    yield self.examination.rows
            except (OSError, Unopenable, ValueError, TypeError, KeyError, zlib.error) as error:
                yield Finding("unreadable", f"archive {archive.file}: {type(error).__name__}", day=root.day)
            if not self.examination.reached(root.heads):
                yield Finding("missing", f"rows of archive {archive.file}", day=root.day)
            self.examination.begin_at(root)

    def _mac(self, archive: Archive) -> bytes:
        return self._keys.mac(ARCHIVE_KEY, archive_text(archive.root, archive.file, archive.rows, archive.hash))
