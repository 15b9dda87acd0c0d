from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import pytest

from kangyun.base import clock, limits
from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.base.limits import Limits, Rate


@pytest.fixture(autouse=True)
def _rates(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {("login", "anyone"): Rate(5, 0.5, 1), ("search", "person"): Rate(100, 10, 20)}
    monkeypatch.setattr(limits, "rate", lambda kind, group: known.get((kind, group)))


async def granted(*requests: Awaitable[None]) -> int:
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert all(answer is None or isinstance(answer, Problem) for answer in answers), answers
    return sum(answer is None for answer in answers)


async def test_processes_together_grant_what_the_bucket_holds(database: Database) -> None:
    began = datetime(2026, 11, 22, tzinfo=UTC)
    clock.set_source(lambda: began)
    processes = [Limits(database) for _ in range(4)]
    assert await granted(*(one.take("login", "anyone", "192.0.2.1") for one in processes for _ in range(5))) == 5
    assert await granted(*(one.take("login", "anyone", "192.0.2.2") for one in processes for _ in range(5))) == 5
    fresh = [Limits(database) for _ in range(4)]
    clock.set_source(lambda: began + timedelta(seconds=4))
    assert await granted(*(one.take("login", "anyone", "192.0.2.1") for one in fresh for _ in range(5))) == 2


async def test_a_process_takes_shares_and_never_more_than_the_bucket(database: Database) -> None:
    clock.set_source(lambda: datetime(2026, 11, 22, tzinfo=UTC))
    one, other = Limits(database), Limits(database)
    for _ in range(20):
        await one.take("search", "person", "a")
    assert await granted(*(other.take("search", "person", "a") for _ in range(200))) == 80
    assert await granted(one.take("search", "person", "a"), one.take("search", "person", "b")) == 1


async def test_a_refusal_says_when_to_come_again(database: Database) -> None:
    clock.set_source(lambda: datetime(2026, 11, 22, tzinfo=UTC))
    process = Limits(database)
    for _ in range(5):
        await process.take("login", "anyone", "192.0.2.9")
    with pytest.raises(Problem) as refused:
        await process.take("login", "anyone", "192.0.2.9")
    assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "2"})


async def test_what_has_no_limit_is_not_counted(database: Database) -> None:
    process = Limits(database)
    assert await granted(*(process.take("login", "person", "a") for _ in range(1000))) == 1000


async def test_full_buckets_are_forgotten(database: Database) -> None:
    began = datetime(2027, 11, 22, tzinfo=UTC)
    clock.set_source(lambda: began)
    await Limits(database).take("login", "anyone", "192.0.2.77")
    async with database.connection() as connection:
        await connection.execute(limits.sql.trim, began + timedelta(seconds=1))
        assert await connection.fetchval("SELECT count(*) FROM rate_bucket") == 1
        await connection.execute(limits.sql.trim, began + timedelta(seconds=3))
        assert await connection.fetchval("SELECT count(*) FROM rate_bucket") == 0


async def test_the_way_that_asks_nobody_costs_microseconds(database: Database) -> None:
    process = Limits(database)
    await process.take("login", "person", "a")
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(500):
            await process.take("login", "person", "a")
        best = min(best, (time.perf_counter() - began) / 500)
    print(f"{best * 1e6:.2f} µs for a request that is counted in the process")
    assert best < 20e-6
