"""Bulk loading: one chunk of NDJSON lines becomes one transaction, together with the note that the chunk is done.

A chunk that was noted is never loaded again, so an import that was interrupted goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from kangyun.base import clock
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.commons.records.actions import entries
from kangyun.commons.records.actions.writing import created
from kangyun.commons.records.model import Written, is_type, new_id, opened, type_name
from kangyun.commons.records.queries.reading import sql

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of a file: the bytes from start to end; `name` tells the file apart, whatever its folder."""

    path: Path
    name: str
    start: int
    end: int


@dataclass(slots=True)
class Loaded:
    """What became of a chunk: how many were stored, and the refused lines with their faults."""

    stored: int = 0
    refused: list[tuple[int, list[Issue]]] = field(default_factory=list[tuple[int, list[Issue]]])


def chunks(path: Path, size: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """Cut a file into chunks of about `size` bytes at line ends."""
    stat = path.stat()
    name = f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}"
    with path.open("rb") as file:
        start = 0
        while start < stat.st_size:
            file.seek(min(start + size, stat.st_size))
            file.readline()
            end = file.tell()
            yield Chunk(path, name, start, end)
            start = end


async def done_chunks(connection: asyncpg.Connection[asyncpg.Record], name: str) -> dict[int, int]:
    """Where the finished chunks of a file begin, with the number of resources that each stored."""
    rows = await connection.fetch(sql.import_done, name)
    return {row["start"]: row["stored"] for row in rows}


async def ready_to_search(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Searches need to know what is frequent, and read all that is not sorted in; the server's own pass may be a minute away."""
    await connection.execute(sql.sort_in)
    await connection.execute("ANALYZE resource, span")


async def load_chunk(connection: asyncpg.Connection[asyncpg.Record], chunk: Chunk) -> Loaded:
    """Validate, index and store the lines of a chunk; lines that are refused do not hinder the others."""
    loaded = Loaded()
    rows = _rows(chunk, loaded)
    try:
        await _store(connection, chunk, rows, sql.create, loaded)
    except asyncpg.UniqueViolationError:
        # Some of these ids are there already, or twice in the chunk: those become new versions.
        for layer in _layers(rows):
            loaded.stored += len(layer)
            async with connection.transaction():
                await connection.fetch(sql.commit, layer)
        await connection.execute(sql.import_note, chunk.name, chunk.start, loaded.stored)
    return loaded


async def _store(
    connection: asyncpg.Connection[asyncpg.Record], chunk: Chunk, rows: list[entries.Entry], statement: str,
    loaded: Loaded,
) -> None:
    async with connection.transaction():
        await connection.execute(statement, rows)
        await connection.execute(sql.import_note, chunk.name, chunk.start, len(rows))
    loaded.stored = len(rows)


async def load_resources(
    connection: asyncpg.Connection[asyncpg.Record], resources: Sequence[dict[str, Any]]
) -> int:
    """Store resources with their ids inside the caller's transaction; those that are there and the same stay.

    Each has been checked (`refused`). Returns how many were written.
    """
    updated = clock.now()
    rows = [entries.entry(one, str(one["id"]), updated, None) for one in resources]
    try:
        async with connection.transaction():
            await connection.execute(sql.create, rows)
            return len(rows)
    except asyncpg.UniqueViolationError:
        changed = await _changed(connection, rows)
    for layer in _layers(changed):
        await connection.fetch(sql.commit, layer)
    return len(changed)


async def create_resources(
    connection: asyncpg.Connection[asyncpg.Record], resources: Sequence[dict[str, Any]]
) -> list[Written]:
    """Store new resources with their ids inside the caller's transaction, which has made sure that none of them is there.

    Each has been checked. Raises Problem 409 when somebody else has just written one of them.
    """
    updated = clock.now()
    rows = [entries.entry(one, str(one["id"]), updated, None) for one in resources]
    try:
        await connection.execute(sql.create, rows)
    except asyncpg.UniqueViolationError as error:
        raise refuse(409, "conflict", "base.crossed") from error
    return [created((type_name(row[4]), row[5]), updated, row) for row in rows]


def refused(resource: dict[str, Any]) -> list[Issue]:
    """What keeps a resource from being stored; empty when nothing does."""
    try:
        entries.check(resource)
    except Problem as problem:
        return list(problem.issues)
    return []


async def chunk_done(connection: asyncpg.Connection[asyncpg.Record], name: str, start: int, stored: int) -> None:
    """Note that a part of a file was stored."""
    await connection.execute(sql.import_note, name, start, stored)


async def _changed(
    connection: asyncpg.Connection[asyncpg.Record], rows: list[entries.Entry]
) -> list[entries.Entry]:
    """The rows that are new or say something else than what is there."""
    known = await connection.fetch(sql.read_many, [row[3] for row in rows])
    bodies = {(row["key"], row["id"]): row["body"] for row in known if not row["deleted"]}
    return [row for row in rows if not _same(row, bodies.get((row[3], row[5])))]


def _same(row: entries.Entry, kept: str | None) -> bool:
    """Whether a row says what is there; sealed texts are never the same twice."""
    name = f"{type_name(row[4])}/{row[5]}"
    return kept is not None and opened(kept, name) == opened(row[8], name)


def _layers(rows: list[entries.Entry]) -> list[list[entries.Entry]]:
    """Rows so that no id stands twice in one layer, in their order."""
    layers: list[dict[tuple[int, str], entries.Entry]] = []
    for row in rows:
        place = next((layer for layer in layers if (row[3], row[5]) not in layer), None)
        if place is None:
            layers.append(place := {})
        place[row[3], row[5]] = row
    return [list(layer.values()) for layer in layers]


def _rows(chunk: Chunk, loaded: Loaded) -> list[entries.Entry]:
    with chunk.path.open("rb") as file:
        file.seek(chunk.start)
        lines = file.read(chunk.end - chunk.start).splitlines()
    updated = clock.now()
    rows: list[entries.Entry] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            rows.append(_row(fhir_json.loads(line), updated))
        except Problem as problem:
            loaded.refused.append((number, list(problem.issues)))
    return rows


def _row(resource: dict[str, Any], updated: Any) -> entries.Entry:
    type_ = resource.get("resourceType")
    if not isinstance(type_, str) or not is_type(type_):
        raise Problem(400, Issue("structure", "records.no-resource"))
    entries.check(resource)
    return entries.entry(resource, str(resource.get("id") or new_id()), updated, None)
