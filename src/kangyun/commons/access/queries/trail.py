"""Looking into the audit trail: events by resident, person, institution, action, time and outcome, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import orjson

from kangyun.base.database import Connection, queries
from kangyun.base.keys import KeyStore, Unopenable
from kangyun.commons.access.decisions.trail import AT, BODY, LANE, RESIDENTS, SEALED, SEQ
from kangyun.commons.access.decisions.visitors import Glass
from kangyun.commons.access.model import Event
from kangyun.commons.records import key_of, type_code

sql = queries("kangyun.commons.access", "queries/trail.sql")

SEAL_KEY = "audit-trail"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_BODY = {one.name for one in fields(Event)} - {"at", "address", "query", "residents"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands in the order of time; as text it is what an address may hold."""

    at: datetime
    lane: int
    seq: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.lane}-{self.seq}"

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The place that a text names; None for anything else."""
        parts = text.split("-")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 18 for part in parts):
            return None
        at, lane, seq = map(int, parts)
        try:
            return cls(_EPOCH + timedelta(microseconds=at), lane, seq) if lane < 2**31 else None
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; None does not matter. residents: keys of Patients. before: the last event of the page before."""

    residents: Sequence[int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    name: str | None = None
    institutions: Sequence[str] | None = None
    actions: Sequence[str] | None = None
    outcomes: Sequence[str] | None = None
    account: str | None = None
    type: str | None = None
    resource: str | None = None
    role: str | None = None
    purpose: str | None = None
    of_people: bool = False
    before: Place | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as it stands in the trail."""

    lane: int
    seq: int
    event: Event

    @property
    def id(self) -> str:
        """Its name in addresses and as a resource."""
        return f"{self.lane}-{self.seq}"

    @property
    def place(self) -> Place:
        """Where it stands in the order of time."""
        return Place(self.event.at, self.lane, self.seq)


async def events(connection: Connection, keys: KeyStore, wanted: Wanted, most: int) -> list[Seen]:
    """At most so many events, newest first."""
    before = wanted.before
    rows = await connection.fetch(
        sql.events, wanted.residents, wanted.since, wanted.until, wanted.name, wanted.institutions, wanted.actions, wanted.outcomes,
        wanted.account, wanted.type, wanted.resource, wanted.role, wanted.purpose, wanted.of_people,
        before and before.at, before and before.lane, before and before.seq, most)
    return [seen(keys, row) for row in rows]


async def event(connection: Connection, keys: KeyStore, id_: str) -> Seen | None:
    """The event of an id; None when there is none, or it has moved to the archive."""
    lane, _, seq = id_.partition("-")
    if not (lane.isascii() and lane.isdigit() and seq.isascii() and seq.isdigit()) or len(lane) > 9 or len(seq) > 18:
        return None
    row = await connection.fetchrow(sql.event, int(lane), int(seq))
    return None if row is None or f"{row['lane']}-{row['seq']}" != id_ else seen(keys, row)


def seen(keys: KeyStore, row: Any) -> Seen:
    """A row as an event, with address and query opened; what cannot be opened is left out."""
    body: dict[str, Any] = orjson.loads(row[BODY])
    address, query = _opened(keys, row[SEALED])
    known = {name: value for name, value in body.items() if name in _OF_BODY}
    return Seen(row[LANE], row[SEQ], Event(row[AT], **known, residents=list(row[RESIDENTS]), address=address, query=query))


def _opened(keys: KeyStore, sealed: bytes | None) -> tuple[str, str]:
    try:
        return tuple(orjson.loads(keys.open(SEAL_KEY, sealed))) if sealed else ("", "")
    except (Unopenable, ValueError):
        return "", ""


async def patients(connection: Connection, keys_of: Sequence[int]) -> dict[int, str]:
    """The ids of Patients by their keys."""
    rows = await connection.fetch(sql.patients, list(keys_of), type_code("Patient"))
    return {row["key"]: row["id"] for row in rows}


def patient_key(id_: str) -> int:
    """The key by which the trail names a Patient."""
    return key_of("Patient", id_)


async def glasses(connection: Connection, residents: Sequence[int]) -> list[Glass]:
    """The break-glasses that opened one of these Patients."""
    return [Glass(*row) for row in await connection.fetch(sql.glasses, list(residents))]
