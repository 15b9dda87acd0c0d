"""Settlements as they are kept."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
import orjson

from kangyun.base.database import Connection, queries
from kangyun.base.money import Fen
from kangyun.commons.access import Handle
from kangyun.support.insurance.model import FIGURES, Settled, Settlement, SoFar

sql = queries("kangyun.support.insurance", "queries/insurance.sql")


def settled_of(row: asyncpg.Record) -> Settled:
    """A row as a settlement; `more` has made, changed, theirs, reply."""
    figures: dict[str, Fen] = orjson.loads(row["figures"])
    settlement = Settlement._make([*(figures[name] for name in FIGURES), SoFar(**orjson.loads(row["change"]))])
    more = {"made": row["made"], "changed": row["changed"], "reply": row["reply"], "theirs": orjson.loads(row["theirs"]) if row["theirs"] else {}}
    return Settled(
        row["id"], row["state"], f"clm-{row['id']}", settlement, row["day"], row["patient"], row["member"], row["place"], row["insurer"],
        row["resident"], row["year"], row["scene"], row["note"], more)


async def by_id(connection: Connection, id_: str) -> Settled | None:
    """The settlement of an id."""
    row = await connection.fetchrow(sql.by_id, id_)
    return settled_of(row) if row else None


async def by_key(connection: Connection, resident: int, key: str) -> Settled | None:
    """The settlement that a caller's key has made."""
    row = await connection.fetchrow(sql.by_key, resident, key)
    return settled_of(row) if row else None


async def seen(handle: Handle, type_: str, ids: Iterable[str]) -> set[str]:
    """Which of these resources the caller sees: what our own tables show of people is judged here, and stands in the audit trail."""
    wanted = sorted(set(ids))
    if not wanted:
        return set()
    page = await handle.search(type_, [("_id", ",".join(wanted)), ("_count", str(len(wanted))), ("_elements", "id")])
    return {str(one["id"]) for one in page.resources}
