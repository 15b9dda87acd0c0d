"""Reads of guardianships: whom one may act for, and who may act for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kangyun.base import clock
from kangyun.base.database import Database, queries
from kangyun.commons.access.decisions.guardians import guardian_terms

sql = queries("kangyun.commons.access", "queries/guardians.sql")


class _Ending:
    """Something that ends at a midnight, and is good on the day before it."""

    __slots__ = ()
    ends: datetime

    @property
    def last(self) -> datetime:
        """The last moment, whose day is the one that was asked for."""
        return self.ends - timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Guardianship(_Ending):
    """A guardianship as the guardian sees it; `number` is what is said at the counter while it is only asked for."""

    id: str
    number: str
    ward: str
    kind: str
    document: str
    state: str
    asked: datetime
    starts: datetime | None
    ends: datetime


@dataclass(frozen=True, slots=True)
class Acting(_Ending):
    """Somebody who may act for a ward, as the ward sees it; guardian is the id of a Person."""

    id: str
    account: str
    guardian: str
    kind: str
    document: str
    state: str
    starts: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Asked(_Ending):
    """A guardianship that waits for a counter; `document_number` is sealed."""

    id: str
    account: str
    guardian: str
    ward: str
    kind: str
    document: str
    document_number: bytes
    asked: datetime
    ends: datetime


def _oldest(now: datetime) -> datetime:
    return now - timedelta(days=guardian_terms().waiting_days)


async def guardianships(database: Database, account: str) -> list[Guardianship]:
    """Whom an account may act for, and has asked to."""
    now = clock.now()
    async with database.connection() as connection:
        return [Guardianship(**row) for row in await connection.fetch(sql.of_account, account, now, _oldest(now))]


async def in_force(database: Database, account: str, ward: str) -> Guardianship | None:
    """The guardianship by which an account may act for a ward now."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.in_force, account, ward, clock.now())
    return Guardianship(**row) if row else None


async def guardians_of(database: Database, ward: str) -> list[Acting]:
    """Who may act for a person now."""
    async with database.connection() as connection:
        return [Acting(**row) for row in await connection.fetch(sql.of_ward, ward, clock.now())]


async def asked(database: Database, number: str) -> Asked | None:
    """The guardianship that waits under a number."""
    now = clock.now()
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.by_number, number, _oldest(now), now)
    return Asked(**row) if row else None
