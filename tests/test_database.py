"""The database layer, on a real server."""

from __future__ import annotations

import asyncio

import asyncpg

from kangyun.base.database import Database, migrate, pending


async def test_it_gives_each_test_file_a_migrated_database(database: Database) -> None:
    async with database.connection() as connection:
        assert await pending(connection) == []  # pyright: ignore[reportArgumentType]


async def test_two_starting_processes_migrate_an_empty_database_once(database: Database) -> None:
    name = database.dsn.split("/")[3].split("?")[0] + "_b"
    async with database.connection() as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    dsn = database.dsn.replace(name.removesuffix("_b"), name, 1)
    one, two = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    applied = await asyncio.gather(migrate(one), migrate(two))
    assert sorted(map(bool, applied)) == [False, True]
    assert await pending(one) == []
    await one.close()
    await two.close()
    async with database.connection() as connection:
        await connection.execute(f"DROP DATABASE {name}")
