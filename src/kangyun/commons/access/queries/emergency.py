"""Reads of broken glasses: for the auditor, for the security administrator, for the resident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection, Database, queries
from kangyun.commons.records import key_of

sql = queries("kangyun.commons.access", "queries/emergency.sql")

_MOST = 200


@dataclass(frozen=True, slots=True)
class Emergency:
    """A broken glass: ids of the Patient, the Person, the account, the institution; words and remark are sealed.

    verdict: accepted, abuse or None. nth: how many the account had broken within a day then.
    """

    id: str
    resident: int
    patient: str
    person: str
    account: str
    practitioner: str | None
    institution: str | None
    role: str
    reason: str
    words: bytes
    starts: datetime
    ends: datetime
    told: datetime | None
    verdict: str | None
    remark: bytes | None
    reviewed: datetime | None
    reviewer: str | None
    nth: int = 1


async def one(database: Database, id_: str) -> Emergency | None:
    """The one of an id."""
    found = await _rows(database, sql.one, id_)
    return found[0] if found else None


async def waiting(database: Database) -> list[Emergency]:
    """Those that nobody has reviewed, the oldest first."""
    return await _rows(database, sql.waiting, _MOST)


async def judged(database: Database, verdicts: Sequence[str]) -> list[Emergency]:
    """Those with one of these verdicts, the newest first."""
    return await _rows(database, sql.judged, list(verdicts), _MOST)


async def of_patients(database: Database, patients: Sequence[str], since: datetime) -> list[Emergency]:
    """Those that concern one of these Patients, the newest first."""
    return await _rows(database, sql.of_person, [key_of("Patient", one) for one in patients], since)


async def open_until(connection: Connection, account: str, patient: str) -> datetime | None:
    """Until when a glass that an account has broken opens a Patient's person; None when none does."""
    row = await connection.fetchrow(sql.standing, key_of("Patient", patient), account, clock.now())
    return row["ends"] if row else None


async def phone(database: Database, person: str) -> tuple[str, bytes] | None:
    """The account of a person and its sealed phone number."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.phone, person)
    return (row["id"], row["phone"]) if row else None


async def phone_above(database: Database, patient: str) -> tuple[str, bytes] | None:
    """As `phone`, of the person whom a Patient was last linked to."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.phone_above, key_of("Patient", patient))
    return (row["id"], row["phone"]) if row else None


async def _rows(database: Database, statement: str, *arguments: Any) -> list[Emergency]:
    async with database.connection() as connection:
        return [emergency_of(row) for row in await connection.fetch(statement, *arguments)]


def emergency_of(row: Any) -> Emergency:
    """A row of the table."""
    return Emergency(**dict(row))
