"""Reads of clients: which programs may ask for tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from kangyun.base.database import Database, queries
from kangyun.commons.access.decisions.clients import origin_of

sql = queries("kangyun.commons.access", "queries/clients.sql")


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask for tokens; `secret` is the hash of its secret."""

    id: str
    name_zh: str
    name_en: str
    kind: str
    secret: bytes | None = field(repr=False)
    redirects: list[str]
    jwks: str | None
    jwks_uri: str | None
    launch: str | None
    abilities: list[str]
    scopes: str
    role: str
    institution: str | None
    state: str
    made: datetime
    used: datetime | None

    @property
    def active(self) -> bool:
        """Whether it may still ask."""
        return self.state == "active"

    @property
    def has_keys(self) -> bool:
        """Whether it proves itself by signing."""
        return self.jwks is not None or self.jwks_uri is not None

    def name(self, language: str) -> str:
        """Its name for people."""
        return self.name_zh if language == "zh" else self.name_en


async def client(database: Database, id_: str) -> Client | None:
    """The client of an id, perhaps a revoked one."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.one, id_)
    return Client(**row) if row else None


async def clients(database: Database, *, revoked: bool = True) -> list[Client]:
    """All clients, active ones first, newest first."""
    async with database.connection() as connection:
        return [Client(**row) for row in await connection.fetch(sql.all, revoked)]


async def launchable(database: Database) -> list[Client]:
    """The apps that can be opened from a resident's page."""
    async with database.connection() as connection:
        return [Client(**row) for row in await connection.fetch(sql.launchable)]


async def origins(database: Database) -> set[str]:
    """Where the pages of apps come from, as browsers tell it."""
    async with database.connection() as connection:
        rows = await connection.fetch(sql.origins)
    return {found for row in rows if (found := origin_of(row["redirect"])) is not None}


async def client_titles(database: Database) -> dict[str, dict[str, str]]:
    """What the registered programs are called in zh and en, by id; revoked ones too, since what they sent stays."""
    return {one.id: {"zh": one.name_zh, "en": one.name_en} for one in await clients(database)}
