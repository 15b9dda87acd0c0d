"""The real feed under a storm of writers: every version is delivered, and each resource's versions in order."""

from __future__ import annotations

import asyncio
import random
from datetime import date, timedelta
from typing import Any

import asyncpg

from kangyun.base.database import Connection, Database
from kangyun.base.errors import Problem
from kangyun.base.reactions import Change, Reaction, delivered_below, run_feed
from kangyun.commons.access import Gate, Handle, Write
from kangyun.commons.records import ChangeFeed, Store
from kangyun.commons.records.actions.trimming import trim_changes
from tests.base.waiting import until

PATIENTS = [f"p{number}" for number in range(6)]


def patient(identifier: str, chance: random.Random) -> Write:
    body = {"resourceType": "Patient", "id": identifier, "birthDate": f"19{chance.randrange(50, 99)}"}
    return Write("update", "Patient", body, identifier)


async def storm(handle: Handle, seed: int) -> int:
    """Updates alone, in pairs, and inside transactions that write twice; returns how many versions were made."""
    chance = random.Random(seed)
    written = 0
    for _ in range(25):
        chosen = chance.sample(PATIENTS, chance.choice([1, 2]))
        try:
            if chance.random() < 0.4:
                async with handle.transaction() as session:
                    for identifier in sorted(chosen):
                        await session.write([patient(identifier, chance)])
                        await asyncio.sleep(chance.random() / 100)
            else:
                await handle.commit([patient(identifier, chance) for identifier in chosen])
        except asyncpg.DeadlockDetectedError:
            continue  # Two transactions that write several times took the same residents in different orders.
        except Problem as problem:
            if problem.status not in (409, 412, 503):  # Writers may meet; nothing else may go wrong.
                raise
        else:
            written += len(chosen)
    return written


async def test_no_version_is_missed_and_none_is_out_of_order(database: Database) -> None:
    gate = Gate(Store(database))
    seen: dict[str, list[int]] = {}

    async def act(_handle: Any, change: Change) -> None:
        versions = seen.setdefault(change.id, [])
        assert not versions or change.version == versions[-1] + 1
        versions.append(change.version)

    reaction = Reaction("test.watch", listens={"Patient"}, writes=set(), act=act, tries=1)
    feed = asyncio.create_task(run_feed(database, [reaction], ChangeFeed(), gate.system, poll=0.02))
    written = sum(await asyncio.gather(*(storm(gate.system("storm"), seed) for seed in range(5))))
    await until(lambda: sum(map(len, seen.values())) >= written, 30)
    feed.cancel()
    await asyncio.gather(feed, return_exceptions=True)
    assert sum(map(len, seen.values())) == written
    async with database.connection() as connection:
        for identifier, versions in seen.items():
            stored = await connection.fetchval("SELECT version FROM resource WHERE id = $1", identifier)
            assert versions == list(range(1, stored + 1))
        assert await delivered_below(connection) is not None


async def test_only_old_and_delivered_changes_are_trimmed(database: Database) -> None:
    today = date(2026, 11, 22)
    async with database.transaction() as connection:
        await connection.execute("TRUNCATE change, reaction_cursor, change_mark")
        await add_changes(connection, 3)
        assert await trim_changes(connection, today - timedelta(days=31), 30) == 0
        await add_changes(connection, 2)
        await connection.execute("INSERT INTO reaction_cursor (reaction) VALUES ('test.slow')")
        assert await trim_changes(connection, today, 30) == 0, "a reaction has not seen them"
        await connection.execute("TRUNCATE reaction_cursor")
        assert await trim_changes(connection, today, 30) == 3, "the two of today stay"
        assert await connection.fetchval("SELECT count(*) FROM change") == 2


async def add_changes(connection: Connection, number: int) -> None:
    await connection.execute(
        "INSERT INTO change (resident, key, type, id, version, method) "
        "SELECT n, n, 1, 'x', 1, 'create' FROM generate_series(1, $1::int) n", number,
    )
