"""One new record among many people: find candidates, score, decide, link, commit; in the path of the intake.

Run: ``.venv/bin/python bench/placing.py [--people 1200000] [--records 500]``. The people are written as rows of the identity
table with the keys and features that the platform computes; then records of new and of known people are registered one
after another through the gate, each a durable commit. Milliseconds, p50, p95 and the worst; and processor milliseconds for
each record, of this process and of PostgreSQL: of a registration with its commit, and of the placing alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kangyun.app.services import Services, open_services
from kangyun.base import clock
from kangyun.base.settings import Settings
from kangyun.commons.access import key_of
from kangyun.commons.population import Arrival, place, register
from kangyun.commons.population.actions.membership import person_id
from kangyun.commons.population.decisions.kept import kept
from kangyun.commons.population.decisions.traits import keys_of, traits
from linking_people import records

COLUMNS = ("resident", "patient", "person", "source", "assurance", "version", "numbers", "ids", "keys", "features", "updated")
PAGE = 5_000
_TICK = os.sysconf("SC_CLK_TCK")


def row(number: int, patient: dict[str, Any]) -> tuple[Any, ...]:
    """The row of a Patient that stands alone under its Person."""
    id_ = f"p{number}"
    found = traits(patient)
    return (
        key_of("Patient", id_), id_, person_id(id_), "city", 2, 1, list(found.numbers), [], keys_of(found),
        kept(id_, found), clock.now(),
    )


async def fill(services: Services, told: Iterator[tuple[int, dict[str, Any]]], people: int) -> None:
    """Write the rows, a page at a time."""
    page: list[tuple[Any, ...]] = []
    for number in range(people):
        page.append(row(number, next(told)[1]))
        if len(page) == PAGE or number == people - 1:
            async with services.database.connection() as connection:
                await connection.copy_records_to_table("identity", records=page, columns=COLUMNS)
            page = []
    async with services.database.connection() as connection:
        await connection.execute("VACUUM ANALYZE identity")


async def measure(services: Services, told: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds of registering each record (commit included), and of the placing inside of it."""
    handle = services.gate.system("bench")
    whole: list[float] = []
    placing: list[float] = []
    spent = Spent(services)
    await spent.begin()
    for number, patient in enumerate(told):
        began = time.perf_counter()
        await register(handle, whole_of(patient), f"sender-{number % 4}")
        whole.append(time.perf_counter() - began)
    registering = await spent.for_each("register", len(told))
    await spent.begin()
    for number, patient in enumerate(told):
        async with handle.transaction() as transaction:
            arrival = Arrival({**whole_of(patient), "id": f"again{number}"}, "other", 1)
            began = time.perf_counter()
            await place(transaction, [arrival])
            placing.append(time.perf_counter() - began)
    return {**figures("register", whole), **registering, **figures("place", placing), **await spent.for_each("place", len(told))}


class Spent:
    """Processor time of this process and of all processes of the database, because machines are shared."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._own = self._server = 0.0

    async def begin(self) -> None:
        self._own, self._server = time.process_time(), await server_seconds(self._services)

    async def for_each(self, name: str, number: int) -> dict[str, float]:
        """Milliseconds for each of so many since `begin`."""
        own, server = time.process_time() - self._own, await server_seconds(self._services) - self._server
        return {f"{name}_own_cpu_ms": round(own / number * 1000, 2), f"{name}_server_cpu_ms": round(server / number * 1000, 2)}


async def server_seconds(services: Services) -> float:
    """Processor seconds of all processes of the database, ended ones too."""
    async with services.database.connection() as connection:
        return _seconds(_stat(await connection.fetchval("SELECT pg_backend_pid()"))[1])


def _seconds(parent: str) -> float:
    found = (_stat(int(one.name)) for one in Path("/proc").iterdir() if one.name.isdigit())
    ended = sum(map(int, _stat(int(parent))[13:15]))
    return (ended + sum(int(one[11]) + int(one[12]) for one in found if one and one[1] == parent)) / _TICK


def _stat(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def whole_of(patient: dict[str, Any]) -> dict[str, Any]:
    """The Patient without what the record refuses: elements that are empty, and dates that there are not."""
    return {name: value for name, value in patient.items() if value not in ([], "", None) and (name != "birthDate" or _is_date(value))}


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def figures(name: str, seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    ordered = sorted(seconds)
    return {
        f"{name}_p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        f"{name}_p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 2),
        f"{name}_worst_ms": round(ordered[-1] * 1000, 2),
    }


async def run(people: int, count: int) -> dict[str, float]:
    """Fill a fresh database and measure."""
    with TemporaryDirectory() as folder:
        services = await open_services(Settings(data=Path(folder)))
        began = time.perf_counter()
        told = records(20261122, people + count, 0.0)
        await fill(services, told, people)
        filled = time.perf_counter() - began
        known = [patient for _, patient in zip(range(count // 2), (one for _, one in records(20261122, people, 0.0)), strict=False)]
        fresh = [patient for _, (_, patient) in zip(range(count - len(known)), told, strict=False)]
        found = await measure(services, [one for pair in zip(known, fresh, strict=False) for one in pair])
        async with services.database.connection() as connection:
            size = await connection.fetchval("SELECT pg_total_relation_size('identity')")
        await services.database.close()
        await services.database.stop_server(always=True)
        return {"people": people, "fill_s": round(filled, 1), "identity_mb": round(size / 2**20), **found}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=1_200_000)
    parser.add_argument("--records", type=int, default=500)
    asked = parser.parse_args()
    print(json.dumps(asyncio.run(run(asked.people, asked.records))))


if __name__ == "__main__":
    main()
