"""What sealing costs: the same work with and without it, in turns, in one process on one small database.

Run: ``.venv/bin/python bench/sealing.py [--residents 1000] [--rounds 7]``. Each figure is the median of rounds in which both
ways take turns, so that a busy machine slows both; microseconds a resource, and how many times as long as without.
Nothing of HTTP and of the gate is in it: a request through both takes ten times as long, and the share is as much smaller.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import population
from kangyun.app.services import Services, open_services
from kangyun.base import clock
from kangyun.base.settings import Settings
from kangyun.commons.population.decisions import kept as identity
from kangyun.commons.population.decisions import traits
from kangyun.commons.records import Write, search
from kangyun.commons.records.actions import entries
from kangyun.commons.records.decisions import sealing
from kangyun.commons.records.decisions.index import blind
from kangyun.commons.records.model import hash64

Work = Callable[[], Awaitable[int]]


@contextmanager
def open_way() -> Generator[None]:
    """As it was before: bodies in clear, plain hashes in the index."""
    with patch.object(sealing, "kept", lambda *given: given[-1]), patch.object(blind, "number", hash64), \
            patch.object(blind, "numbers", lambda text: (hash64(text),)), patch.object(blind, "veiled", lambda lexeme: lexeme):
        yield


@contextmanager
def open_identity() -> Generator[None]:
    """The identity table in clear, and its numbers without a key."""
    with patch.object(identity, "sealed", lambda *given: f"{' '.join(given[1])}\n{given[2]}"), patch.object(identity, "opened", _clear), \
            patch.object(traits, "blinded", sorted):
        yield


def _clear(*given: str) -> tuple[tuple[str, ...], str]:
    ids, _, features = given[1].partition("\n")
    return tuple(ids.split()), features


@contextmanager
def sealed_way() -> Generator[None]:
    """As it is."""
    yield


async def turns(work: Sequence[tuple[Callable[[], Any], Work]], rounds: int) -> list[float]:
    """The median microseconds a piece of each work, which take turns."""
    found: list[list[float]] = [[] for _ in work]
    for _ in range(rounds):
        for place, (way, act) in enumerate(work):
            with way():
                began = time.perf_counter()
                count = await act()
                found[place].append((time.perf_counter() - began) / count * 1e6)
    return [median(one) for one in found]


def patients(number: int, first: int) -> list[dict[str, Any]]:
    """Patients with number, telephone and an address of their own."""
    told = (json.loads(population.resident(first + place)) for place in range(number))
    return [{**one, "telecom": [{"system": "phone", "value": f"139{first + at:08}"}], "address": [_address(first + at)]} for at, one in enumerate(told)]


def _address(number: int) -> dict[str, Any]:
    line = f"柳河镇上河村{number % 977}号{number % 17}单元{number % 503}室"
    return {"text": f"云岭省云州市云溪县{line}", "state": "云岭省", "city": "云州市", "district": "云溪县", "line": [line]}


async def creates(services: Services, some: Sequence[dict[str, Any]]) -> int:
    """One after another, each durable."""
    for one in some:
        await services.store.write([Write("create", str(one["resourceType"]), one)])
    return len(some)


async def main_of(residents: int, rounds: int) -> dict[str, Any]:
    """All figures."""
    with TemporaryDirectory() as folder:
        services = await open_services(Settings(data=Path(folder), database_shared_buffers="64MB"))
        found: dict[str, Any] = {}

        async def compare(name: str, plain: Work, sealed: Work) -> None:
            before, after = await turns([(open_way, plain), (sealed_way, sealed)], rounds)
            found[name] = {"without_us": round(before, 1), "with_us": round(after, 1), "ratio": round(after / before, 2)}
            print(name, found[name], flush=True)

        people = patients(residents, 0)
        observations = [json.loads(population.observation(number, residents)) for number in range(residents)]
        for name, some in (("a row of a Patient", people[:300]), ("a row of an Observation", observations[:300])):
            async def rows(some: Sequence[dict[str, Any]] = some) -> int:
                return len([entries.entry(one, "x", clock.now(), None) for one in some])
            await compare(name, rows, rows)
        await _stored(services, people, observations, compare)
        await services.close()
        await services.database.stop_server(always=True)
        return found


async def _stored(services: Services, people: list[dict[str, Any]], observations: list[dict[str, Any]], compare: Any) -> None:
    places: dict[str, list[str]] = {}
    for way, name in ((open_way, "clear"), (sealed_way, "sealed")):
        with way():
            marked = [{**one, "identifier": [{"system": f"urn:{name}", "value": f"n{at}"}]} for at, one in enumerate(people)]
            written = [await services.store.write([Write("create", "Patient", one)]) for one in marked]
            places[name] = [one.id for (one,) in written]
    fresh = iter(patients(60 * 2 * 40, 1_000_000))
    ticks = iter(observations * 100)

    async def create(some: Iterator[dict[str, Any]]) -> int:
        return await creates(services, [next(some) for _ in range(60)])

    async def read(name: str) -> int:
        for id_ in places[name][:300]:
            stored = await services.store.fetch("Patient", id_)
            assert stored is not None
            assert stored.json()
        return 300

    async def find(name: str) -> int:
        for at in range(100):
            query = search.parse("Patient", [("identifier", f"urn:{name}|n{at}")], strict=True, now=clock.now())
            result = await services.store.find(query)
            assert [row.json() for row in result.rows], name
        return 100

    async def page(name: str) -> int:
        for at in range(10):
            query = search.parse("Patient", [("_id", ",".join(places[name][at * 50 : at * 50 + 50])), ("_count", "50"), ("_total", "none")], strict=True, now=clock.now())
            assert len([row.json() for row in (await services.store.find(query)).rows]) == 50
        return 10

    await compare("create a Patient", lambda: create(fresh), lambda: create(fresh))
    await compare("create an Observation", lambda: create(ticks), lambda: create(ticks))
    await compare("read a Patient", lambda: read("clear"), lambda: read("sealed"))
    await compare("find a Patient by number", lambda: find("clear"), lambda: find("sealed"))
    await compare("a page of 50 Patients", lambda: page("clear"), lambda: page("sealed"))
    async with services.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT body LIKE '{\"sealed%' AS sealed, avg(pg_column_size(r.*))::int AS bytes, avg(pg_column_size(strings))::int AS strings FROM resource r"
            " WHERE id = ANY($1) GROUP BY 1 ORDER BY 1", places["clear"] + places["sealed"])
    print("bytes a Patient", [tuple(row) for row in rows], flush=True)


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--residents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    print(json.dumps(asyncio.run(main_of(asked.residents, asked.rounds))))


if __name__ == "__main__":
    main()
