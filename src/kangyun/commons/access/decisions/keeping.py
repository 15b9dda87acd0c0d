"""How long the audit trail stays in the database, by rules/retention.yaml, and how a day of it is written to a file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from kangyun.base.rules import Rule, load
from kangyun.commons.access.decisions.examining import Root
from kangyun.commons.access.decisions.trail import BODY, HASH, LANE, SEALED, SEQ, columns

ROWS_OF_A_PIECE = 5000


def may_leave(root: Root, now: datetime) -> bool:
    """Whether what a root covers has been in the database as long as the law asks."""
    return _is_over(orjson.loads(root.body)["made"], now, load("kangyun.commons.access", "retention.yaml"))


def piece_of(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as one piece of a file, compressed; the columns are left out, since the body says the same."""
    lines = [orjson.dumps([row[LANE], row[SEQ], row[BODY], (row[SEALED] or b"").hex(), row[HASH].hex()]) for row in rows]
    return zlib.compress(b"\n".join(lines), 6)


def rows_of(piece: bytes) -> Iterator[Sequence[Any]]:
    """The rows of a piece, as they were in the table."""
    for line in zlib.decompress(piece).split(b"\n"):
        lane, seq, body, sealed, hash_ = orjson.loads(line)
        yield (lane, seq, *columns(orjson.loads(body)), body, bytes.fromhex(sealed) or None, bytes.fromhex(hash_))


def archive_text(root: int, file: str, rows: int, hash_: bytes) -> bytes:
    """What the keyed hash of an archive's row covers."""
    return orjson.dumps([root, file, rows, hash_.hex()])


def check_example(rule: Rule, given: Mapping[str, Any]) -> bool:
    """Whether something made then may leave the database now."""
    return _is_over(given["made"], datetime.fromisoformat(given["now"]), rule)


def _is_over(made: str, now: datetime, rule: Rule) -> bool:
    return now - datetime.fromisoformat(made) > timedelta(days=rule.value)
