"""Counting what fails at the door, in the database, so that a limit holds in every process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions.accounts import Limit, address_limit, network_of
from kangyun.commons.access.queries.accounts import sql


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was counted before its secret is looked at; `last`: if it fails, the door is closed."""

    subject: bytes
    moment: datetime
    last: bool


async def begin(parts: Parts, subject: str, limit: Limit) -> Try:
    """Count a try. Raises Problem 429 while the subject is locked, whether or not it stands for anybody."""
    hashed, now = parts.keys.mac("login-subject", subject.encode()), clock.now()
    since, lock = now - timedelta(seconds=limit.window), now + timedelta(seconds=limit.lock)
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.begin_try, hashed, now, since, limit.most, lock)
    if row is None:
        raise refuse(429, "throttled", "access.locked", minutes=str(limit.lock // 60))
    return Try(hashed, now, row["locked"] is not None)


async def begin_at(parts: Parts, address: str) -> Try:
    """Count a try of an address."""
    return await begin(parts, f"address/{network_of(address)}", address_limit())


async def forgive(parts: Parts, *tries: Try) -> None:
    """The tries were right: each is taken back, and with it the lock that it set."""
    async with parts.database.connection() as connection:
        for one in tries:
            await connection.execute(sql.forgive_one, one.subject, one.moment)


async def forget(parts: Parts, one: Try) -> None:
    """The secret was right: earlier failures of its subject count no more."""
    async with parts.database.connection() as connection:
        await connection.execute(sql.forgive_all, one.subject)


async def open_again(parts: Parts, subject: str) -> None:
    """Take a lock away, as an administrator does."""
    async with parts.database.connection() as connection:
        await connection.execute(sql.forgive_all, parts.keys.mac("login-subject", subject.encode()))
