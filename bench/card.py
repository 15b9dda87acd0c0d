"""Scans of the electronic health card: a real server, real HTTP, a real database, all on this machine.

Run: ``.venv/bin/python bench/card.py [--cards 100]``. Codes are made before the clock starts, each is scanned once. The
floor is what a scan cannot do without: two look-ups and one durable insert through the bare database driver.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx

from client import Figures, measure
from kangyun.app.services import Services, open_services
from kangyun.base import clock, logs
from kangyun.base.keys import sm2
from kangyun.base.settings import Settings
from kangyun.commons.population.actions.cards import Cards
from kangyun.commons.population.actions.residents import register
from kangyun.commons.population.model import ID_NUMBER_SYSTEM
from kangyun.commons.population.queries.card import Card
from population import resident

CLIENTS = 8
SECONDS = 6.0
PIN = "240517"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def id_number(number: int) -> str:
    """A well-formed identity number of the made-up region."""
    body = f"9901011980{1 + number // 1000 % 12:02d}01{number % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(a) * b for a, b in zip(body, weights, strict=True)) % 11]


async def prepare(services: Services, count: int) -> list[Card]:
    """Residents with cards."""
    cards = Cards(services.gate.system("bench"), services.keys)
    made: list[Card] = []
    for number in range(count):
        patient = {
            **json.loads(resident(number)),
            "identifier": [{"system": ID_NUMBER_SYSTEM, "value": id_number(number)}],
        }
        made.append(await cards.issue(await register(cards.handle, patient, "bench"), PIN))
    return made


def requests(codes: list[str], pin: str = "") -> Iterator[bytes]:
    """One scan for each code; after the last one from the beginning."""
    while True:
        for code in codes:
            body = json.dumps({"code": code, "step": "010101", "terminal": "T-1", "channel": "01", "pin": pin}).encode()
            yield (
                f"POST /card/scan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            ).encode() + body


async def floor(dsn: str, made: list[Card]) -> float:
    """Two look-ups by key and one durable insert, over as many connections as there are clients."""
    pool = await asyncpg.create_pool(dsn, min_size=CLIENTS, max_size=CLIENTS)
    await pool.execute("CREATE TABLE bench_use (resident bigint, mark bigint, told text, PRIMARY KEY (resident, mark))")
    done = 0

    async def one(until: float, lane: int) -> None:
        nonlocal done
        async with pool.acquire() as connection:
            number = 0
            while time.perf_counter() < until:
                card = made[number % len(made)]
                await connection.fetchrow("SELECT resident, patient FROM card_number WHERE number = $1", card.number)
                await connection.fetchrow("SELECT state, issue FROM card WHERE resident = $1 AND patient = $2", card.resident, card.patient)
                await connection.execute("INSERT INTO bench_use VALUES ($1, $2, 'T-1')", card.resident, number * CLIENTS + lane)
                number, done = number + 1, done + 1

    began = time.perf_counter()
    await asyncio.gather(*(one(began + SECONDS, lane) for lane in range(CLIENTS)))
    elapsed = time.perf_counter() - began
    await pool.close()
    return done / elapsed


async def codes(cards: Cards, made: list[Card], rounds: int) -> list[str]:
    """Dynamic codes, as many for each card as there are rounds; a code names a second, so each round has its own."""
    began, found = clock.now(), list[str]()
    for number in range(rounds):
        clock.set_source(lambda number=number: began + timedelta(seconds=number))
        found += [(await cards.dynamic_code(card)).text for card in made]
    clock.set_source(None)
    return found


def row(name: str, figures: Figures, bare: float) -> None:
    """Print one line."""
    print(f"| {name} | {figures.rate:,.0f}/s | {figures.median:.1f} ms | {figures.p95:.1f} ms | {figures.rate / bare:.2f} of the floor | {figures.errors} errors |", flush=True)


def wait(port: int) -> None:
    """Until the server is ready."""
    for _ in range(1800):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


async def run(data: Path, port: int, count: int) -> None:
    """Measure and print."""
    services = await open_services(replace(Settings(), data=data))
    made = await prepare(services, count)
    cards = Cards(services.gate.system("bench"), services.keys)
    bare = await floor(services.database.dsn, made)
    print(f"| floor: two look-ups and an insert | {bare:,.0f}/s | | | | |")
    dynamic = await codes(cards, made, max(1, 9_000 // count))
    measured = await measure(port, lambda: requests(dynamic), SECONDS, CLIENTS)
    row("dynamic code, each once", measured, bare)
    alone = await measure(port, lambda: requests(dynamic[len(dynamic) // 2:]), 2, 1)
    row("dynamic code, one terminal", alone, bare)
    row("static code with PIN", await measure(port, lambda: requests([cards.printed_code(card) for card in made], PIN), SECONDS, CLIENTS), bare)
    signed = [(await cards.signed_code(card, "SM2")).text for _ in range(max(1, 1200 // count)) for card in made]
    row("signed code, SM2", await measure(port, lambda: requests(signed), 2, CLIENTS), bare)
    await services.database.close()


def signatures() -> None:
    """How quick the region signs and a terminal checks."""
    secret = sm2.new_secret()
    public, signature = sm2.public_point(secret), sm2.sign(secret, b"card")
    for name, work in (("SM2 signatures", lambda: sm2.sign(secret, b"card")), ("SM2 checks", lambda: sm2.verify(public, b"card", signature))):
        began, count = time.process_time(), 0
        while time.process_time() - began < 1:
            work()
            count += 1
        print(f"| {name}, one core | {count:,}/s | | | | |")


def main() -> int:
    """Start a server on an empty folder and measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=100)
    asked = parser.parse_args()
    logs.set_up("json", "warning")
    signatures()
    with tempfile.TemporaryDirectory(prefix="kangyun-bench-") as name:
        data, port = Path(name) / "data", free_port()
        command = [str(Path(sys.executable).with_name("kangyun")), "serve", "--data", str(data), "--port", str(port), "--mllp-port", "0"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "KANGYUN_WORKER": "false", "KANGYUN_ACCESS_LOCAL_ROLE": "terminal"}) as process:
            try:
                wait(port)
                asyncio.run(run(data, port, asked.cards))
            finally:
                process.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
