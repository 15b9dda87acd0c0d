"""Reads of grants: which apps somebody has let in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from kangyun.base import clock
from kangyun.base.database import Connection, Database, queries
from kangyun.commons.access.decisions.authorizing import Asked
from kangyun.commons.access.decisions.tokens import hashed
from kangyun.commons.access.model import Actor

sql = queries("kangyun.commons.access", "queries/grants.sql")

actor_of = msgspec.json.Decoder(Actor).decode
_asked_of = msgspec.json.Decoder(Asked).decode


@dataclass(frozen=True, slots=True)
class Grant:
    """That somebody lets an app in. actor: as what it acts; renews: until when it gets refresh tokens, None: it gets none."""

    id: str
    client: str
    account: str
    actor: Actor
    scopes: str
    patient: str | None
    encounter: str | None
    made: datetime
    used: datetime
    ends: datetime
    renews: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """An access token that is good now, without its secret."""

    id: str
    client: str | None
    family: str | None
    actor: Actor
    made: datetime
    ends: datetime


async def token(database: Database, secret: str) -> Token | None:
    """The access token of a secret."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.token, hashed(secret), clock.now())
    if row is None:
        return None
    return Token(row["id"], row["client"], row["family"], actor_of(row["actor"]), row["made"], row["ends"])


async def grant(connection: Connection, id_: str) -> Grant | None:
    """One grant."""
    return _grant(await connection.fetchrow(sql.grant, id_))


async def grant_to_use(connection: Connection, id_: str, until: datetime) -> Grant | None:
    """One grant, held until the transaction ends, noted as used now and as lasting until then at least."""
    return _grant(await connection.fetchrow(sql.grant_to_use, id_, clock.now(), until))


async def grant_of_refresh(database: Database, secret: str) -> Grant | None:
    """The grant that a refresh token belongs to, be the token used or not."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.refresh, hashed(secret))
        return await grant(connection, row["grant_id"]) if row else None


async def of_account(database: Database, account: str) -> list[Grant]:
    """What an account lets apps do, newest first."""
    async with database.connection() as connection:
        rows = await connection.fetch(sql.of_account, account, clock.now())
    return [made for row in rows if (made := _grant(row)) is not None]


async def asking(database: Database, secret: str) -> tuple[str, Asked] | None:
    """A request that waits for an answer: the client's id and what it asks."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.asking, hashed(secret), clock.now())
    return (row["client"], _asked_of(row["content"])) if row else None


def _grant(row: Any) -> Grant | None:
    if row is None:
        return None
    said: dict[str, Any] = {**row, "actor": actor_of(row["actor"])}
    return Grant(**said)
