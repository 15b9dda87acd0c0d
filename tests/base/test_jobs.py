"""Jobs on a real PostgreSQL: at least once, once by key, retried, shared between workers, safe from kill -9."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import time as time_of_day
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kangyun.base import clock, jobs
from kangyun.base.database import Database
from kangyun.base.jobs import registry
from tests.base.waiting import becomes, until

SEEN: list[Any] = []


async def note(_services: Any, payload: dict[str, Any]) -> None:
    SEEN.append(payload["n"])


async def fail(_services: Any, payload: dict[str, Any]) -> None:
    SEEN.append(payload["n"])
    raise ValueError("the resident 王小明 is not found")


async def slow(_services: Any, payload: dict[str, Any]) -> None:
    await asyncio.sleep(payload["seconds"])
    SEEN.append("slow")


@pytest.fixture(autouse=True)
async def _empty(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """No job but ours, and no row from before; the platform's own jobs are none of these tests' business."""
    SEEN.clear()
    monkeypatch.setattr(registry, "_jobs", {})
    monkeypatch.setattr(registry, "_schedules", {})
    jobs.job("test.note")(note)
    jobs.job("test.fail", tries=3, first_pause=0.01)(fail)
    jobs.job("test.slow")(slow)
    async with database.connection() as connection:
        await connection.execute("TRUNCATE job, job_schedule")


@asynccontextmanager
async def working(
    database: Database, number: int = 1, poll: float = 0.1, lease: float = 30.0,
) -> AsyncGenerator[list[jobs.Worker]]:
    workers = [jobs.Worker(database, None, poll=poll, lease=lease) for _ in range(number)]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)


async def states(database: Database) -> dict[str, int]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT state, count(*) FROM job GROUP BY state")
    return {row[0]: row[1] for row in rows}


async def test_it_runs_a_job_soon_after_the_commit(database: Database) -> None:
    async with working(database, poll=30):
        await asyncio.sleep(0.2)
        async with database.transaction() as connection:
            await jobs.enqueue(connection, "test.note", {"n": 1})
        await until(lambda: SEEN == [1])
    assert await states(database) == {}


async def test_it_forgets_a_job_whose_transaction_is_rolled_back(database: Database) -> None:
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await jobs.enqueue(connection, "test.note", {"n": 1})
        await transaction.rollback()
    assert await states(database) == {}


async def test_it_takes_the_same_key_once(database: Database) -> None:
    async with database.connection() as connection:
        assert await jobs.enqueue(connection, "test.note", {"n": 1}, key="a") is not None
        assert await jobs.enqueue(connection, "test.note", {"n": 2}, key="a") is None
        async with working(database):
            await until(lambda: SEEN == [1])
        assert await jobs.enqueue(connection, "test.note", {"n": 3}, key="a") is None
    assert await states(database) == {"done": 1}


async def test_it_waits_for_the_moment_asked_for(database: Database) -> None:
    moment = clock.now() + timedelta(seconds=0.6)
    async with database.connection() as connection:
        await jobs.enqueue(connection, "test.note", {"n": 1}, run_at=moment)
    async with working(database):
        await until(lambda: SEEN == [1])
        assert clock.now() >= moment


async def test_it_retries_and_then_shows_the_failure_without_its_text(database: Database) -> None:
    async with database.connection() as connection:
        await jobs.enqueue(connection, "test.fail", {"n": 7})
        async with working(database):
            await until(lambda: SEEN == [7, 7, 7])
            await becomes(lambda: states(database), {"failed": 1})
        [failed] = await jobs.failed(connection)
        assert failed["attempts"] == 3
        assert failed["error"].startswith("ValueError at test_jobs:")
        assert [row["state"] for row in await jobs.counts(connection)] == ["failed"]
        assert await jobs.retry_failed(connection) == 1
    assert await states(database) == {"waiting": 1}


async def test_two_workers_share_the_work_and_double_none(database: Database) -> None:
    async with database.connection() as connection:
        for n in range(200):
            await jobs.enqueue(connection, "test.note", {"n": n})
    async with working(database, 2):
        await until(lambda: len(SEEN) >= 200)
    assert sorted(SEEN) == list(range(200))


async def test_a_long_job_keeps_its_lease(database: Database) -> None:
    async with database.connection() as connection:
        await jobs.enqueue(connection, "test.slow", {"seconds": 4})
    async with working(database, 2, lease=2):
        await until(lambda: bool(SEEN))
        await becomes(lambda: states(database), {})
    assert SEEN == ["slow"]


async def test_stopping_lets_a_short_job_finish_and_hands_back_a_long_one(database: Database) -> None:
    async with database.connection() as connection:
        await jobs.enqueue(connection, "test.slow", {"seconds": 0.4})
        await jobs.enqueue(connection, "test.slow", {"seconds": 60})
    worker = jobs.Worker(database, None, poll=0.1)
    task = asyncio.create_task(worker.run())
    await becomes(lambda: states(database), {"running": 2})
    worker.stop(grace=3)
    await task
    assert SEEN == ["slow"]
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT state, attempts FROM job")
    assert row is not None
    assert dict(row) == {"state": "waiting", "attempts": 0}


KILLED_WORKER = """
import asyncio, sys
from kangyun.base import jobs
from kangyun.base.database import Database
from kangyun.base.settings import Settings

@jobs.job("test.note")
async def hang(_services, payload):
    print("started", flush=True)
    await asyncio.sleep(60)

async def main():
    db = await Database.open(Settings(database_url=sys.argv[1]))
    await jobs.Worker(db, None, lease=2.0, poll=0.1).run()

asyncio.run(main())
"""


async def test_a_job_whose_worker_is_killed_runs_again(database: Database, tmp_path: Path) -> None:
    async with database.connection() as connection:
        await jobs.enqueue(connection, "test.note", {"n": 5}, key="once")
    script = tmp_path / "worker.py"
    script.write_text(KILLED_WORKER)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, str(script), database.dsn, stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    assert await asyncio.wait_for(victim.stdout.readline(), 20) == b"started\n"
    async with working(database):
        await asyncio.sleep(3)
        assert SEEN == [], "its lease is kept alive while the first worker lives"
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
        await until(lambda: SEEN == [5])
    assert await states(database) == {"done": 1}


async def test_of_two_workers_one_starts_a_scheduled_job(database: Database) -> None:
    runs: list[int] = []

    @jobs.every("test.tick", seconds=3600)
    async def tick(_services: Any, _payload: dict[str, Any]) -> None:
        runs.append(1)

    async with working(database, 2):
        await until(lambda: bool(runs))
        await asyncio.sleep(0.4)
    assert runs == [1]


def test_a_daily_schedule_begins_its_slot_at_the_hour_in_china() -> None:
    @jobs.every("test.daily", at=time_of_day(3, 0))
    async def daily(_services: Any, _payload: dict[str, Any]) -> None: ...

    [schedule] = jobs.schedules()
    three_in_china = 19 * 3600
    assert schedule.slot(three_in_china) == schedule.slot(three_in_china - 1) + 1


def test_two_jobs_of_one_name_are_refused() -> None:
    async def other(_services: Any, _payload: dict[str, Any]) -> None: ...

    with pytest.raises(ValueError, match=r"two jobs are called test\.note"):
        jobs.job("test.note")(other)
