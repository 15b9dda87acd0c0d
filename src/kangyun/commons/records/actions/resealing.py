"""The record is sealed anew while it is read and written: after a new key, or when an older version kept it in the open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.base.fhir import json as fhir_json
from kangyun.base.keys import KeyStore, vault
from kangyun.base.sealing import Page, is_done, mark_done, reseals
from kangyun.commons.records.actions import entries
from kangyun.commons.records.decisions import sealing
from kangyun.commons.records.decisions.index import blind
from kangyun.commons.records.model import SEALED, SEALED_FOR, Stored, opened, type_name

sql = queries("kangyun.commons.records", "queries/resealing.sql")

_AT_ONCE = 100
_FIRST = -(2**63)

# key, id, version, text; with the whole entry also tokens and strings.
_Row = tuple[Any, ...]


async def expect_sealed(connection: Connection, keys: KeyStore) -> None:
    """At the start of a process: find out whether searches must still find what was indexed without a key."""
    if not await is_done(connection, SEALED_FOR) and not await connection.fetchval(sql.any):
        await mark_done(connection, SEALED_FOR, keys.current(SEALED_FOR, clock.now())[0])
    blind.search_old(not await is_done(connection, SEALED_FOR))


@reseals(SEALED_FOR)
async def reseal(connection: Connection, page: Page) -> str | None:
    """Seal anew some current versions or, when these are done, some superseded ones."""
    table, _, rest = page.place.partition("|")
    if table == "old":
        return await _old(connection, page, rest)
    key, _, id_ = rest.partition("|")
    rows = await connection.fetch(sql.current, int(key or _FIRST), id_, _AT_ONCE)
    page.seen = len(rows)
    if page.whole:
        found = [_entry(row) for row in rows if row["body"] is not None]
        await _keep(connection, found, sql.keep_whole, sql.keep_one_whole)
    else:
        found = list(_renewed(rows, page))
        await _keep(connection, found, sql.keep, sql.keep_one)
    page.renewed = len(found)
    return f"current|{rows[-1]['key']}|{rows[-1]['id']}" if rows else "old|"


async def _old(connection: Connection, page: Page, rest: str) -> str | None:
    key, _, tail = rest.partition("|")
    id_, _, version = tail.partition("|")
    rows = await connection.fetch(sql.old, int(key or _FIRST), id_, int(version or 0), _AT_ONCE)
    page.seen = len(rows)
    found = list(_renewed(rows, page))
    if found:
        await connection.execute(sql.keep_old, *_columns(found))
    page.renewed = len(found)
    return f"old|{rows[-1]['key']}|{rows[-1]['id']}|{rows[-1]['version']}" if rows else None


async def _keep(connection: Connection, found: Sequence[_Row], statement: str, alone: str) -> None:
    """Keep the new texts; rows that somebody else is writing are waited for one by one, holding no other."""
    if not found:
        return
    kept = {tuple(row) for row in await connection.fetch(statement, *_columns(found))}
    for row in found:
        if row[:2] not in kept:
            await connection.execute(alone, *row)


def _columns(rows: Sequence[_Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _renewed(rows: Sequence[Any], page: Page) -> Iterator[_Row]:
    """The rows whose text changes under the current key."""
    for row in rows:
        text = _text(row, page)
        if text is not None:
            yield row["key"], row["id"], row["version"], text


def _text(row: Any, page: Page) -> str | None:
    """The text under the current key; None when it is that already, or nothing to be sealed."""
    text = row["body"]
    if text is None or (not text.startswith(SEALED) and not page.whole):
        return None
    if text.startswith(SEALED) and vault.key_id(text[len(SEALED) :]) == page.key:
        return None
    type_, id_ = type_name(row["type"]), row["id"]
    body = opened(text, f"{type_}/{id_}")
    kept = sealing.kept(fhir_json.loads(body.encode()), id_, body)
    return None if kept == text else kept


def _entry(row: Any) -> _Row:
    stored = Stored(type_name(row["type"]), row["id"], row["version"], clock.now(), False, row["meta"], row["body"])
    entry = entries.entry(stored.resource, stored.id, stored.updated, None)
    return row["key"], row["id"], row["version"], entry[8], entry[9] or "{}", entry[10]
