"""Resources named by type and id are read as they stand, however many are named at once, and PostgreSQL keeps the plan for a few."""

from __future__ import annotations

from typing import Any

import pytest

from kangyun.base.database import Connection, Database
from kangyun.commons.records.queries import reading, search
from kangyun.commons.records.queries.reader import Reader
from kangyun.commons.records.tests.shelf import put

SHOWN = search.Restriction({"Basic": search.Given("{r}.id <> ALL ({0})", ((["named-3"], "text[]"),))})


def name(place: int) -> tuple[str, str]:
    return "Basic", f"named-{place}"


@pytest.fixture
async def kept(database: Database) -> Database:
    known = await reading_all(database, [name(0)])
    if not known:
        await put(database, ({"resourceType": "Basic", "id": f"named-{place}", "code": {"text": str(place)}} for place in range(600)))
        async with database.connection() as connection:
            await connection.execute("ANALYZE resource")
    return database


async def reading_all(database: Database, names: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    async with database.connection() as connection:
        return await reading.read_all(connection, names)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 12])
async def test_each_that_is_named_comes_once(kept: Database, count: int) -> None:
    names = [name(place) for place in range(count)]
    found = await reading_all(kept, [*names, ("Basic", "nobody")])
    assert {one: stored.resource["code"]["text"] for one, stored in found.items()} == {name(place): str(place) for place in range(count)}
    together = await Reader(kept)._read(names) if names else []  # pyright: ignore[reportPrivateUsage] - as when they are asked for at the same moment
    assert [stored and stored.id for stored in together] == [one[1] for one in names]
    async with kept.connection() as connection:
        seen = await search.seen(connection, SHOWN, [*names, ("Basic", "nobody")])
    assert list(seen) == [one for one in names if one != name(3)]


@pytest.mark.parametrize("count", [1, 3])
async def test_a_few_are_read_again_and_again_by_one_plan(kept: Database, count: int) -> None:
    async with kept.connection() as connection:
        await read_often(connection, count)
        before = await planned(connection)
        await read_often(connection, count)
        assert await planned(connection) == before


async def read_often(connection: Connection, count: int) -> None:
    for start in range(8):
        names = [name(start + place) for place in range(count)]
        await reading.read_all(connection, names)
        await search.seen(connection, SHOWN, names)


async def planned(connection: Connection) -> int:
    """How often a statement of this connection that reads resources was planned for its values."""
    return int(await connection.fetchval("SELECT sum(custom_plans) FROM pg_prepared_statements WHERE statement ~ 'FROM resource' AND statement !~ 'pg_prep'"))
