"""`kangyun sheets FOLDER`: spreadsheets of many clinics, several processes, with progress, resumable after any end.

Files of one sender stay in order, in one process. Rows are stored by the hundred together with the note that they are;
who cannot be placed among the others simply is placed one by one, as a message would be.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from kangyun.app.services import Services, assemble, collect_less, open_services, settle_process
from kangyun.base import errors
from kangyun.base.database import Connection, Database
from kangyun.base.database.connection import open_pool
from kangyun.base.errors import Issue
from kangyun.base.settings import Settings
from kangyun.commons.exchange.actions import row_order
from kangyun.commons.exchange.actions.coding import coder_of
from kangyun.commons.exchange.actions.recognising import recognise
from kangyun.commons.exchange.actions.table_files import SLICE, Slice, TableFile, kept, whole
from kangyun.commons.exchange.actions.tables import ensure_organization, store_rows
from kangyun.commons.exchange.decisions.tables import Bad, Good, naming
from kangyun.commons.exchange.model import SENDER_SYSTEM, Fault, Reason
from kangyun.commons.exchange.queries import current
from kangyun.commons.population.actions.crowds import Crowd, is_news, place_crowd
from kangyun.commons.records.actions.importing import chunk_done, done_chunks, load_resources, refused

_LARGEST = 64 << 20
_STATEMENT_SECONDS = 300


@dataclass(slots=True)
class Report:
    """What became of files: rows stored and held, files refused as a whole, and files that were done before."""

    files: int = 0
    stored: int = 0
    held: int = 0
    refused: int = 0
    before: int = 0

    def add(self, other: Report) -> None:
        """Add up."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def run_sheets(settings: Settings, folder: Path, processes: int) -> int:
    """Load the spreadsheets of a folder; returns 1 when rows or files wait in quarantine."""
    if not folder.is_dir():
        raise OSError(f"{folder}: no such folder")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in naming.SUFFIXES and not path.name.startswith((".", "~"))]
    # Registers first: later sheets may name their residents without a number.
    files = sorted(found, key=lambda path: (naming.turn_of(path.name), path))
    return asyncio.run(_sheets(settings, files, processes))


async def _sheets(settings: Settings, files: Sequence[Path], processes: int) -> int:
    services = await open_services(settings)
    started = time.monotonic()
    try:
        place = (settings, services.database.dsn)
        total = await asyncio.to_thread(_take_all, place, _by_sender(files), processes)
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(services.database.dsn)
        await connection.execute("ANALYZE resource, span, identity")
        await connection.close()
    finally:
        await services.close()
        await services.database.stop_server()
    seconds = time.monotonic() - started
    print(
        f"{total.files} files: {total.stored} rows stored in {seconds:.1f} s ({total.stored / seconds:.0f}/s), "
        f"{total.held} held, {total.refused} files refused, {total.before} done before"
    )
    return 1 if total.held or total.refused else 0


def _by_sender(files: Sequence[Path]) -> list[list[Path]]:
    """The files of each sender, in their order; the largest senders first, so that none is waited for at the end."""
    found: dict[str, list[Path]] = {}
    for path in files:
        found.setdefault(naming.sender_in(path.name) or path.parent.name, []).append(path)
    return sorted(found.values(), key=lambda some: -sum(path.stat().st_size for path in some))


def _take_all(place: tuple[Settings, str], work: Sequence[list[Path]], processes: int) -> Report:
    total, whole_size, done = Report(), sum(path.stat().st_size for some in work for path in some) or 1, 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_open, initargs=place) as pool:
        waiting = {pool.submit(_take, some): some for some in work}
        for future in as_completed(waiting):
            total.add(future.result())
            done += sum(path.stat().st_size for path in waiting[future])
            end = "\r" if sys.stdout.isatty() else "\n"
            print(f"{done / whole_size:6.1%}  {total.stored} rows stored, {total.held} held", end=end, flush=True)
    return total


class _Process:
    """What one process keeps open."""

    loop: asyncio.AbstractEventLoop
    services: Services


def _open(settings: Settings, dsn: str) -> None:
    settle_process(settings)
    _Process.loop = asyncio.new_event_loop()

    async def connect() -> Services:
        database = Database(dsn, open_pool(dsn, 3, _STATEMENT_SECONDS), None)
        return assemble(settings, database)

    _Process.services = _Process.loop.run_until_complete(connect())
    collect_less()


def _take(files: list[Path]) -> Report:
    total = Report()
    for path in files:
        total.add(_Process.loop.run_until_complete(take_file(_Process.services, path)))
    return total


async def take_file(services: Services, path: Path) -> Report:
    """Take one spreadsheet into the record."""
    body = await asyncio.to_thread(_read, path)
    if body is None:
        return Report(files=1, refused=1)
    file = await kept(services.database, services.keys, body, path.name, path.parent.name)
    if file is None:
        return Report(files=1, before=1)
    try:
        file.open()
    except Fault as fault:
        await file.settle(file.refused(fault))
        return Report(files=1, refused=1)
    stored = [0] * len(file.tables)
    for number in sorted(range(len(file.tables)), key=lambda one: file.tables[one].header.kind.turn):
        stored[number] = await _Sheet(services, file, number).take()
    await coder_of(services.database).flush()
    outcome = await file.finish(stored)
    held = int(outcome.reason.params.get("held", "0")) if outcome.reason else 0
    return Report(files=1, stored=sum(stored), held=held)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.stat().st_size <= _LARGEST else None


class _Sheet:
    """One sheet of a file, slice by slice."""

    def __init__(self, services: Services, file: TableFile, number: int) -> None:
        self._services = services
        self._file = file
        self._number = number
        self._handle = services.gate.system("exchange")
        self._coder = coder_of(services.database)
        self._name = f"table/{file.raw.id}/{number}"
        self._source = f"{SENDER_SYSTEM}:{file.sender.urn.rsplit(':', 1)[-1]}"

    async def take(self) -> int:
        """Store the rows that are not stored yet; returns how many rows of the sheet are stored."""
        async with self._services.database.connection() as connection:
            done = await done_chunks(connection, self._name)
        await ensure_organization(self._handle, self._file.tables[self._number])
        stored = sum(done.values())
        for part in self._file.slices(self._number, list(done)):
            stored += await self._store(part)
        unnumbered = self._file.tables[self._number].unnumbered
        for start in range(0, len(unnumbered), SLICE):
            stored += await self._store_unnumbered(unnumbered[start : start + SLICE])
        return stored

    async def _store_unnumbered(self, numbers: Sequence[int]) -> int:
        """Store the rows whose resident is recognised; they are tried in every load, since somebody may be registered meanwhile."""
        table = self._file.tables[self._number]
        known, unknown = await recognise(self._handle, table, numbers)
        part = Slice(table, 0, known, unknown)
        part.bad += await store_rows(self._handle, await self._store_together(part), self._file.sender)
        async with self._services.database.connection() as connection, connection.transaction():
            await self._file.hold_again(connection, part, numbers)
        return len(numbers) - len(part.bad)

    async def _store(self, part: Slice) -> int:
        alone = await self._store_together(part)
        part.bad += await store_rows(self._handle, alone, self._file.sender)
        bad = {one.row for one in part.bad}
        stored = sum(row.row not in bad for row in part.rows)
        async with self._services.database.connection() as connection, connection.transaction():
            await self._file.hold(connection, part)
            await chunk_done(connection, self._name, part.start, stored)
        return stored

    async def _store_together(self, part: Slice) -> list[Good]:
        """Store what can be stored together; gives the rows that are left for storing one by one."""
        if not part.rows:
            return []
        async with self._services.database.connection() as connection, connection.transaction():
            crowd = await place_crowd(connection, self._file.sender.key, [row.patient for row in part.rows])
            changed = await self._changed(crowd, part.rows) | await self._late(connection, crowd, part.rows)
            ids = [None if id_ in changed else id_ for id_ in crowd.ids]
            resources, without = await self._checked(crowd, part, ids)
            await load_resources(connection, resources)
            await crowd.keep(connection, without)
            stored = [(row, id_) for row, id_ in zip(part.rows, ids, strict=True) if id_ is not None and id_ not in without]
            await row_order.noted(connection, self._file.sender, stored)
        return [row for row, id_ in zip(part.rows, ids, strict=True) if id_ is None]

    async def _changed(self, crowd: Crowd, rows: Sequence[Good]) -> set[str]:
        """Patients that the sender had and now tells something new about."""
        if not crowd.known:
            return set()
        held = await current(self._handle, [("Patient", one) for one in sorted(crowd.known)])
        told = [(id_, row.patient) for id_, row in zip(crowd.ids, rows, strict=True) if id_ in crowd.known]
        return {id_ for id_, patient in told if id_ and is_news(held.get(("Patient", id_)), patient)}

    async def _late(self, connection: Connection, crowd: Crowd, rows: Sequence[Good]) -> set[str]:
        """Patients of whom the sender has told later than a row does; such a row is looked at by itself."""
        told = [(row, id_) for id_, row in zip(crowd.ids, rows, strict=True) if id_ and id_ in crowd.known]
        late = {id(row) for row in await row_order.overtaken(connection, self._file.sender, told)}
        return {id_ for row, id_ in told if id(row) in late}

    async def _checked(self, crowd: Crowd, part: Slice, ids: Sequence[str | None]) -> tuple[list[dict[str, Any]], set[str]]:
        """All resources that may be stored, and the new Patients that may not, whose rows are held."""
        bad: dict[str, list[Issue]] = {}
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for patient in crowd.patients:
            issues = refused(patient)
            if issues:
                bad[patient["id"]] = issues
        for row, id_ in zip(part.rows, ids, strict=True):
            if id_ is None:
                continue
            told = await self._coder.code(self._handle, self._file.sender.key, row.settle(id_))
            resources = [whole(one, self._source) for one in told]
            issues = bad.get(id_) or [issue for one in resources for issue in refused(one)]
            if issues:
                part.bad.append(Bad(row.row, 0, _reason(issues[0])))
                continue
            found.update({(one["resourceType"], one["id"]): one for one in resources})
        new = [pair for pair in zip(crowd.patients, crowd.persons, strict=True) if pair[0]["id"] not in bad]
        return [*(one for pair in new for one in pair), *found.values()], set(bad)


def _reason(issue: Issue) -> Reason:
    params = {"text": errors.text(issue, "zh"), "text_en": errors.text(issue, "en")}
    return Reason("exchange.refused-by-record", "", {name: f"{text} ({issue.expression})" for name, text in params.items()})
