"""What the running platform hands to listeners, jobs and routes."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path

from kangyun.base import database as databases
from kangyun.base import partners, rules
from kangyun.base.database import Database
from kangyun.base.keys import KeyStore, open_keys, vault
from kangyun.base.settings import Settings, offset
from kangyun.commons.access import Entries, Gate, Sms, Trail, open_sms, settle_relations
from kangyun.commons.population.actions.resealing import seal_identities
from kangyun.commons.records import Store, expect_sealed, settle
from kangyun.support.insurance import Insurer, open_insurer


@dataclass(frozen=True, slots=True)
class Services:
    """The opened parts of one process."""

    settings: Settings
    database: Database
    store: Store
    gate: Gate
    keys: KeyStore
    entries: Entries
    trail: Trail
    sms: Sms
    insurer: Insurer

    async def close(self) -> None:
        """Write what the audit trail still holds and give the connections back."""
        await self.trail.close()
        await self.database.close()
        await partners.hang_up()


def settle_process(settings: Settings) -> None:
    """What every process of one installation must agree on before it touches the record."""
    rules.use_region(Path(settings.region_rules) / settings.region / "rules")
    public = settings.public_url.rstrip("/")
    settle(offset(settings.time_zone), [f"{public}/fhir"] if public else [])


def collect_less() -> None:
    """What is there when the work begins stays: the collector of cycles need not look at it again and again.

    Nor need it look at every bundle while it is read: a large one is tens of thousands of dicts and lists, all still in use.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def open_services(settings: Settings) -> Services:
    """Open the database, bring it up to date, and put store and gate on it; what was started is stopped when that fails."""
    settle_process(settings)
    database = await Database.open(settings)
    try:
        return await _opened(settings, database)
    except BaseException:
        await database.close()
        await database.stop_server()
        raise


async def _opened(settings: Settings, database: Database) -> Services:
    async with database.connection() as connection:
        await databases.migrate(connection)
        await settle_relations(connection)
    services = assemble(settings, database)
    async with database.connection() as connection:
        await expect_sealed(connection, services.keys)
        await seal_identities(connection)
    return services


def assemble(settings: Settings, database: Database) -> Services:
    """Put store, keys and gate on an open database."""
    keys = open_keys(settings)
    vault.use(keys)
    store = Store(database)
    trail, entries = Trail(database, keys, Path(settings.data) / "trail", on_disk=settings.access_audit_on_disk), Entries(database)
    return Services(settings, database, store, Gate(store, trail, entries.houses), keys, entries, trail, open_sms(settings),
        insurer=open_insurer(settings, keys))
