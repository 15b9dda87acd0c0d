"""Reads of accounts: who may log in, as what, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Database, queries

sql = queries("kangyun.commons.access", "queries/accounts.sql")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in; person and practitioner are ids of a Person and a Practitioner."""

    id: str
    kind: str
    login: str | None
    person: str | None
    practitioner: str | None
    state: str


@dataclass(frozen=True, slots=True)
class Membership:
    """What an account may be: a role at an institution (id of an Organization, '' for the whole platform)."""

    id: str
    institution: str
    role: str
    practitioner: str | None


@dataclass(frozen=True, slots=True)
class Second:
    """A second factor as its holder sees it: kind is totp or passkey."""

    id: str
    kind: str
    handle: bytes | None
    content: bytes
    count: int
    title: str
    made: datetime
    used: datetime | None


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A line of the list of staff: one for each membership; `seconds` counts second factors."""

    id: str
    login: str
    state: str
    role: str | None
    institution: str | None
    membership: str | None
    seconds: int


async def account(database: Database, id_: str) -> Account | None:
    """The account of an id."""
    return await _one(database, sql.account, id_)


async def by_login(database: Database, login: str) -> Account | None:
    """The account of a user name."""
    return await _one(database, sql.account_by_login, login)


async def by_phone(database: Database, index: bytes) -> Account | None:
    """The account of a phone, by the keyed hash of its number."""
    return await _one(database, sql.account_by_phone, index)


async def of_person(database: Database, person: str) -> Account | None:
    """The account that is bound to a Person."""
    return await _one(database, sql.account_of_person, person)


async def _one(database: Database, statement: str, argument: Any) -> Account | None:
    async with database.connection() as connection:
        row = await connection.fetchrow(statement, argument)
    return Account(**row) if row else None


async def memberships(database: Database, account_id: str) -> list[Membership]:
    """What an account may be today, in the order in which it became so."""
    async with database.connection() as connection:
        return [Membership(**row) for row in await connection.fetch(sql.memberships, account_id, clock.now())]


async def seconds(database: Database, account_id: str) -> list[Second]:
    """The second factors of an account, oldest first."""
    async with database.connection() as connection:
        return [Second(**row) for row in await connection.fetch(sql.seconds, account_id)]


async def password_made(database: Database, account_id: str) -> datetime | None:
    """When the password in use was chosen; None without one."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.password, account_id)
    return row["made"] if row else None


async def recovery_left(database: Database, account_id: str) -> int:
    """How many recovery codes are left."""
    async with database.connection() as connection:
        return int(await connection.fetchval(sql.count_recovery, account_id) or 0)


async def staff(database: Database, institution: str | None = None) -> list[StaffRow]:
    """All staff, or that of an institution."""
    async with database.connection() as connection:
        return [StaffRow(**row) for row in await connection.fetch(sql.staff, clock.now(), institution)]
