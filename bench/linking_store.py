"""`kangyun link` over a store as an import leaves it: read, compare, and put everybody under a Person, with CPU and memory.

Run: ``.venv/bin/python bench/linking_store.py [--people 24200] [--records 40000] [--processes 2]``. Nobody is placed before; the second run finds
everybody placed. Processor seconds of these processes and of PostgreSQL, because machines are shared.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from kangyun.app.linking import link_all
from kangyun.app.services import Services, collect_less, open_services
from kangyun.base.settings import Settings
from kangyun.commons.records.actions.importing import load_resources
from linking_people import records
from placing import server_seconds, whole_of

_PAGE = 1000


def city(people: int, number: int) -> Iterator[dict[str, Any]]:
    """Patients as an import brings them."""
    for place, (_, patient) in enumerate(records(77, people, 1 - people / number)):
        yield {**whole_of(patient), "id": f"p{place}"}


async def fill(services: Services, patients: Iterator[dict[str, Any]]) -> int:
    """Store them unplaced; returns how many."""
    page: list[dict[str, Any]] = []
    total = 0
    async with services.database.connection() as connection:
        for patient in patients:
            page.append(patient)
            if len(page) == _PAGE:
                total += await load_resources(connection, page)
                page = []
        total += await load_resources(connection, page)
        await connection.execute("ANALYZE")
    return total


def own_seconds() -> float:
    """Processor seconds of this process and of those that it started and that have ended."""
    return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


async def run(people: int, number: int, processes: int) -> None:
    """Fill a fresh database and link it twice."""
    with TemporaryDirectory() as folder:
        services = await open_services(Settings(data=Path(folder)))
        stored = await fill(services, city(people, number))
        collect_less()
        for name in ("nobody placed", "everybody placed"):
            began, own, server = time.monotonic(), own_seconds(), await server_seconds(services)
            await link_all(services, Path(folder), "4GB", processes)
            print(f"{stored} Patients, {name}: {time.monotonic() - began:.1f} s; processor: own {own_seconds() - own:.1f} s, "
                  f"PostgreSQL {await server_seconds(services) - server:.1f} s; peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
        await services.database.close()
        await services.database.stop_server(always=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=24_200)
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    asyncio.run(run(asked.people, asked.records, asked.processes))


if __name__ == "__main__":
    main()
