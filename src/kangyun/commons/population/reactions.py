"""What follows when a Patient changes: one that came over FHIR or by import is placed under its Person too."""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base import jobs
from kangyun.base.reactions import Change, Reaction
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.commons.population.actions import forget, place, was_placed
from kangyun.commons.population.decisions.traits import source_of
from kangyun.commons.population.model import Arrival
from kangyun.commons.population.queries import members, patients_of
from kangyun.commons.population.queries.card import cards_on


async def on_patient(handle: Handle, change: Change) -> None:
    """Place the Patient as it is now, unless its intake has done so already; forget one that was deleted."""
    if not change.deleted and was_placed(change.id, change.version):
        return
    async with handle.connection() as connection:
        placed = (await members(connection, [change.id])).get(change.id)
    if placed and placed.version >= change.version and not change.deleted:
        return

    async def beside(transaction: Transaction) -> Sequence[Write]:
        stored = await transaction.fetch("Patient", change.id)
        if stored is None or stored.deleted:
            return await forget(transaction, change.id)
        patient = stored.resource
        return await place(transaction, [Arrival(patient, source_of(patient), stored.version, exclusive=False)])

    await handle.commit([], beside=beside)


async def on_person(handle: Handle, change: Change) -> None:
    """A card's number is made of name and document: where they changed, a job, which has the keys, makes the new one."""
    if change.method.lower() == "create":
        return  # Nobody has a card before being somebody; an import brings a million of these.
    person = await handle.read("Person", change.id)
    async with handle.connection() as connection:
        cards = await cards_on(connection, patients_of(person)) if person else []
        if any(not one.temporary for one in cards):
            await jobs.enqueue(connection, "population.card_renew", {"person": change.id})


def reactions() -> list[Reaction]:
    """The reactions of this room."""
    return [
        Reaction("population.place", listens={"Patient"}, writes={"Person"}, act=on_patient),
        Reaction("population.card_number", listens={"Person"}, writes=set[str](), act=on_person),
    ]
