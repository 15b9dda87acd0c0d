"""What the running platform hands to listeners, jobs and routes."""

from __future__ import annotations

from dataclasses import dataclass

from kangyun.base import database as databases
from kangyun.base.database import Database
from kangyun.base.settings import Settings
from kangyun.commons.access import Gate
from kangyun.commons.records import Store


@dataclass(frozen=True, slots=True)
class Services:
    """The opened parts of one process."""

    settings: Settings
    database: Database
    store: Store
    gate: Gate


async def open_services(settings: Settings) -> Services:
    """Open the database, bring it up to date, and put store and gate on it."""
    database = await Database.open(settings)
    async with database.pool.acquire() as connection:
        await databases.migrate(connection)  # pyright: ignore[reportArgumentType] - a pool's proxy speaks the same
    store = Store(database)
    return Services(settings, database, store, Gate(store))
