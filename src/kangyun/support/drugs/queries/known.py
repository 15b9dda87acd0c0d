"""What is known of drugs: the rule files with a region's own list over them, read anew when the list has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from weakref import WeakKeyDictionary

import orjson

from kangyun.base import clock
from kangyun.base.database import Connection, Database, queries
from kangyun.commons.access import Handle
from kangyun.support.drugs.decisions.catalogue import drug_of
from kangyun.support.drugs.decisions.knowledge import Knowledge, edition, knowledge, shipped
from kangyun.support.drugs.model import Drug

sql = queries("kangyun.support.drugs", "queries/listed.sql")

# How long a process trusts what it has in memory before it asks whether the list is another one.
_TRUSTED_SECONDS = 5.0


class _Kept:
    """What one process keeps of one database, and when it was last sure of it."""

    def __init__(self, known: Knowledge, edition: tuple[int, int], at: float) -> None:
        self.known = known
        self.edition = edition
        self.at = at


_kept: WeakKeyDictionary[Database, _Kept] = WeakKeyDictionary()


async def catalogue(handle: Handle) -> Knowledge:
    """What is known today; a list loaded elsewhere is seen after some seconds at the latest."""
    kept = _kept.get(handle.database)
    if kept is not None and 0 <= clock.seconds() - kept.at < _TRUSTED_SECONDS:
        return kept.known
    async with handle.connection() as connection:
        return await _asked(handle.database, connection, kept)


async def _asked(database: Database, connection: Connection, kept: _Kept | None) -> Knowledge:
    listed = int(await connection.fetchval(sql.edition))
    if kept is None or kept.edition != (listed, edition()):
        bodies = [row["body"] for row in await connection.fetch(sql.rows)] if listed else []
        # Reading all rule files takes a second: others are served meanwhile.
        known = await asyncio.to_thread(_made, bodies, str(listed or ""))
        kept = _kept[database] = _Kept(known, (listed, edition()), 0)
    kept.at = clock.seconds()
    return kept.known


def _made(bodies: Sequence[str], own: str) -> Knowledge:
    return knowledge([_drug(body) for body in bodies], own) if own else shipped()


def _drug(body: str) -> Drug:
    return drug_of(orjson.loads(body), certainty="default", source="a region's own list")


def forget(database: Database) -> None:
    """Ask again at the next call: the list has just changed here."""
    _kept.pop(database, None)


async def drugs_of(handle: Handle, codes: Iterable[str]) -> dict[str, Drug]:
    """The drugs of some codes; those that the catalogue does not have are left out."""
    known = (await catalogue(handle)).drugs
    return {code: known[code] for code in codes if code in known}


async def loadings(handle: Handle) -> list[tuple[datetime, str, int]]:
    """When a region's list was loaded: moment, file, rows; the newest first."""
    async with handle.connection() as connection:
        return [(row["at"], row["file"], row["rows"]) for row in await connection.fetch(sql.history)]
