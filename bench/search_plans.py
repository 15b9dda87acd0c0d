"""The searches of the table in the README against a full database, without HTTP: milliseconds each, or their plans.

Run: ``.venv/bin/python bench/search_plans.py FOLDER [--residents 100000] [--observations 1000000] [--plans]``. The folder
keeps the database, so that a second run begins at once.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import asyncpg
import orjson
import uvloop

import population
from kangyun.base import clock
from kangyun.base.database import migrate
from kangyun.base.database.embedded import EmbeddedServer
from kangyun.commons.records.actions.entries import entry
from kangyun.commons.records.queries import search
from kangyun.commons.records.queries.reading import sql

BATCH = 2000
GIN = ("resource_tokens", "tokens"), ("resource_strings", "strings")
SEARCHES = (
    ("family", "Patient?family={family}"),
    ("name, pinyin", "Patient?name=wang"),
    ("name, three letters", "Patient?name=wxm"),
    ("identifier", "Patient?identifier=99{resident:016d}"),
    ("one resident's, newest first", "Observation?patient=r{resident}&code=718-7&_sort=-date"),
    ("one resident's, all codes", "Observation?patient=r{resident}&_sort=-date"),
    ("a code, newest first", "Observation?code=718-7&_sort=-date"),
    ("all, newest first", "Observation?_sort=-date"),
    ("a code", "Observation?code=718-7"),
    ("a code and a month", "Observation?code=718-7&date=2021-03"),
    ("a code and a value", "Observation?code-value-quantity=718-7$gt220"),
    ("chain, few", "Observation?subject:Patient.identifier=99{resident:016d}"),
    ("chain, family", "Observation?patient.family={family}"),
    ("chain, many", "Observation?patient.gender=male&code=718-7"),
    ("_has, few", "Patient?_has:Observation:patient:identifier=L{resident:09d}"),
    ("_has, many", "Patient?_has:Observation:patient:code=718-7"),
    ("_has, some", "Patient?_has:Observation:patient:code-value-quantity=718-7$gt220&gender=male"),
    ("_include", "Observation?code=718-7&_include=Observation:patient"),
    ("_revinclude", "Patient?family={family}&_revinclude=Observation:patient"),
    ("sorted by name", "Patient?_sort=name&gender=male"),
)


async def load(connection: asyncpg.Connection[Any], residents: int, observations: int) -> None:
    """Everything, with the token indexes built at the end."""
    for name, _ in GIN:
        await connection.execute(f"DROP INDEX IF EXISTS {name}")
    began, done = time.perf_counter(), 0
    for batch in batches(population.lines(residents, observations)):
        now = clock.now()
        resources = [orjson.loads(line) for line in batch]
        await connection.execute(sql.create, [entry(resource, resource["id"], now, None) for resource in resources])
        done += len(batch)
        if done % 100_000 == 0:
            print(f"{done:,} at {done / (time.perf_counter() - began):,.0f}/s", flush=True)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    for name, column in GIN:
        await connection.execute(f"CREATE INDEX {name} ON resource USING gin ({column}) WITH (gin_pending_list_limit = 512)")
    await connection.execute("VACUUM ANALYZE")


def batches(lines: Iterator[str]) -> Iterator[list[str]]:
    """Lists of BATCH lines."""
    while batch := list(islice(lines, BATCH)):
        yield batch


async def measure(connection: Any, residents: int, *, plans: bool) -> None:
    """Each search with many values, or the plan of one."""
    for name, address in SEARCHES:
        times = [await once(connection, fill(address, residents), plans=plans) for _ in range(1 if plans else 60)]
        steady = sorted(took for took, _ in times[len(times) // 6 :]) or [0.0]
        rows = statistics.fmean(count for _, count in times)
        print(f"{name:32} {statistics.median(steady) * 1000:8.2f} ms  p95 {steady[int(len(steady) * 0.95)] * 1000:8.2f}"
              f"  {rows:6.1f} rows", flush=True)  # fmt: skip


def fill(address: str, residents: int) -> str:
    """An address with a value for this turn."""
    return address.format(resident=random.randrange(residents), family=random.choice(population.SURNAMES))


async def once(connection: Any, address: str, *, plans: bool) -> tuple[float, int]:
    """Seconds and rows of one search."""
    type_, _, query = address.partition("?")
    runner: Any = Explaining(connection) if plans else connection
    began = time.perf_counter()
    parsed = search.parse(type_, parse_qsl(query), strict=True, now=clock.now())
    result = await search.run(runner, parsed)
    return time.perf_counter() - began, len(result.rows) + len(result.included)


class Explaining:
    """A connection that prints the plan of what it fetches."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, text: str, *values: Any) -> list[Any]:
        """Like Connection.fetch."""
        print("   ", text[:1500])
        for line in await self._connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS OFF) {text}", *values):
            print("       ", line[0][:200])
        return await self._connection.fetch(text, *values)

    async def fetchval(self, text: str, *values: Any) -> Any:
        """Like Connection.fetchval."""
        return (await self.fetch(text, *values))[0][0]


async def sizes(connection: Any) -> None:
    """Bytes of each table and index."""
    for row in await connection.fetch(
        "SELECT relname, pg_table_size(oid) AS bytes FROM pg_class WHERE relname ~ '^(resource|span|change)' AND relkind IN ('r','i')"
        " ORDER BY 2 DESC"
    ):
        print(f"{row['relname']:24} {row['bytes'] / 1e6:10.1f} MB")


async def main() -> None:
    """Load when the folder is new, then measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--residents", type=int, default=100_000)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--plans", action="store_true")
    asked = parser.parse_args()
    server = EmbeddedServer(asked.folder / "postgres", "512MB")
    server.ensure_running()
    connection = await asyncpg.connect(server.dsn("postgres"))
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'plans'"):
        await connection.execute("CREATE DATABASE plans")
        fresh = await asyncpg.connect(server.dsn("plans"))
        await migrate(fresh)
        await load(fresh, asked.residents, asked.observations)
        await fresh.close()
    one = await asyncpg.connect(server.dsn("plans"), server_settings={"plan_cache_mode": "force_custom_plan"})
    await sizes(one)
    await measure(one, asked.residents, plans=asked.plans)
    await one.close()
    await connection.close()
    server.stop()


if __name__ == "__main__":
    uvloop.run(main())
