"""Bookings a second over real HTTP, and 1,000 people who race for 50 numbers; with the floor measured in the same run.

Run: ``.venv/bin/python bench/appointments.py [--seconds 8] [--clients 24]``. Every booking is another resident with a session of the own:
the gate judges for whom, the limits of the rules are checked under a lock, and Appointment, Slot, notice and audit trail are durable when
the answer leaves. What a booking costs the processors, the server's and PostgreSQL's, stands beside it, since other work on the
machine makes everything wait. Reactions and text messages are a worker's, in a process of its own; here none runs. The floor is what the database alone takes for it: the same rows, one transaction each, through the bare driver.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path

import asyncpg
import psutil

import client
from kangyun.app.services import Services, open_services
from kangyun.base import clock
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor, Write
from kangyun.commons.population import ID_NUMBER_SYSTEM
from kangyun.support.appointments import Part, Schedule, Template, add_template, arrange
from kangyun.support.appointments.model import CHINA

PORT = 18095
WANTED_RATE, WANTED_P95 = 300, 200
PEOPLE, NUMBERS = 1000, 50
_BATCH = 500
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_HOSPITALS = 8
_WARM, _WARM_SECONDS = 1600, 2.0


def id_number(n: int) -> str:
    """A made-up number with a right check digit."""
    body = f"990101{1950 + n // 10_000 % 60}{n // 1000 % 9 + 1:02d}{n // 100 % 28 + 1:02d}{n % 1000:03d}"
    return body + "10X98765432"[sum(int(a) * b for a, b in zip(body, _WEIGHTS, strict=True)) % 11]


async def residents(services: Services, count: int) -> list[str]:
    """Access tokens of so many people, whom every hospital has seen before."""
    work = services.gate.system("bench")
    for start in range(0, count, _BATCH):
        await work.commit([write for n in range(start, min(count, start + _BATCH)) for write in _resident(n)])
    actors = [Actor(f"user/b{n}", "resident", person=f"b{n}", account=f"b{n}") for n in range(count)]
    return [await services.entries.issue(one, kind="token", lasts=7200) for one in actors]


def _resident(n: int) -> Iterator[Write]:
    who = {"name": [{"text": f"居民{n}"}], "identifier": [{"system": ID_NUMBER_SYSTEM, "value": id_number(n)}]}
    hospital = f"h{n % _HOSPITALS}"
    yield Write("update", "Patient", {"resourceType": "Patient", "id": f"b{n}", **who, "managingOrganization": {"reference": f"Organization/{hospital}"}}, f"b{n}")
    yield Write("update", "Person", {"resourceType": "Person", "id": f"b{n}", "active": True, **who, "link": [{"target": {"reference": f"Patient/b{n}"}}]}, f"b{n}")


async def sittings(services: Services, count: int, numbers: int, first: date) -> list[str]:
    """The ids of so many sittings of different hospitals and doctors on one day."""
    work = services.gate.system("bench")
    await work.commit([
        Write("update", "Organization", {"resourceType": "Organization", "id": f"h{n}", "name": f"第{n}医院"}, f"h{n}") for n in range(_HOSPITALS)])
    found: list[str] = []
    for n in range(count):
        schedule = await arrange(work, Schedule("", f"h{n % _HOSPITALS}", "outpatient", "03.04", "", f"心内科{n}诊室"))
        part = Part(clock.now().min.time().replace(hour=8), 1, numbers)
        await add_template(work, schedule.id, Template(first.isoweekday(), part, first, first))
        found.append(f"{schedule.id}.{first:%y%m%d}0800")
    return found


def booking(sitting: str, token: str) -> bytes:
    """The bytes of one request."""
    body = json.dumps({"resourceType": "Parameters", "parameter": [{"name": "sitting", "valueString": sitting}]}).encode()
    head = f"POST /fhir/Appointment/$book HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/fhir+json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def steady(tokens: Sequence[str], open_: Sequence[str], asked: argparse.Namespace) -> client.Figures:
    """Bookings a second; each by somebody else, spread over hospitals and doctors."""
    places = [[one for n, one in enumerate(open_) if n % _HOSPITALS == h] for h in range(_HOSPITALS)]

    def requests() -> Iterator[bytes]:
        return (booking(places[n % _HOSPITALS][n // _HOSPITALS % len(places[n % _HOSPITALS])], token) for n, token in enumerate(tokens))

    return await client.measure(PORT, requests, asked.seconds, asked.clients)


async def race(tokens: Sequence[str], sitting: str) -> tuple[int, int, float]:
    """All at once for one sitting, each on a connection of its own: how many got a number, how many others were refused, seconds."""
    began = time.perf_counter()
    answers = await asyncio.gather(*(client.ask(PORT, booking(sitting, token)) for token in tokens))
    seconds = time.perf_counter() - began
    got = [json.loads(body)["slot"][0]["reference"] for status, body in answers if status == 201]
    if len(got) != len(set(got)):
        raise SystemExit("TWO PEOPLE ON ONE NUMBER")
    return len(got), sum(status == 409 for status, _ in answers), seconds


async def floor(dsn: str, seconds: float, clients: int) -> float:
    """Transactions a second of the bare driver: one row taken by a lock that skips, and four rows of a booking's size written."""
    pool = await asyncpg.create_pool(dsn, min_size=8, max_size=8)
    await pool.execute("CREATE TABLE IF NOT EXISTS bench_number (id serial PRIMARY KEY, taken boolean NOT NULL DEFAULT false)")
    await pool.execute("CREATE TABLE IF NOT EXISTS bench_row (id bigserial PRIMARY KEY, body text)")
    await pool.execute("INSERT INTO bench_number (taken) SELECT false FROM generate_series(1, 40000)")
    body, until, done = "x" * 700, time.perf_counter() + seconds, 0

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < until:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    "UPDATE bench_number SET taken = true WHERE id = (SELECT id FROM bench_number WHERE NOT taken LIMIT 1 FOR UPDATE SKIP LOCKED)")
                await connection.execute("INSERT INTO bench_row (body) SELECT $1 FROM generate_series(1, 4)", body)
            done += 1

    await asyncio.gather(*(one() for _ in range(clients)))
    await pool.execute("DROP TABLE bench_number, bench_row")
    await pool.close()
    return done / seconds


@asynccontextmanager
async def served(data: Path) -> AsyncGenerator[int]:
    """One web process of the platform, its id; the worker is another process and would only share the two cores."""
    command = [Path(sys.executable).with_name("kangyun"), "serve", "--data", data, "--port", str(PORT), "--mllp-port", "0"]
    environment = {**os.environ, "KANGYUN_WORKER": "false"}
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(600):
            try:
                if (await client.ask(PORT, client.get("/health/live")))[0] == 200:
                    break
            except OSError:
                await asyncio.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


def spent(server: int, data: Path) -> tuple[float, float]:
    """Seconds of processor that the server has used, and all processes of its PostgreSQL."""
    postmaster = int((data / "postgres" / "pgdata" / "postmaster.pid").read_text().split("\n", 1)[0])
    return _seconds(server), sum(_seconds(one.pid) for one in psutil.Process(postmaster).children())


def _seconds(pid: int) -> float:
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return used.user + used.system


async def run(asked: argparse.Namespace, data: Path) -> int:
    """All figures; 1 when one falls short."""
    async with served(data) as server:
        services = await open_services(Settings(data=data, worker=False))
        count = _WARM + max(PEOPLE, int(WANTED_RATE * 3 * asked.seconds))
        day = clock.now().astimezone(CHINA).date() + timedelta(days=2)
        tokens = await residents(services, count)
        open_ = await sittings(services, 8 * 4, count // 32 + 60, day)
        [rush] = await sittings(services, 1, NUMBERS, day + timedelta(days=1))
        bare = await floor(services.database.dsn, asked.seconds / 2, 8)
        # Connections are opened and statements prepared before anything is measured.
        await steady(tokens[:_WARM], open_, argparse.Namespace(seconds=_WARM_SECONDS, clients=asked.clients))
        before = spent(server, data)
        figures = await steady(tokens[_WARM:], open_, asked)
        each = [(now - then) * 1000 / max(1, figures.rate * asked.seconds) for then, now in zip(before, spent(server, data), strict=True)]
        got, refused, seconds = await race(tokens[-PEOPLE:], rush)
        await services.close()
    print(f"bookings               {figures.rate:7,.0f} a second (wanted {WANTED_RATE}), median {figures.median:.0f} ms, p95 {figures.p95:.0f} ms"
          f" (wanted {WANTED_P95}), {figures.errors} errors; floor {bare:,.0f} a second")
    print(f"processor a booking    {each[0]:.1f} ms of the server, {each[1]:.1f} ms of PostgreSQL")
    print(f"{PEOPLE:,} race for {NUMBERS}:     {got} got a number, {refused} were refused, {seconds:.1f} s")
    short = figures.rate < WANTED_RATE or figures.p95 > WANTED_P95 or figures.errors or (got, refused) != (NUMBERS, PEOPLE - NUMBERS)
    return 1 if short else 0


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clients", type=int, default=24)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")
    with tempfile.TemporaryDirectory(prefix="kangyun-bench-") as folder:
        return asyncio.run(run(asked, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
