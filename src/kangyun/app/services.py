"""What the running platform hands to listeners, jobs and routes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kangyun.base import database as databases
from kangyun.base import rules
from kangyun.base.database import Database
from kangyun.base.keys import KeyStore, open_keys
from kangyun.base.settings import Settings, offset
from kangyun.commons.access import Gate
from kangyun.commons.records import Store, settle


@dataclass(frozen=True, slots=True)
class Services:
    """The opened parts of one process."""

    settings: Settings
    database: Database
    store: Store
    gate: Gate
    keys: KeyStore


def settle_process(settings: Settings) -> None:
    """What every process of one installation must agree on before it touches the record."""
    rules.use_region(Path(settings.region_rules) / settings.region / "rules")
    public = settings.public_url.rstrip("/")
    settle(offset(settings.time_zone), [f"{public}/fhir"] if public else [])


async def open_services(settings: Settings) -> Services:
    """Open the database, bring it up to date, and put store and gate on it."""
    settle_process(settings)
    database = await Database.open(settings)
    async with database.connection() as connection:
        await databases.migrate(connection)
    store = Store(database)
    return Services(settings, database, store, Gate(store), open_keys(settings))
