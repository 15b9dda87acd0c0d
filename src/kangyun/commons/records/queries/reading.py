"""Reading by id and by version, and the three histories (FHIR R4, RESTful API 3.1.0.4 and 3.1.0.11)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.commons.records.model import HistoryPage, Stored, is_id, key_of, type_code, type_name

sql = queries("kangyun.commons.records", "queries/store.sql")

_FAR_PAST = datetime(1, 1, 2, tzinfo=UTC)
_FAR_FUTURE = datetime(9999, 12, 30, tzinfo=UTC)
_LAST = 2**31 - 1
FEW = 8
"""So many keys stand one by one in a statement, whose plan is then kept."""


async def read(connection: Connection, type_: str, id_: str) -> Stored | None:
    """The current version, which may be a deleted one; None when there never was one."""
    if not is_id(id_):
        return None
    row = await connection.fetchrow(sql.read, key_of(type_, id_), id_)
    return None if row is None else Stored(type_, id_, *row)


async def read_all(connection: Connection, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
    """The current versions of several resources by (type, id), deleted ones too; those that never were are left out."""
    keys = {name: key_of(*name) for name in names}
    rows = {(row["key"], row["id"]): row for row in await rows_of(connection, list(keys.values()))}
    found = {name: rows.get((key, name[1])) for name, key in keys.items()}
    return {
        name: Stored(*name, row["version"], row["updated"], row["deleted"], row["meta"], row["body"], row["resident"])
        for name, row in found.items() if row is not None
    }


async def rows_of(connection: Connection, keys: Sequence[int]) -> list[asyncpg.Record]:
    """The rows of some keys, each once.

    For an array PostgreSQL makes the plan anew each time, since the next one may be longer: half of what it takes to read a few.
    """
    if not 0 < len(keys) <= FEW:
        return await connection.fetch(sql.read_many, keys)
    return await connection.fetch(sql.read_few, *few(keys))


def few(keys: Sequence[int]) -> list[int]:
    """FEW keys, the last one as often as it takes: PostgreSQL reads each row once."""
    return [*keys, *[keys[-1]] * (FEW - len(keys))]


async def read_version(connection: Connection, type_: str, id_: str, version: int) -> Stored | None:
    """One version, current or superseded."""
    current = await read(connection, type_, id_)
    if current is None or current.version == version:
        return current
    row = await connection.fetchrow(sql.read_old, key_of(type_, id_), id_, version)
    return None if row is None else Stored(type_, id_, *row)


async def versions(
    connection: Connection, type_: str | None, id_: str | None, page: Mapping[str, Any]
) -> HistoryPage:
    """A page of history; `page` may hold count, since, at (a pair of instants) and cursor."""
    count = int(page.get("count", 100))
    if type_ and id_:
        return await _of_one(connection, type_, id_, page, count)
    since: datetime = page.get("since") or _FAR_PAST
    updated, rid, version = _decode(page["cursor"]) if page.get("cursor") else (_FAR_FUTURE, 2**62, _LAST)
    if type_:
        rows = await connection.fetch(sql.history_of_type, type_code(type_), since, updated, rid, version, count + 1)
    else:
        rows = await connection.fetch(sql.history_of_all, since, updated, rid, version, count + 1)
    last = rows[count - 1] if len(rows) > count and count else None
    cursor = _encode([last["updated"].timestamp(), last["rid"], last["version"]]) if last else None
    return HistoryPage([_stored(row) for row in rows[:count]], None, cursor)


async def _of_one(
    connection: Connection, type_: str, id_: str, page: Mapping[str, Any], count: int
) -> HistoryPage:
    if not is_id(id_):
        raise refuse(404, "not-found", "records.not-found", type=type_)
    key = key_of(type_, id_)
    since: datetime = page.get("since") or _FAR_PAST
    begin, end = page.get("at") or (since, _FAR_FUTURE)
    before = int(_decode(page["cursor"])[2]) if page.get("cursor") else _LAST
    total = await connection.fetchval(sql.count_of_one, key, id_, since)
    rows = await connection.fetch(sql.history_of_one, key, id_, begin, end, before, count + 1)
    if total == 0 and page.get("since") is None:
        raise refuse(404, "not-found", "records.not-found", type=type_)
    cursor = _encode([0, 0, rows[count - 1]["version"]]) if len(rows) > count and count else None
    return HistoryPage([_stored(row) for row in rows[:count]], None if "at" in page else total, cursor)


def _stored(row: Any) -> Stored:
    return Stored(type_name(row["type"]), row["id"], row["version"], row["updated"], row["deleted"], row["meta"],
                  row["body"], row["resident"])


def _encode(place: list[float]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, int, int]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        stamp, rid, version = msgspec.json.decode(raw, type=tuple[float, int, int])
        return datetime.fromtimestamp(stamp, UTC), rid, version
    except (binascii.Error, msgspec.DecodeError, ValueError, OverflowError) as error:
        raise refuse(400, "invalid", "records.bad-parameter", name="_cursor") from error
