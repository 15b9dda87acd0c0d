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
    await on_patients(handle, [change])


async def on_patients(handle: Handle, changes: Sequence[Change]) -> None:
    """Place some Patients as they are now, in one commit."""
    late = [one for one in changes if one.deleted or not was_placed(one.id, one.version)]
    async with handle.connection() as connection:
        placed = await members(connection, {one.id for one in late})
    todo = sorted({one.id for one in late if one.deleted or one.id not in placed or placed[one.id].version < one.version})
    if not todo:
        return

    async def beside(transaction: Transaction) -> Sequence[Write]:
        stored = await transaction.fetch_all([("Patient", one) for one in todo])
        there = [found for one in todo if (found := stored.get(("Patient", one))) and not found.deleted]
        gone = set(todo) - {one.id for one in there}
        writes = [write for one in sorted(gone) for write in await forget(transaction, one)]
        arrivals = [Arrival(one.resource, source_of(one.resource), one.version, exclusive=False) for one in there]
        return writes + (await place(transaction, arrivals) if arrivals else [])

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
        Reaction("population.place", listens={"Patient"}, writes={"Person"}, act=on_patient, together=on_patients),
        Reaction("population.card_number", listens={"Person"}, writes=set[str](), act=on_person),
    ]
