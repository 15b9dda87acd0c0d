"""The table of raw messages as the intake writes it: what arrives or ends together shares a statement.

A message costs one row inserted and one row updated. Neither waits for the disk by itself where the commit of the
records, which comes between or after, flushes the same log: see docs/decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.database.together import Together
from kangyun.base.keys import KeyStore
from kangyun.commons.exchange.actions import sealing
from kangyun.commons.exchange.model import Facts, Origin, Outcome, RawMessage
from kangyun.commons.exchange.queries.messages import sql, write_reason

# A live message is left to its own handler this long before the sweep may take it.
PATIENCE = timedelta(seconds=60)
_PAUSES = (5, 15, 60, 300, 900, 3600)
_MOST_TRIES = 40


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it stands at the door; `control` is its control id, or made of its content where it has none."""

    sender: str
    sender_key: int
    control: str
    digest: bytes
    form: str
    kind: str
    body: bytes
    received: datetime
    origin: Origin


@dataclass(frozen=True, slots=True)
class Known:
    """What is known under a message's control id; `fresh` when this message made it."""

    id: int
    fresh: bool
    same: bool
    state: str
    patient: str | None


class Keeper:
    """Keeps and settles messages for one process."""

    def __init__(self, database: Database, keys: KeyStore) -> None:
        self._database = database
        self.keys = keys
        self._keeping: Together[Arrived, Known | None] = Together(self._keep)
        self._settling: Together[tuple[Any, ...], None] = Together(self._settle)

    async def keep(self, arrived: Arrived) -> Known:
        """Keep a message, or tell what is known under its control id."""
        # Nothing comes back while a twin's row is not yet visible to us.
        while (known := await self._keeping.ask(arrived)) is None:
            pass
        return known

    async def note(self, raw: RawMessage, outcome: Outcome) -> None:
        """Note what became of a message: its result, or when it is tried again."""
        await self._settling.ask(_row(raw, outcome, clock.now()))

    async def _keep(self, group: Sequence[Arrived]) -> list[Known | None]:
        firsts: dict[tuple[int, str], int] = {}
        for place, one in enumerate(group):
            firsts.setdefault((one.sender_key, one.control), place)
        places = list(firsts.values())
        columns = zip(*(self._columns(group[place]) for place in places), strict=True)
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql.keep, *(list(column) for column in columns))
        found: list[Known | None] = [None] * len(group)
        for row in rows:
            place = places[row["place"] - 1]
            found[place] = _known(row, group[place])
        return found

    def _columns(self, one: Arrived) -> tuple[Any, ...]:
        how, wrapped = sealing.sealed(self.keys, one.body, one.digest)
        return (
            one.sender_key, one.sender, one.control, one.digest, one.form, one.kind, how, wrapped, len(one.body),
            one.received, one.received + PATIENCE, one.origin.channel, one.origin.address,
        )

    async def _settle(self, group: Sequence[tuple[Any, ...]]) -> list[None]:
        # Two results of one message in one statement: PostgreSQL would take either; the later one counts.
        last = {row[:2]: row for row in group}
        columns = [list(column) for column in zip(*last.values(), strict=True)]
        durable = any(row[2] != "stored" for row in group)
        async with self._database.connection() as connection:
            await connection.execute(sql.settle, *columns, durable)
        return [None] * len(group)


def _known(row: Any, asked: Arrived) -> Known:
    digest = asked.digest if row["sealed"] else sealing.plain_hash(asked.body)
    return Known(row["id"], row["fresh"], bytes(row["content_hash"]) == digest, row["state"], row["patient"])


def _row(raw: RawMessage, outcome: Outcome, now: datetime) -> tuple[Any, ...]:
    state: str = outcome.state
    due = None
    if state == "received":
        due = now + timedelta(seconds=_PAUSES[min(raw.tries, len(_PAUSES)) - 1])
        if raw.tries >= _MOST_TRIES:
            state, due = "quarantined", None
    occurred, asked, filled, codes, coded, entries = measured(outcome.facts)
    return (
        raw.sender_key, raw.id, state, now, write_reason(outcome.reason), outcome.patient, outcome.kind or raw.kind,
        due, occurred, asked, filled, codes, coded, outcome.facts.matching, entries,
    )


class StoredBefore(Exception):  # noqa: N818 - an expected outcome: the message is in the record, thanks to somebody else
    """Another handler of the same message was quicker; `patient` is what it found."""

    def __init__(self, patient: str | None) -> None:
        super().__init__()
        self.patient = patient


async def store(connection: Connection, raw: RawMessage, outcome: Outcome) -> None:
    """Note that a message is stored, in the transaction that stores it. Raises StoredBefore, which takes it all back."""
    if await connection.fetchval(sql.store, *_stored(raw, outcome)) is None:
        before = await connection.fetchrow(sql.stored, raw.sender_key, raw.id)
        if before is not None:
            raise StoredBefore(before["patient"])


async def store_all(connection: Connection, results: Sequence[tuple[RawMessage, Outcome]]) -> None:
    """As `store`, for messages that are stored together. Raises StoredBefore without saying which of them it was."""
    rows = [_stored(raw, outcome) for raw, outcome in results]
    if await connection.fetchval(sql.store_all, *(list(column) for column in zip(*rows, strict=True))) < len(rows):
        raise StoredBefore(None)


def _stored(raw: RawMessage, outcome: Outcome) -> tuple[Any, ...]:
    occurred, *counts, entries = measured(outcome.facts)
    return (raw.sender_key, raw.id, clock.now(), outcome.patient, outcome.kind or raw.kind, occurred, *counts, outcome.facts.matching, entries)


def measured(facts: Facts) -> tuple[datetime | None, int, int, int, int, int]:
    """Facts as columns: occurred, asked, filled, codes, coded, entries."""
    return _moment(facts), facts.asked, facts.filled, facts.codes, facts.coded, facts.entries


def _moment(facts: Facts) -> datetime | None:
    try:
        found = datetime.fromisoformat(facts.occurred)
    except ValueError:
        return None
    return found if found.tzinfo else None


_keepers: WeakKeyDictionary[Database, Keeper] = WeakKeyDictionary()


def keeper_of(database: Database, keys: KeyStore) -> Keeper:
    """The one keeper of this process for a database, so that messages of all doors share statements."""
    found = _keepers.get(database)
    if found is None or found.keys is not keys:
        found = _keepers[database] = Keeper(database, keys)
    return found
