"""Insurance settlements: the pure function, an estimate and a settlement on a real database, the insurer over real HTTP.

Run: ``.venv/bin/python bench/settlement.py [--people 200]``. The audit is part of both. The floor of a settlement is what it
cannot do without: one row locked and two inserted in one durable transaction, through the bare database driver.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import asyncpg

from kangyun.app.services import Services, open_services
from kangyun.base import logs
from kangyun.base.settings import Settings
from kangyun.support import insurance
from kangyun.support.insurance.actions.sending import send
from kangyun.support.insurance.decisions.policies import policy
from kangyun.support.insurance.decisions.settlement import settle
from kangyun.support.insurance.model import SoFar
from kangyun.support.insurance.tests.region import (
    DAY,
    RETIRED,
    TABLETS,
    VISIT,
    Region,
    build,
    id_number,
    person,
    region_of,
)

CLIENTS = 8
PURE = 20_000
FIVE = tuple(replace(TABLETS, code=f"d{number}", atc=f"C0{number}AA01", unit_price=1234 + number, limit=1200) for number in range(5))


def pure() -> float:
    """Microseconds of one settlement with five lines."""
    bill = insurance.Bill("p", "o", DAY, FIVE, scene="chronic", level=3, area="990100")
    terms, began = policy("990100", DAY), time.process_time()
    for _ in range(PURE):
        settle(bill, RETIRED, SoFar(account=100_000), terms)
    return (time.process_time() - began) / PURE * 1e6


async def crowd(region: Region, count: int) -> list[str]:
    """Insured people, one settlement's worth each."""
    made: list[str] = []
    for number in range(count):
        told = id_number(number % 50, f"19{50 + number // 50:02d}0101")
        region.simulator.people[told] = replace(RETIRED, member=f"B{number}")
        patient = await person(region.services, region.hospital, "王某某", "female", told)
        await insurance.ask_eligibility(region.platform, region.services.insurer, patient)
        made.append(patient)
    return made


async def measured(name: str, people: list[str], work: Callable[[str, int], Awaitable[object]], rounds: int) -> list[object]:
    """Do the work for everybody some times, by a few clients at once; print rate and times."""
    waiting = [(patient, number) for number in range(rounds) for patient in people]
    times: list[float] = []
    results: list[object] = []

    async def client() -> None:
        while waiting:
            patient, number = waiting.pop()
            began = time.perf_counter()
            results.append(await work(patient, number))
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    elapsed = time.perf_counter() - began
    times.sort()
    print(f"| {name} | {len(times) / elapsed:,.0f}/s | {times[len(times) // 2] * 1000:.1f} ms | {times[int(len(times) * 0.95)] * 1000:.1f} ms |", flush=True)
    return results


async def floor(dsn: str, count: int) -> None:
    """One row locked and changed, two inserted, durably."""
    pool = await asyncpg.create_pool(dsn, min_size=CLIENTS, max_size=CLIENTS)
    await pool.execute("CREATE TABLE bench_year (id text PRIMARY KEY, used bigint); CREATE TABLE bench_done (id bigserial, told text)")
    await pool.executemany("INSERT INTO bench_year VALUES ($1, 0)", [(str(number),) for number in range(count)])

    async def one(whose: str, number: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.fetchrow("SELECT used FROM bench_year WHERE id = $1 FOR UPDATE", whose)
            await connection.execute("UPDATE bench_year SET used = used + 1 WHERE id = $1", whose)
            await connection.execute("INSERT INTO bench_done (told) VALUES ($1), ($2)", whose, str(number))

    await measured("floor: a row locked, two inserted", [str(number) for number in range(count)], one, 4)
    await pool.close()


async def run(services: Services, people: int) -> None:
    """Measure and print."""
    with region_of(services) as (with_insurer, simulator):
        region = await build(replace(with_insurer, insurer=insurance.Insurer(with_insurer.insurer.url, services.keys, simulator.key)), simulator)
        whom = await crowd(region, people)
        await floor(services.database.dsn, people)
        own = region.platform

        async def estimate(patient: str, _number: int) -> object:
            return await insurance.estimate(own, region.bill(TABLETS, VISIT, patient=patient))

        async def keep(patient: str, number: int) -> object:
            return await insurance.settle(own, region.bill(TABLETS, VISIT, patient=patient, on=date(2026, 6, 1)), key=f"{patient}/{number}")

        async def tell(id_: str, _number: int) -> object:
            return await send(region.services, {"id": id_})

        await measured("estimate with audit", whom, estimate, 2)
        made = await measured("settlement with audit, Claim and ClaimResponse", whom, keep, 2)
        await measured("told to the insurer and confirmed", [one.id for one in made if isinstance(one, insurance.Settled)], tell, 1)
        async with services.database.connection() as connection:
            states = await connection.fetch("SELECT state, count(*) FROM insurance_settlement GROUP BY state")
            print("| states |", ", ".join(f"{row[0]} {row[1]}" for row in states), "| | |")


async def main() -> None:
    """Open a database of our own and measure on it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=200)
    people = parser.parse_args().people
    logs.set_up(level="error")
    print("| what | rate | median | p95 |\n|---|---|---|---|")
    print(f"| pure function, five lines | {pure():.1f} us of processor time | | |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        services = await open_services(replace(Settings(), data=Path(folder), database_shared_buffers="128MB"))
        try:
            await run(services, people)
        finally:
            await services.close()
            await services.database.stop_server(always=True)


if __name__ == "__main__":
    asyncio.run(main())
