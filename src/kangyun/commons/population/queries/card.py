"""Reads of cards: whose they are, what was done with them, whose cards somebody may show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.commons.access import Handle, escaped, key_of
from kangyun.commons.population.decisions.card import Terms
from kangyun.commons.population.queries.persons import identities, person_of, persons_of

sql = queries("kangyun.commons.population", "queries/card.sql")

_MOST = 200
# More letters or digits has nobody's name or number.
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it stands: `patient` is the Patient it hangs on, `number` and `index_id` are the current ones."""

    resident: int
    patient: str
    kind: str
    state: str
    issue: int
    issued: datetime
    changed: datetime
    deadline: datetime | None
    joined: str | None
    has_pin: bool
    pin_locked: datetime | None
    number: str
    index_id: str

    @property
    def temporary(self) -> bool:
        """Whether it has a deadline."""
        return self.kind != "formal"

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and self.deadline <= clock.now()


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a card."""

    id: int
    moment: datetime
    way: str
    step: str
    terminal: str
    channel: str
    actor: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something done to a card, or a reading that was refused."""

    moment: datetime
    event: str
    actor: str
    terminal: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """A number whose signed codes are no longer good: all of them, or those of issues before `issue` while it is active."""

    number: str
    state: str
    issue: int
    changed: datetime


@dataclass(frozen=True, slots=True)
class Ward:
    """Somebody whose card another may show."""

    resident: int
    ward: str
    relation: str
    proof: str
    since: datetime
    until: datetime


async def cards_of(handle: Handle, patient_id: str) -> list[Card]:
    """All cards of the person, formal ones first; `patient_id` is any of the person's Patients."""
    ids = await identities(handle, patient_id)
    async with handle.connection() as connection:
        return await cards_on(connection, ids)


async def cards_on(connection: Connection, patients: Sequence[str]) -> list[Card]:
    """The cards that hang on any of these Patients."""
    rows = await connection.fetch(sql.cards, keys(patients), list(patients))
    return [Card(**row) for row in rows]


async def by_number(connection: Connection, number: str) -> Card | None:
    """The card that has, or once had, a number."""
    row = await connection.fetchrow(sql.by_number, number)
    return Card(**row) if row else None


async def numbers(connection: Connection, card: Card) -> list[dict[str, Any]]:
    """All numbers and indexes the card ever had, newest first: number, index_id, made, current."""
    return [dict(row) for row in await connection.fetch(sql.numbers, card.resident, card.patient)]


async def uses(handle: Handle, cards: Sequence[Card], limit: int = _MOST) -> list[Use]:
    """What the cards were used for, newest first."""
    async with handle.connection() as connection:
        rows = await connection.fetch(sql.uses, [one.resident for one in cards], [one.patient for one in cards], limit)
    return [Use(**row) for row in rows]


async def use_of(handle: Handle, card: Card, mark: str) -> Use | None:
    """The use that a code was good for."""
    async with handle.connection() as connection:
        row = await connection.fetchrow(sql.use_of, card.resident, card.patient, mark)
    return Use(**row) if row else None


async def events(handle: Handle, cards: Sequence[Card], limit: int = _MOST) -> list[Event]:
    """What was done to the cards and which readings were refused, newest first."""
    async with handle.connection() as connection:
        rows = await connection.fetch(sql.events, [one.resident for one in cards], [one.patient for one in cards], limit)
    return [Event(**row) for row in rows]


async def revoked(handle: Handle, terms: Terms) -> list[Revoked]:
    """What a terminal without a network must refuse; older changes concern no code that is still good."""
    since = clock.now() - timedelta(hours=terms.signed_hours)
    async with handle.connection() as connection:
        return [Revoked(**row) for row in await connection.fetch(sql.revoked, since)]


async def wards_of(handle: Handle, patient_id: str) -> list[Ward]:
    """Those whose cards the person may show today."""
    ids = await identities(handle, patient_id)
    async with handle.connection() as connection:
        return [Ward(**row) for row in await connection.fetch(sql.wards, ids, clock.now())]


async def may_show(handle: Handle, guardian: str, ward: str) -> bool:
    """Whether a person may show the card of another today; everybody may show their own."""
    ids = set(await identities(handle, ward))
    if guardian in ids:
        return True
    return any(one.ward in ids for one in await wards_of(handle, guardian))


async def find_people(handle: Handle, text: str, limit: int = 20) -> list[dict[str, Any]]:
    """Patients by the beginning of a name or by a whole document, card or telephone number, each person once."""
    wanted = text.strip()[:_LONGEST]
    if not wanted:
        return []
    parameter = "identifier" if any(sign.isdigit() for sign in wanted) else "name"
    page = await handle.search("Patient", [(parameter, escaped(wanted.upper() if parameter == "identifier" else wanted)), ("_count", str(limit * 2))])
    found = list(page.resources)
    if parameter == "identifier":
        found += (await handle.search("Patient", [("phone", escaped(wanted)), ("_count", str(limit))])).resources
    persons = await persons_of(handle, [str(one["id"]) for one in found])
    each = {str(persons.get(str(one["id"]), one)["id"]): one for one in reversed(found)}
    return list(reversed(each.values()))[:limit]


async def person_or_patient(handle: Handle, patient_id: str) -> dict[str, Any] | None:
    """The golden record of a Patient, or the Patient itself while it was not placed; both are read the same way."""
    return await person_of(handle, patient_id) or await handle.read("Patient", patient_id)


def keys(patients: Iterable[str]) -> list[int]:
    """The keys of the records that Patients open."""
    return [key_of("Patient", one) for one in patients]
