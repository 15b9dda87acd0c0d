"""What the audit trail costs: noting, making durable in groups, and what it adds to a read; and how fast it is examined.

Run: ``.venv/bin/python bench/audit.py [--seconds 3]``. The floor of each rate is the same rows in groups of the same size
through the bare database driver, into a table of the same columns and indexes, without encoding, chain and head.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import psutil
import uvloop

from kangyun.app.services import Services, open_services
from kangyun.base import clock
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor, Event, Write
from kangyun.commons.access.actions.examining import Examiner

PATIENTS = 200
_KEYS = "SELECT lane, seq, at, name, institution, action, outcome, residents, body, sealed, hash FROM audit_event ORDER BY lane, seq LIMIT 5000"


def event(number: int) -> Event:
    """A doctor reads a result."""
    return Event(
        clock.now(), f"user/{number % 50:08}", "hospital_doctor", "read", "org-0001", f"{number % 50:08}", "01a2024e6b98", "records.read",
        ["Observation"], [f"Observation/01a2024e-6b98-7d4b-a014-{number:012}"], [number * 7919 % 1_000_003], "care", "ok", "10.0.0.9")


class Processor:
    """Microseconds of processor time of this process and of the trail's database backend."""

    def __init__(self, backends: list[int]) -> None:
        self._backends = [psutil.Process(pid) for pid in backends]
        self._began = self._now()

    def _now(self) -> tuple[float, float]:
        used = [process.cpu_times() for process in self._backends]
        return time.process_time(), sum(one.user + one.system for one in used)

    def each(self, count: int) -> tuple[float, float]:
        """Of this process and of the database, for each of so many."""
        now = self._now()
        return (now[0] - self._began[0]) / count * 1e6, (now[1] - self._began[1]) / count * 1e6


async def callers(number: int, seconds: float, work: Callable[[int], Awaitable[None]]) -> tuple[float, int]:
    """How often a second so many callers do the work one after another, and how often in all."""
    count, began = 0, time.perf_counter()

    async def one() -> None:
        nonlocal count
        while time.perf_counter() < began + seconds:
            count += 1
            await work(count)

    await asyncio.gather(*(one() for _ in range(number)))
    return count / (time.perf_counter() - began), count


async def backends(services: Services, name: str) -> list[int]:
    """The processes of PostgreSQL that serve connections of a name."""
    async with services.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()", name)
    return [row["pid"] for row in rows]


def note(services: Services) -> float:
    """Microseconds to note an event."""
    events = [event(number) for number in range(2000)]
    began = time.process_time()
    for one in events:
        services.trail.note(one)
    return (time.process_time() - began) / len(events) * 1e6


async def floor(services: Services, group: int, seconds: float) -> float:
    """Rows a second through the bare driver in groups of a size."""
    connection = await asyncpg.connect(services.database.dsn)
    rows = [tuple(row) for row in await connection.fetch(_KEYS)]
    await connection.execute("DROP TABLE IF EXISTS floor; CREATE TABLE floor (LIKE audit_event INCLUDING ALL)")
    append = await connection.prepare("INSERT INTO floor SELECT * FROM unnest($1::floor[])")
    count, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        some = [(1, count + number, *rows[(count + number) % len(rows)][2:]) for number in range(group)]
        await append.fetchval(some)
        count += group
    rate = count / (time.perf_counter() - began)
    await connection.close()
    return rate


async def durable(services: Services, number: int, seconds: float) -> None:
    """Print what so many callers reach who each note one event and wait until it is durable."""
    async def work(count: int) -> None:
        services.trail.note(event(count))
        await services.trail.settled()

    await work(0)
    processor = Processor(await backends(services, "kangyun-audit"))
    rate, count = await callers(number, seconds, work)
    mine, theirs = processor.each(count)
    base = await floor(services, max(1, number // 2), seconds / 2)
    print(f"| {number} callers, each waits | {rate:,.0f} events/s, {number / rate * 1000:.2f} ms each | {mine:.0f} + {theirs:.0f} µs CPU "
          f"| {base:,.0f}/s | {rate / base:.2f} |", flush=True)


async def reads(services: Services, number: int, seconds: float) -> None:
    """Print what the trail adds to a read of the record."""
    actor = Actor("user/1", "operator", address="10.0.0.9")

    async def bare(count: int) -> None:
        await services.gate.open(actor).fetch("Patient", f"p{count % PATIENTS}")

    async def written(count: int) -> None:
        handle = services.gate.open(actor)
        await handle.fetch("Patient", f"p{count % PATIENTS}")
        await handle.settle("ok", "records.read")

    await callers(number, seconds / 4, written)
    ways: list[tuple[float, tuple[float, float]]] = []
    for work in (bare, written):
        processor = Processor([*await backends(services, "kangyun"), *await backends(services, "kangyun-audit")])
        rate, count = await callers(number, seconds, work)
        ways.append((rate, processor.each(count)))
    (without, cost_without), (with_, cost_with) = ways
    added = cost_with[0] + cost_with[1] - cost_without[0] - cost_without[1]
    print(f"| reads by {number} callers, inside the process | {with_:,.0f}/s with, {without:,.0f}/s without | {added:+.0f} µs CPU each | "
          f"{number / without * 1000:.2f} ms | {number / with_ * 1000:.2f} ms |", flush=True)


async def examined(services: Services) -> None:
    """Print how fast the whole trail is examined."""
    async with services.database.connection() as connection:
        examiner = Examiner(connection, services.keys, services.settings.data)
        began = time.perf_counter()
        found = [one async for one in examiner.findings() if not isinstance(one, int)]
    rows = examiner.examination.rows
    print(f"| examining {rows:,} rows | {rows / (time.perf_counter() - began):,.0f}/s, {len(found)} findings | | | |")


async def run(seconds: float, folder: Path) -> None:
    """Everything, as the rows of one table."""
    services = await open_services(Settings(data=folder, worker=False))
    patients = [Write("update", "Patient", {"resourceType": "Patient", "id": f"p{n}", "name": [{"text": "李娜"}]}, f"p{n}") for n in range(PATIENTS)]
    await services.gate.system("bench").write(patients)
    print("| work | reached | cost | floor | ratio to floor |\n|---|---|---|---|---|")
    print(f"| noting an event | {note(services):.2f} µs | | | |")
    await services.trail.settled()
    for number in (1, 16, 32, 256):
        await durable(services, number, seconds)
    for number in (16, 32):
        await reads(services, number, seconds)
    await examined(services)
    await services.close()
    await services.database.stop_server(always=True)


def main() -> int:
    """Run it in a folder of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kangyun-bench-"))
    try:
        uvloop.run(run(asked.seconds, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
