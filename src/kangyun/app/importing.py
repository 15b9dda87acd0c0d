"""`kangyun import`: several processes validate and index the lines of NDJSON files, with progress, resumable."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import asyncpg

from kangyun.app.services import open_services, settle_process
from kangyun.base.errors import operation_outcome
from kangyun.base.keys import open_keys, vault
from kangyun.base.settings import Settings
from kangyun.commons.access import label_all
from kangyun.commons.records.actions.importing import Chunk, Loaded, chunks, done_chunks, load_chunk, ready_to_search

_AHEAD = 4


def run_import(settings: Settings, files: list[Path], processes: int) -> int:
    """Load the files; returns 1 when lines were refused, which stand with their reasons in FILE.refused."""
    for file in files:
        with file.open("rb"):
            pass  # Whoever mistypes a name should not wait for the database first; raises OSError.
    return asyncio.run(_import(settings, files, processes))


async def _import(settings: Settings, files: list[Path], processes: int) -> int:
    services = await open_services(settings)
    try:
        dsn = services.database.dsn
        started = time.monotonic()
        # What comes is labelled as it is written: of an empty record nothing has to be looked at again later.
        await label_all(services.database)
        todo, before = await _todo(dsn, files)
        loaded = await asyncio.to_thread(_load_all, (settings, dsn), todo, processes, before)
        await _finish(dsn)
    finally:
        await services.close()
        await services.database.stop_server()
    seconds = time.monotonic() - started
    print(f"{loaded.stored} stored in {seconds:.1f} s ({loaded.stored / seconds:.0f}/s), {len(loaded.refused)} refused")
    return 1 if loaded.refused else 0


async def _todo(dsn: str, files: Iterable[Path]) -> tuple[list[Chunk], int]:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    try:
        todo: list[Chunk] = []
        before = 0
        for file in files:
            every = list(chunks(file))
            done = await done_chunks(connection, every[0].name) if every else {}
            before += sum(done.values())
            todo += [chunk for chunk in every if chunk.start not in done]
        return todo, before
    finally:
        await connection.close()


async def _finish(dsn: str) -> None:
    """On a connection of its own: a statement of the pool ends after some seconds, and this takes longer after a large import."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    await ready_to_search(connection)
    await connection.close()


def _load_all(place: tuple[Settings, str], todo: list[Chunk], processes: int, before: int) -> Loaded:
    if before:
        print(f"{before} resources were loaded before; going on")
    total = Loaded()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_open, initargs=place) as pool:
        waiting: dict[Future[Loaded], Chunk] = {}
        rest = iter(todo)
        done_bytes, all_bytes = 0, sum(c.end - c.start for c in todo) or 1
        while True:
            while len(waiting) < processes * _AHEAD and (chunk := next(rest, None)):
                waiting[pool.submit(_load, chunk)] = chunk
            if not waiting:
                return total
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                chunk = waiting.pop(future)
                _add(total, chunk, future.result())
                done_bytes += chunk.end - chunk.start
                _progress(total.stored, done_bytes / all_bytes)


def _add(total: Loaded, chunk: Chunk, loaded: Loaded) -> None:
    total.stored += loaded.stored
    total.refused += loaded.refused
    if loaded.refused:
        with chunk.path.with_name(chunk.path.name + ".refused").open("a") as file:
            for number, issues in loaded.refused:
                place = {"offset": chunk.start, "line": number, "outcome": operation_outcome(issues, "en")}
                file.write(json.dumps(place, ensure_ascii=False) + "\n")


def _progress(stored: int, share: float) -> None:
    end = "\r" if sys.stdout.isatty() else "\n"
    print(f"{share:6.1%}  {stored} stored", end=end, flush=True)


class _Process:
    """What one importing process keeps open."""

    loop: asyncio.AbstractEventLoop
    connection: asyncpg.Connection[asyncpg.Record]


def _open(settings: Settings, dsn: str) -> None:
    settle_process(settings)
    vault.use(open_keys(settings))

    async def connect() -> Any:
        # Group the fsync of chunks: a chunk that is lost with the machine was not noted either.
        return await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off", "jit": "off"})

    _Process.loop = asyncio.new_event_loop()
    _Process.connection = _Process.loop.run_until_complete(connect())


def _load(chunk: Chunk) -> Loaded:
    return _Process.loop.run_until_complete(load_chunk(_Process.connection, chunk))
