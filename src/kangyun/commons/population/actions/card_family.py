"""Writes: who may show the card of another, on what proof, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.population.actions.cards import Cards
from kangyun.commons.population.decisions import card as deciding
from kangyun.commons.population.queries import card as reading
from kangyun.commons.population.queries.card import sql
from kangyun.commons.population.queries.persons import identities

_PROOF_KEY = "guardian-proof"
PROOFS = ("birth-certificate", "household-register", "marriage-certificate", "court-decision", "power-of-attorney")


@dataclass(frozen=True, slots=True)
class Right:
    """Why somebody may show another's card, and how long: `proof` is one of PROOFS, `number` that of the document, `since` now if not told."""

    relation: str
    proof: str
    number: str
    until: datetime
    since: datetime | None = None


async def guard(cards: Cards, ward: str, guardian: str, right: Right) -> None:
    """Let a person show the card of another until a date; both are told by any of their Patients.

    Raises Problem 422 for one's own card, a relation or proof that is not listed, or a date that has passed.
    """
    if right.proof not in PROOFS or not right.number.strip() or right.relation not in deciding.relations():
        raise refuse(422, "required", "population.card-proof")
    if right.until <= clock.now():
        raise refuse(422, "value", "population.card-until")
    if ward in await identities(cards.handle, guardian):
        raise refuse(422, "business-rule", "population.card-own")
    (resident,) = reading.keys([ward])
    sealed = cards.keys.seal(_PROOF_KEY, right.number.strip().encode(), ward.encode())
    async with cards.handle.connection() as connection:
        await connection.execute(
            sql.guard, resident, ward, guardian, right.relation, right.proof, sealed, right.since or clock.now(), right.until,
            cards.handle.actor.name,
        )


async def release(cards: Cards, ward: str, guardian: str) -> None:
    """End what `guard` allowed."""
    wards, guardians = await identities(cards.handle, ward), await identities(cards.handle, guardian)
    async with cards.handle.connection() as connection:
        await connection.execute(sql.end_guard, reading.keys(wards), wards, guardians, clock.now())
