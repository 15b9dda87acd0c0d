"""Senders are registered on pages: each change a new version, in force in every process within seconds."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace

import orjson
import structlog

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.commons.access import client_titles
from kangyun.commons.exchange.actions.intake import key_of
from kangyun.commons.exchange.decisions import registrations, senders
from kangyun.commons.exchange.decisions.registrations import Registration
from kangyun.commons.exchange.queries.senders import registration_of, sql

log = structlog.get_logger()

_FRESH_SECONDS = 5.0


@dataclass(slots=True)
class _Seen:
    """The last change that this process has read, of which database."""

    change: tuple[str, int] = ("", -1)
    due: float = 0.0
    programs: tuple[str, float] = ("", 0.0)


_seen = _Seen()


async def refresh(database: Database) -> None:
    """Take over what other processes have registered; one short statement when nothing has changed."""
    async with database.connection() as connection:
        change = (database.dsn, await connection.fetchval(sql.last_change))
        if change == _seen.change:
            return
        rows = await connection.fetch(sql.registrations)
    registrations.use({row["sender"]: registration_of(row) for row in rows})
    _seen.change = change


async def learn_programs(database: Database) -> None:
    """Know what the programs at the gate are called; asked for at most every few seconds."""
    now = time.monotonic()
    if _seen.programs[0] != database.dsn or now >= _seen.programs[1]:
        senders.call_programs(await client_titles(database))
        _seen.programs = (database.dsn, now + _FRESH_SECONDS)


async def register(database: Database, found: Registration, actor: str) -> None:
    """Write a new version of a sender's registration; it is in force in this process at once."""
    body = orjson.dumps(found.body).decode()
    async with database.connection() as connection:
        await connection.execute(sql.register, key_of(found.sender), found.sender, body, clock.now(), actor)
    log.info("exchange.registered", key=key_of(found.sender))
    await refresh(database)


async def new_key(database: Database, sender: str, actor: str) -> str:
    """Give a sender a new key, which replaces the old one; it is shown once and kept as a hash only."""
    key = secrets.token_urlsafe(32)
    await register(database, replace(registrations.registered(sender), key_hash=registrations.hashed(key)), actor)
    return key


async def holder(database: Database, key: str) -> str | None:
    """The sender whose key this is; None for a key of nobody."""
    if not key:
        return None
    await keep_fresh(database)
    return registrations.sender_with(key)


async def keep_fresh(database: Database) -> None:
    """As `refresh`, but at most every few seconds; for processes that only answer HTTP."""
    now = time.monotonic()
    if now >= _seen.due:
        _seen.due = now + _FRESH_SECONDS
        await refresh(database)


def forget() -> None:
    """Read everything again next time; for tests."""
    _seen.change, _seen.due, _seen.programs = ("", -1), 0.0, ("", 0.0)
