"""What lets somebody in: sessions of browsers and access tokens of apps, one row each, revoked at once everywhere.

Every request asks who its secret is, so a process remembers the answer. It does so only while it hears revocations:
a revocation is a NOTIFY in the transaction that deletes the row, and whoever is not listening asks the table each time.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import msgspec

from kangyun.base import clock, jobs
from kangyun.base.database import Connection, Database, queries
from kangyun.commons.access.actions.houses import CHANGED, Houses
from kangyun.commons.access.decisions import policy
from kangyun.commons.access.model import Actor

sql = queries("kangyun.commons.access", "queries/entries.sql")

_CHANNEL = "access_revoked"
_MOST_REMEMBERED = 50_000
# How late a use may be written down, as a part of the time after which an unused entry ends.
_LATE = 20
_decode = msgspec.json.Decoder(Actor).decode


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as its holder sees it in the list of devices and apps."""

    id: str
    kind: str
    client: str | None
    actor: Actor
    made: datetime
    seen: datetime
    idle: int
    ends: datetime
    device: str
    address: str


@dataclass(slots=True)
class _Known:
    """An entry in memory; moments are seconds since 1970, since each request compares them."""

    actor: Actor
    seen: float
    idle: int
    ends: float

    def over(self, now: float) -> bool:
        return now >= self.ends or (self.idle > 0 and now >= self.seen + self.idle)

    def at(self, address: str) -> Actor:
        """Who it is at an address: kept, since most callers stay where they are."""
        if self.actor.address != address:
            self.actor = replace(self.actor, address=address)
        return self.actor


class Entries:
    """The entries of one installation, as one process sees them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, _Known] = {}
        self.houses = Houses()
        self._hearing = False
        self._revocations = 0
        self._noting: set[asyncio.Task[None]] = set()

    async def issue(
        self, actor: Actor, *, kind: str, lasts: int, idle: int = 0, device: str = "", client: str | None = None,
        family: str | None = None,
    ) -> str:
        """Let the actor in; returns the secret. `lasts` and `idle` are seconds, idle 0: no limit but `lasts`."""
        async with self._database.transaction() as connection:
            return await self.issue_in(
                connection, actor, kind=kind, lasts=lasts, idle=idle, device=device, client=client, family=family)

    async def issue_in(
        self, connection: Connection, actor: Actor, *, kind: str, lasts: int, idle: int = 0, device: str = "",
        client: str | None = None, family: str | None = None,
    ) -> str:
        """As `issue`, inside the caller's transaction."""
        secret, id_, now = secrets.token_urlsafe(32), secrets.token_hex(12), clock.now()
        kept = msgspec.json.encode(replace(actor, session=id_, address="")).decode()
        await connection.execute(
            sql.put, _hash(secret), id_, kind, actor.account, client, actor.person, family, kept, now, idle,
            now + timedelta(seconds=lasts), device[:200], actor.address[:64])
        return secret

    def remembered(self, secret: str, address: str = "", *, used: bool = True) -> Actor | None:
        """Who the secret lets in, at an address, when this process knows it without asking; None says nothing.

        used: somebody asks; False where an open page asks by itself, which keeps nobody logged in.
        """
        hashed = _hash(secret)
        known = self._known.get(hashed) if self._hearing else None
        now = clock.seconds()
        if known is None or known.over(now):
            return None
        if used:
            self._note(hashed, known, now)
        return known.at(address)

    async def actor(self, secret: str, address: str = "", *, used: bool = True) -> Actor | None:
        """Who the secret lets in, at an address; None when it was never given, has ended or was revoked. used: as `remembered`."""
        found = self.remembered(secret, address, used=used)
        if found is not None:
            return found
        hashed, revocations = _hash(secret), self._revocations
        async with self._database.connection() as connection:
            row = await connection.fetchrow(sql.find, hashed)
        if row is None:
            return None
        known, now = _Known(_actor(row["actor"]), row["seen"].timestamp(), row["idle"], row["ends"].timestamp()), clock.seconds()
        if known.over(now):
            return None
        if used:
            self._note(hashed, known, now)
        # What was revoked while we asked must not be remembered.
        if self._hearing and revocations == self._revocations:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[hashed] = known
        return known.at(address)

    async def revoke(
        self, *, account: str | None = None, client: str | None = None, id_: str | None = None, secret: str | None = None,
        person: str | None = None, family: str | None = None, but: str | None = None,
    ) -> list[str]:
        """End all entries that one of the arguments names, except the entry `but`; returns their ids."""
        async with self._database.transaction() as connection:
            return await self.revoke_in(
                connection, account=account, client=client, id_=id_, secret=secret, person=person, family=family, but=but)

    async def revoke_in(
        self, connection: Connection, *, account: str | None = None, client: str | None = None, id_: str | None = None,
        secret: str | None = None, person: str | None = None, family: str | None = None, but: str | None = None,
    ) -> list[str]:
        """As `revoke`, inside the caller's transaction: everybody knows at its commit."""
        hashed = _hash(secret) if secret else None
        rows = await connection.fetch(sql.revoke, account, client, id_, hashed, person, family, but)
        for row in rows:
            self._forget(row["secret"].hex())
        told = [row["secret"].hex() for row in rows] if len(rows) < 100 else ["*"]
        for text in told:
            await connection.execute(sql.told, text)
        return [row["id"] for row in rows]

    async def of_account(self, account: str) -> list[EntryRow]:
        """Where an account is logged in, and its apps; the one used last comes first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql.of_account, account, clock.now())
        told: list[dict[str, Any]] = [dict(row) | {"actor": _decode(row["actor"])} for row in rows]
        return [EntryRow(**one) for one in told]

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Hear of revocations, and remember only while that is so."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            self._deafen()
            await asyncio.wait({task}, timeout=2)

    async def _listen(self) -> None:
        while True:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen_once()
            self._deafen()
            await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        connection: Connection = await asyncpg.connect(self._database.dsn)
        ended = asyncio.Event()

        def lost(_: object) -> None:
            self._deafen()
            ended.set()

        connection.add_termination_listener(lost)
        try:
            await connection.add_listener(_CHANNEL, lambda *told: self._forget(str(told[-1])))
            self._hearing = True
            self.houses.hear()
            await ended.wait()
        finally:
            connection.terminate()

    def _deafen(self) -> None:
        self._hearing = False
        self._known.clear()
        self.houses.deafen()

    def _forget(self, told: str) -> None:
        if told == CHANGED:
            self.houses.forget()
            return
        self._revocations += 1
        if told == "*":
            self._known.clear()
        else:
            self._known.pop(bytes.fromhex(told), None)

    def _note(self, hashed: bytes, known: _Known, now: float) -> None:
        """Write down, beside the request, that the entry was used."""
        if known.idle and now - known.seen > known.idle / _LATE:
            known.seen = now
            task = asyncio.create_task(self._seen([hashed], clock.now()))
            self._noting.add(task)
            task.add_done_callback(self._noting.discard)

    async def _seen(self, hashed: Sequence[bytes], now: datetime) -> None:
        with suppress(Exception):  # The next use writes it again.
            async with self._database.connection() as connection:
                await connection.execute(sql.seen, hashed, now)


def _actor(kept: str) -> Actor:
    """As it was kept, with the purpose of use that its role acts for."""
    found = _decode(kept)
    return replace(found, purpose=policy.purpose(found.role, found.purpose))


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


@jobs.every("access.trim_entries", seconds=600)
async def trim(services: Any, _payload: dict[str, Any]) -> None:
    """Forget entries that have ended."""
    async with services.database.connection() as connection:
        await connection.execute(sql.trim, clock.now())
