"""Forward-only migrations in plain SQL, safe when several processes start at once.

Every package may hold `migrations/NNNN_sentence.sql`; the number gives one order across all rooms.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import asyncpg

# A number of our own; two starting processes wait for each other on it.
_LOCK = 7_261_115_001

_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied timestamptz NOT NULL DEFAULT now()
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name and its SQL."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text; a changed file that was already applied is refused."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def all_migrations() -> tuple[Migration, ...]:
    """Every migration of the package, in order; raises ValueError when a number stands twice."""
    root = Path(str(files("kangyun")))
    found = [
        Migration(int(path.name[:4]), path.stem, path.read_text("utf-8"))
        for path in sorted(root.glob("**/migrations/[0-9][0-9][0-9][0-9]_*.sql"))
    ]
    found.sort(key=lambda migration: migration.number)
    numbers = [migration.number for migration in found]
    if len(set(numbers)) != len(numbers):
        raise ValueError("a migration number stands twice")
    return tuple(found)


async def migrate(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """Apply what is missing, each in a transaction of its own; returns the names applied."""
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(_TABLE)
        applied: list[str] = []
        for migration in await pending(connection):
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO migration (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number, migration.name, migration.checksum,
                )
            applied.append(migration.name)
        return applied
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def pending(connection: asyncpg.Connection[asyncpg.Record]) -> list[Migration]:
    """What is not yet applied; raises ValueError when an applied file was changed afterwards."""
    if await connection.fetchval("SELECT to_regclass('migration')") is None:
        return list(all_migrations())
    done = {row["number"]: row["checksum"] for row in await connection.fetch("SELECT number, checksum FROM migration")}
    for migration in all_migrations():
        if done.get(migration.number, migration.checksum) != migration.checksum:
            raise ValueError(f"migration {migration.name} was changed after it was applied")
    return [migration for migration in all_migrations() if migration.number not in done]
