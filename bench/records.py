"""The record store under load: a real server, real HTTP, a real database; server, client and database share the machine.

Run: ``.venv/bin/python bench/records.py [--residents 100000] [--observations 1000000] [--seconds 5]``. Every figure has a
floor measured in the same run: the same rows through the bare database driver, with as many connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import psutil
import uvloop

import client
import population
from kangyun.base import clock
from kangyun.base.database.embedded import EmbeddedServer
from kangyun.base.keys import FileKeys, vault
from kangyun.commons.records.actions import entries
from kangyun.commons.records.model import key_of, new_id, type_code

KANGYUN = Path(sys.executable).with_name("kangyun")
CLIENTS = 8


class Bench:
    """One run: a data folder, a server on it, and the rows of the table."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.folder: Path = asked.folder or Path(tempfile.mkdtemp(prefix="kangyun-bench-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.rows: list[tuple[str, str, str, str, str]] = []
        self.port = 18080
        self.pid = 0

    def row(self, work: str, reached: str, wanted: str, floor: float | None = None, rate: float | None = None) -> None:
        ratio = f"{rate / floor:.2f}" if floor and rate else ""
        self.rows.append((work, reached, wanted, f"{floor:,.0f}/s" if floor else "", ratio))
        print("  ".join(self.rows[-1]), flush=True)

    def kangyun(self, *arguments: str) -> None:
        subprocess.run([KANGYUN, *arguments, "--data", self.data], check=True)

    def start(self) -> tuple[subprocess.Popen[bytes], float]:
        """The server and the seconds until it was ready."""
        began = time.perf_counter()
        process = subprocess.Popen([KANGYUN, "serve", "--data", self.data, "--port", str(self.port), "--mllp-port", "0"])
        while process.poll() is None:
            try:
                status, _ = asyncio.run(client.ask(self.port, client.get("/health/ready")))
                if status == 200:
                    self.pid = process.pid
                    return process, time.perf_counter() - began
            except OSError:
                pass
            time.sleep(0.02)
        raise SystemExit("the server did not start")

    def own(self) -> list[psutil.Process]:
        """The server's processes: who answers, and who works beside them."""
        first = psutil.Process(self.pid)
        return [first, *(one for one in first.children(recursive=True) if one.name() != "postgres")]

    @contextmanager
    def still(self) -> Generator[None]:
        """The server stands still, so that a floor has the machine to itself: a backlog would be worked off in the pause."""
        for one in self.own():
            one.suspend()
        try:
            yield
        finally:
            for one in self.own():
                one.resume()


def load(bench: Bench) -> None:
    """`kangyun import` of everything, and the bytes on disk."""
    residents, observations = bench.asked.residents, bench.asked.observations
    source = bench.folder / "population.ndjson"
    size = population.write(source, residents, observations)
    bench.kangyun("migrate")
    began = time.perf_counter()
    subprocess.run([KANGYUN, "import", source, "--data", bench.data], check=True, stdout=subprocess.DEVNULL)
    rate = (residents + observations) / (time.perf_counter() - began)
    server = EmbeddedServer(bench.data / "postgres")
    server.ensure_running()
    floor = asyncio.run(copy_floor(server.dsn(), source))
    stored = asyncio.run(one(server.dsn(), "SELECT pg_database_size(current_database())"))
    bench.row("import of NDJSON, resources", f"{rate:,.0f}/s", "10,000/s", floor, rate)
    bench.row("bytes on disk per KB of resources", f"{stored / (size / 1024):,.0f} B", "4,096 B")
    server.stop()


async def one(dsn: str, statement: str, *values: Any) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()


async def copy_floor(dsn: str, source: Path) -> float:
    """COPY of the same lines into a bare table: lines a second."""
    connection = await asyncpg.connect(dsn)
    with source.open() as file:
        lines = [(line,) for line, _ in zip(file, range(100_000), strict=False)]
    await connection.execute("CREATE UNLOGGED TABLE floor (body text)")
    await connection.execute("ALTER TABLE floor SET LOGGED")
    began = time.perf_counter()
    await connection.copy_records_to_table("floor", records=lines)
    rate = len(lines) / (time.perf_counter() - began)
    await connection.execute("DROP TABLE floor")
    await connection.close()
    return rate


async def floor_of(dsn: str, work: Callable[[Any], Awaitable[Any]], seconds: float) -> float:
    """How often a second `work(connection)` runs on as many connections as there are clients."""
    count = 0

    async def one_client(until: float) -> None:
        nonlocal count
        connection = await asyncpg.connect(dsn)
        await work(connection)
        while time.perf_counter() < until:
            await work(connection)
            count += 1
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(one_client(began + seconds) for _ in range(CLIENTS)))
    return count / (time.perf_counter() - began)


def numbers(limit: int) -> Iterator[int]:
    chance = random.Random(7)
    while True:
        yield chance.randrange(limit)


async def measure(bench: Bench, work: str, wanted: str, requests: Callable[[], Iterator[bytes]],
                  floor: Callable[[Any], Awaitable[Any]] | None = None) -> client.Figures:
    dsn = EmbeddedServer(bench.data / "postgres").dsn()
    base = None
    if floor:
        with bench.still():
            base = await floor_of(dsn, floor, bench.asked.seconds / 2)
    found = await client.measure(bench.port, requests, bench.asked.seconds, CLIENTS)
    note = f", {found.errors} ERRORS" if found.errors else ""
    bench.row(work, f"{found.rate:,.0f}/s, p95 {found.p95:.1f} ms{note}", wanted, base, found.rate)
    return found


async def reads(bench: Bench) -> None:
    residents, observations = bench.asked.residents, bench.asked.observations
    some = numbers(residents)

    async def by_key(connection: Any) -> None:
        id_ = f"r{next(some)}"
        await connection.fetchrow("SELECT body FROM resource WHERE key = $1 AND id = $2", key_of("Patient", id_), id_)

    async def page(connection: Any) -> None:
        keys = [key_of("Patient", f"r{next(some)}") for _ in range(20)]
        await connection.fetch("SELECT body FROM resource WHERE key = ANY($1)", keys)

    def ask(path: Callable[[int], str], limit: int = residents) -> Callable[[], Iterator[bytes]]:
        return lambda: (client.get(path(number)) for number in numbers(limit))

    def surname(number: int) -> str:
        return quote(population.SURNAMES[number % len(population.SURNAMES)])

    def name(number: int) -> str:
        return quote(json.loads(population.resident(number))["name"][0]["text"])

    await measure(bench, "read by id", "5,000/s", ask(lambda n: f"/fhir/Patient/r{n}"), by_key)
    await measure(bench, "search residents by family, 20 a page", "600/s, p95 30 ms",
                  ask(lambda n: f"/fhir/Patient?family={surname(n)}&_count=20"), page)
    await measure(bench, "search residents by name", "600/s, p95 30 ms",
                  ask(lambda n: f"/fhir/Patient?name={name(n)}&_count=20"), page)
    await measure(bench, "search residents by identifier", "600/s, p95 30 ms",
                  ask(lambda n: f"/fhir/Patient?identifier=urn:oid:2.16.156.10011.1.3|99{n:016d}"), by_key)
    await measure(bench, "observations of a resident by code, newest first", "600/s, p95 30 ms",
                  ask(lambda n: f"/fhir/Observation?subject=Patient/r{n}&code=http://loinc.org|"
                                f"{population.CODES[n % 10][0]}&_sort=-date&_count=20"), page)
    await measure(bench, "all observations of a resident, newest first", "",
                  ask(lambda n: f"/fhir/Observation?subject=Patient/r{n}&_sort=-date&_count=20"), page)
    await measure(bench, "chained: observations by code and name of the resident", "p95 100 ms",
                  ask(lambda n: f"/fhir/Observation?code=4548-4&subject:Patient.name={name(n)}&_count=20"))
    await measure(bench, "chained: observations of residents by family", "p95 100 ms",
                  ask(lambda n: f"/fhir/Observation?subject:Patient.family={surname(n)}&_count=20"))
    await measure(bench, "_has: residents with a high HbA1c", "p95 100 ms",
                  ask(lambda n: f"/fhir/Patient?_has:Observation:patient:code-value-quantity=4548-4$gt{6 + n % 10 / 10}&_count=20"))
    await measure(bench, "_has: residents of a name with a result of a code", "p95 100 ms",
                  ask(lambda n: f"/fhir/Patient?family={surname(n)}&_has:Observation:patient:code=718-7&_count=20"))
    await measure(bench, "_include: observations by code with their residents", "p95 100 ms",
                  ask(lambda n: f"/fhir/Observation?code={population.CODES[n % 10][0]}&_include=Observation:subject&_count=20"))
    await measure(bench, "_revinclude: a resident with all observations", "p95 100 ms",
                  ask(lambda n: f"/fhir/Patient?_id=r{n}&_revinclude=Observation:subject"))
    assert observations >= 0


def fresh(number: int) -> dict[str, Any]:
    resource = json.loads(population.resident(number))
    del resource["id"]
    return resource


async def writes(bench: Bench) -> None:
    start = random.randrange(10**7, 10**8)
    bodies = [json.dumps(fresh(start + n), ensure_ascii=False).encode() for n in range(5000)]
    rows = [fresh(start + 5000 + n) for n in range(2000)]
    place = iter(range(10**9))

    def prepared() -> entries.Entry:
        return entries.entry(rows[next(place) % len(rows)], new_id(), clock.now(), None)

    ready = [prepared() for _ in range(2000)]

    async def create(connection: Any) -> None:
        row = ready[next(place) % len(ready)]
        id_ = new_id()
        await connection.execute("SELECT record_create($1::record_entry[])", [(*row[:3], key_of("Patient", id_), row[4], id_, *row[6:])])

    async def hundred(connection: Any) -> None:
        group: list[Any] = []
        for _ in range(100):
            row, id_ = ready[next(place) % len(ready)], new_id()
            group.append((*row[:3], key_of("Patient", id_), row[4], id_, *row[6:]))
        await connection.execute("SELECT record_create($1::record_entry[])", group)

    def creates() -> Iterator[bytes]:
        while True:
            for body in bodies:
                yield client.post("/fhir/Patient", body)

    def transactions() -> Iterator[bytes]:
        head = '{"request":{"method":"POST","url":"Patient"},"resource":'
        while True:
            some = [random.choice(bodies).decode() for _ in range(100)]
            text = '{"resourceType":"Bundle","type":"transaction","entry":[' + ",".join(head + s + "}" for s in some) + "]}"
            yield client.post("/fhir", text.encode())

    await measure(bench, "create a resident", "1,500/s, half the floor", creates, create)
    await measure(bench, "transaction of 100 residents", "50/s", transactions, hundred)
    await forget(EmbeddedServer(bench.data / "postgres").dsn(), [row[8] for row in ready])


async def forget(dsn: str, bodies: list[str]) -> None:
    """Take out what the floors have written: it is sealed under other ids, so that nobody could open it."""
    connection = await asyncpg.connect(dsn)
    gone = "WITH gone AS (DELETE FROM resource WHERE type = $2 AND body = ANY ($1::text[]) RETURNING rid) DELETE FROM span USING gone WHERE span.rid = gone.rid"
    await connection.execute(gone, bodies, type_code("Patient"))
    await connection.execute("SELECT gin_clean_pending_list('resource_tokens'), gin_clean_pending_list('resource_strings')")
    await connection.close()


def memory(bench: Bench) -> float:
    """Megabytes of the largest of the server's processes."""
    return max(one.memory_info().rss for one in bench.own()) / 1e6


def main() -> int:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--residents", type=int, default=100_000)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", type=Path, help="keep the data here and use it again")
    parser.add_argument("--out", type=Path, help="write the table as Markdown")
    asked = parser.parse_args()
    bench = Bench(asked)
    if not bench.data.exists():
        load(bench)
    vault.use(FileKeys(bench.data / "keys"))
    process, seconds = bench.start()
    try:
        client.log_in(bench.data, bench.port)
        bench.row("start of kangyun serve on the filled folder", f"{seconds:.2f} s", "3 s")
        for part in (reads, writes):
            uvloop.run(part(bench))
        bench.row("memory of the largest process after all this", f"{memory(bench):.0f} MB", "250 MB")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        if not asked.folder:
            shutil.rmtree(bench.folder)
    table = markdown(bench.rows)
    print("\n" + table)
    if asked.out:
        asked.out.write_text(table)
    return 0


def markdown(rows: list[tuple[str, str, str, str, str]]) -> str:
    """The rows as the table that the README quotes."""
    head = "| work | reached | wanted | floor | ratio to floor |\n|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")
    sys.exit(main())
