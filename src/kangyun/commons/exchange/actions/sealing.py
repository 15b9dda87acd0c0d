"""Raw messages at rest: compressed where that helps, sealed with the installation's key, known by a keyed hash.

The context of a seal is the keyed hash of the content, which stands in the same row: a body that is put into another
row does not open there.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import structlog

from kangyun.base.database import Database
from kangyun.base.errors import refuse
from kangyun.base.jobs import every
from kangyun.base.keys import KeyStore, Unopenable
from kangyun.commons.exchange.queries.messages import sql

log = structlog.get_logger()

PURPOSE = "raw-message"
PLAIN, SEALED, COMPRESSED = 0, 1, 2
# Below this the row is not stored out of line, and compressing costs more than it saves.
_WORTH_COMPRESSING = 2000
_AT_ONCE = 200
OLD_MARK, MARK = "sha256:", "content:"


def content_hash(keys: KeyStore, body: bytes) -> bytes:
    """The keyed hash of a body, 32 bytes: equal content is recognised, and nothing is told without the key."""
    return keys.mac(PURPOSE, body)


def plain_hash(body: bytes) -> bytes:
    """The hash by which content was known before bodies were sealed."""
    return hashlib.sha256(body).digest()


def sealed(keys: KeyStore, body: bytes, digest: bytes) -> tuple[int, bytes]:
    """How the body is wrapped, and the wrapped body; `digest` is its content_hash."""
    if len(body) < _WORTH_COMPRESSING:
        return SEALED, keys.seal(PURPOSE, body, digest)
    return COMPRESSED, keys.seal(PURPOSE, zlib.compress(body, 1), digest)


def opened(keys: KeyStore, wrapped: bytes, how: int, digest: bytes) -> bytes:
    """The body as it arrived. Raises Problem 503 when this installation's keys do not open it."""
    if how == PLAIN:
        return wrapped
    try:
        body = keys.open(PURPOSE, wrapped, digest)
    except Unopenable as error:
        log.error("exchange.unopenable", error=type(error).__name__)
        raise refuse(503, "security", "exchange.unopenable") from error
    return zlib.decompress(body) if how == COMPRESSED else body


@every("exchange.seal", seconds=60)
async def seal_old(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job: seal what older versions left as received; `services` has database and keys."""
    total = 0
    while count := await seal_some(services.database, services.keys):
        total += count
    if total:
        log.info("exchange.sealed", count=total)


async def seal_some(database: Database, keys: KeyStore) -> int:
    """Seal some plain bodies; returns how many."""
    async with database.connection() as connection:
        rows = await connection.fetch(sql.plain, _AT_ONCE)
        if rows:
            wrapped = [_wrapped(keys, row) for row in rows]
            await connection.execute(sql.seal, *(list(column) for column in zip(*wrapped, strict=True)))
    return len(rows)


def _wrapped(keys: KeyStore, row: Any) -> tuple[int, int, int, bytes, bytes, str]:
    body = bytes(row["body"])
    digest = content_hash(keys, body)
    how, wrapped = sealed(keys, body, digest)
    known = row["control_id"]
    # A control id made from the plain hash would tell whether a guessed content was sent.
    control = f"{MARK}{digest.hex()}" if known.startswith(OLD_MARK) else known
    return row["sender_key"], row["id"], how, wrapped, digest, control
