"""Days of the audit trail that the database need not keep any longer move into sealed files, whole and in order.

A file holds everything between two roots: pieces of rows, each sealed for its place in this file. What is moved is
examined first; what does not fit together stays where it is.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives import hashes

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.jobs import every
from kangyun.base.keys import KeyStore
from kangyun.commons.access.actions.lane import sql
from kangyun.commons.access.actions.roots import checks
from kangyun.commons.access.decisions.examining import Examination, Finding, Place, Root
from kangyun.commons.access.decisions.keeping import ROWS_OF_A_PIECE, archive_text, may_leave, piece_of, rows_of
from kangyun.commons.access.decisions.trail import START

log = structlog.get_logger()

ARCHIVE_KEY = "audit-archive"
_SIZE = 4
_PATIENCE = 1800.0


@dataclass(frozen=True, slots=True)
class Archive:
    """A row of audit_archive: the file of everything up to a root."""

    root: int
    file: str
    rows: int
    hash: bytes
    mac: bytes


@every("audit.archive", at=time(3, 30))
async def move_old(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job; `services` has database, keys and settings."""
    folder = archive_folder(services.settings.data)
    async with services.database.connection() as connection:
        roots = [Root(*row) for row in await connection.fetch(sql.roots)]
        done = {row["root"] for row in await connection.fetch(sql.archives)}
    before: dict[int, Place] = {}
    for root in roots:
        if root.number not in done:
            if not may_leave(root, clock.now()):
                return
            async with services.database.transaction() as connection:
                if not await move(connection, services.keys, folder, root, before):
                    return
        before = root.heads


def archive_folder(data: Path) -> Path:
    """Where the files are."""
    return data / "trail" / "archive"


async def move(connection: Connection, keys: KeyStore, folder: Path, root: Root, before: dict[int, Place]) -> bool:
    """Move everything up to a root, in the caller's transaction; False when it is not whole and therefore stays."""
    examination = Examination(checks(keys), {})
    examination.continue_at(before)
    writer = _Writer(keys, folder, root)
    found: list[Finding] = []
    pieces = [_rows(connection, lane, before.get(lane, (0, START))[0], end[0]) for lane, end in root.heads.items()]
    for piece in pieces:
        async for rows in piece:
            found += [finding for row in rows for finding in examination.row(row)]
            writer.add(rows)
    if found or not examination.reached(root.heads):
        writer.give_up()
        log.error("audit.not_archived", number=root.number, count=len(found))
        return False
    hash_ = writer.finish()
    mac = keys.mac(ARCHIVE_KEY, archive_text(root.number, writer.path.name, writer.rows, hash_))
    await connection.execute(sql.add_archive, root.number, writer.path.name, writer.rows, hash_, mac)
    await connection.execute(sql.archiving)
    for lane, end in root.heads.items():
        await connection.execute(sql.move_out, lane, before.get(lane, (0, START))[0], end[0], timeout=_PATIENCE)
    log.info("audit.archived", number=root.number, rows=writer.rows)
    return True


async def _rows(connection: Connection, lane: int, first: int, last: int) -> AsyncIterator[list[Any]]:
    for start in range(first, last, ROWS_OF_A_PIECE):
        yield await connection.fetch(sql.some_rows, lane, start, min(start + ROWS_OF_A_PIECE, last))


class _Writer:
    """Writes a file beside its place and puts it there when it is whole and on the disk."""

    def __init__(self, keys: KeyStore, folder: Path, root: Root) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{root.day.isoformat()}-{root.number:06}.sealed"
        self.rows = 0
        self._keys = keys
        self._root = root.number
        self._pieces = 0
        self._hash = hashes.Hash(hashes.SM3())
        self._fresh = self.path.with_suffix(".new")
        self._file = os.fdopen(os.open(self._fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

    def add(self, rows: list[Any]) -> None:
        """Append a piece."""
        if not rows:
            return
        sealed = self._keys.seal(ARCHIVE_KEY, piece_of(rows), _context(self._root, self._pieces))
        for part in (len(sealed).to_bytes(_SIZE), sealed):
            self._file.write(part)
            self._hash.update(part)
        self.rows += len(rows)
        self._pieces += 1

    def finish(self) -> bytes:
        """Put the file in its place; returns its SM3 hash."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._fresh.replace(self.path)
        return self._hash.finalize()

    def give_up(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._fresh.unlink()


def pieces(keys: KeyStore, path: Path, root: int) -> Iterator[list[Any]]:
    """The rows of a file, piece by piece; raises Unopenable or ValueError for one that was changed, OSError for none."""
    with path.open("rb") as file:
        number = 0
        while size := file.read(_SIZE):
            yield list(rows_of(keys.open(ARCHIVE_KEY, file.read(int.from_bytes(size)), _context(root, number))))
            number += 1


def file_hash(path: Path) -> bytes:
    """The SM3 hash of a file; raises OSError."""
    digest = hashes.Hash(hashes.SM3())
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.finalize()


def _context(root: int, piece: int) -> bytes:
    return f"{root}/{piece}".encode()
