"""kill -9 of the server, of PostgreSQL or of one of its processes, at random moments of a write storm."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import asyncpg
import httpx
import orjson
import pytest

from tests.conftest import ROOT
from tests.faults.follower import SYSTEM
from tests.faults.storm import Known, Storm, check, dsn
from tests.serving import Server

SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ROUNDS = int(os.environ.get("STORM_ROUNDS", "12"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Follower:
    """The process that follows the feed, killed and started again."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.follower", dsn(self.server)], cwd=ROOT, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ensure(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.start()

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def follower(server: Server) -> Iterator[Follower]:
    one = Follower(server)
    one.start()
    yield one
    one.kill()


def strike(server: Server, follower: Follower, what: str, chance: random.Random) -> None:
    """The accident."""
    if what == "server":
        server.kill()
    elif what == "postgres":
        os.kill(server.postmaster() or 0, signal.SIGKILL)
    elif what == "backend":
        victims = server.backends()
        os.kill(chance.choice(victims), signal.SIGKILL)
    if what == "follower" or chance.random() < 0.3:
        follower.kill()


async def settled(server: Server, seconds: float = 30) -> None:
    """The server answers from its database again."""
    async with httpx.AsyncClient(base_url=server.url, timeout=5) as http:
        end_at = time.monotonic() + seconds
        while time.monotonic() < end_at:
            try:
                if (await http.get("/fhir/Basic?_count=1")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError(f"the server did not recover within {seconds} s:\n{server.words()}")


async def test_nothing_acknowledged_is_lost_nothing_is_half_nothing_is_repeated(server: Server, follower: Follower) -> None:
    print(f"STORM_SEED={SEED}")
    chance, known = random.Random(SEED), Known()
    kinds = ["server", "postgres", "server", "backend", "server", "follower", "postgres"]
    for number in range(ROUNDS):
        what = kinds[number % len(kinds)]
        storm = Storm(server, chance, known)
        await storm.rage(chance.randrange(5, 60))
        await asyncio.sleep(chance.uniform(0.0, 0.01))
        strike(server, follower, what, chance)
        await storm.rage(chance.randrange(0, 20), seconds=0.5)
        await storm.end()
        if what == "server":
            server.start()
        await settled(server)
        follower.ensure()
        await check(server, known)
    written = await check(server, known)
    assert written > 5 * ROUNDS
    assert not {status for status in known.answers if status >= 500} - {503}, "a lost database is told as 503"
    await followed(server)
    print(f"{ROUNDS} rounds, {written} acknowledged single writes, {sum(known.groups.values())} acknowledged transactions")


async def followed(server: Server, seconds: float = 60) -> None:
    """The follower has answered every version exactly once, and each resource's versions in their order."""
    connection = await asyncpg.connect(dsn(server))
    try:
        end_at = time.monotonic() + seconds
        while True:
            changes = await connection.fetch("SELECT c.id, c.version FROM change c JOIN resource r USING (key, id) WHERE r.body LIKE '%urn:storm%'")
            notes = await connection.fetch(
                "SELECT r.body FROM resource r JOIN change c USING (key, id) WHERE r.body LIKE $1 ORDER BY c.seq", f"%{SYSTEM}%")
            if len(notes) >= len(changes) or time.monotonic() > end_at:
                break
            await asyncio.sleep(0.3)
    finally:
        await connection.close()
    marks = [orjson.loads(note["body"])["identifier"][0]["value"] for note in notes]
    assert len(marks) == len(set(marks)), "a change was answered twice"
    assert set(marks) == {f"{row['id']}/{row['version']}" for row in changes}, "a change was missed"
    last: dict[str, int] = {}
    for mark in marks:
        id_, _, version = mark.partition("/")
        assert int(version) > last.get(id_, 0), "versions of one resource were answered out of order"
        last[id_] = int(version)
