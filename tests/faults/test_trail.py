"""kill -9 under load: whatever was answered over HTTP stands in the audit trail, whose chains stay whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal

import asyncpg
import httpx
import pytest

from tests.faults.storm import dsn
from tests.fhir import patient
from tests.serving import Server, run

SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ROUNDS = int(os.environ.get("TRAIL_ROUNDS", "4"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Readers:
    """Clients that read and write, each under ids of its own, and know what was answered."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.answered: list[tuple[str, str]] = []
        self.going = True

    async def run(self, clients: int) -> None:
        """Ask until told to stop, or until nobody answers."""
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as http:
            await asyncio.gather(*(self._ask(http, f"{self.name}-{number}") for number in range(clients)))

    async def _ask(self, http: httpx.AsyncClient, name: str) -> None:
        number = 0
        while self.going:
            number += 1
            id_ = f"{name}-{number}"
            try:
                if (await http.put(f"/fhir/Patient/{id_}", json=patient(id=id_))).status_code == 201:
                    self.answered.append(("create", id_))
                if (await http.get(f"/fhir/Patient/{id_}")).status_code == 200:
                    self.answered.append(("read", id_))
            except httpx.HTTPError:
                return


async def storm(server: Server, name: str, chance: random.Random, victim: str) -> list[tuple[str, str]]:
    """Load, an accident in the middle of it, and what was answered until then."""
    readers = Readers(server.url, name)
    task = asyncio.create_task(readers.run(8))
    goal = chance.randrange(60, 160)
    while len(readers.answered) < goal and not task.done():  # noqa: ASYNC110 - there is no event for an answer
        await asyncio.sleep(0.002)
    await asyncio.sleep(chance.uniform(0, 0.02))
    if victim == "server":
        server.kill()
    else:
        os.kill(server.postmaster() or 0, signal.SIGKILL)
    readers.going = False
    await task
    return readers.answered


async def written(server: Server) -> set[tuple[str, str]]:
    """What the trail says was done with which Patient."""
    connection = await asyncpg.connect(dsn(server))
    try:
        rows = await connection.fetch("SELECT action, (body::jsonb) -> 'resources' ->> 0 AS name FROM audit_event WHERE outcome = 'ok'")
        return {(row["action"], row["name"].removeprefix("Patient/")) for row in rows if row["name"]}
    finally:
        await connection.close()


async def missing(server: Server, answered: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """What was answered and does not stand in the trail, a moment after: it comes there from the journals."""
    gone = answered
    for _ in range(100):
        gone = answered - await written(server)
        if not gone:
            break
        await asyncio.sleep(0.1)
    return gone


async def settled(server: Server) -> None:
    """The database is back."""
    async with httpx.AsyncClient(base_url=server.url, timeout=5) as http:
        for _ in range(300):
            try:
                if (await http.get("/fhir/Patient?_count=1")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError(server.words())


async def test_everything_that_was_answered_is_in_the_trail(server: Server) -> None:
    print(f"STORM_SEED={SEED}")
    chance, answered = random.Random(SEED), set[tuple[str, str]]()
    for number in range(ROUNDS):
        victim = ("server", "postgres")[number % 2]
        answered |= set(await storm(server, f"r{number}", chance, victim))
        if victim == "server":
            server.start()
        await settled(server)
    assert len(answered) > 40 * ROUNDS
    assert await missing(server, answered) == set()
    done = run("verify-audit", "--data", server.data)
    assert "the trail is whole" in done.stdout


@pytest.mark.parametrize("statement", [
    "UPDATE audit_event SET name = 'nobody' WHERE (lane, seq) = (SELECT lane, seq FROM audit_event ORDER BY random() LIMIT 1)",
    "DELETE FROM audit_event WHERE (lane, seq) = (SELECT lane, seq FROM audit_event ORDER BY random() LIMIT 1)",
    "INSERT INTO audit_event SELECT lane, seq + 100000, at, name, institution, action, outcome, residents, body, sealed, hash FROM audit_event LIMIT 1",
    "UPDATE audit_head SET hash = '\\x00' WHERE lane = 1",
])
async def test_the_command_names_what_was_done_past_the_platform(server: Server, statement: str) -> None:
    run("verify-audit", "--data", server.data)
    connection = await asyncpg.connect(dsn(server))
    try:
        tables = ("audit_event", "audit_head")
        for table in tables:
            await connection.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(statement)
        done = run("verify-audit", "--data", server.data, check=False)
        assert done.returncode == 1, done.stdout
        assert "lane" in done.stdout
        assert "seq" in done.stdout
        for table in tables:
            await connection.execute(f"DELETE FROM {table}")
            await connection.execute(f"INSERT INTO {table} TABLE kept_{table}")
            await connection.execute(f"DROP TABLE kept_{table}")
    finally:
        await connection.close()
    assert run("verify-audit", "--data", server.data, check=False).returncode == 0
