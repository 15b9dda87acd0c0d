"""What follows when a Patient changes: one that came over FHIR or by import is placed under its Person too."""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base.reactions import Change, Reaction
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.commons.population.actions import forget, place
from kangyun.commons.population.decisions.traits import source_of
from kangyun.commons.population.model import Arrival
from kangyun.commons.population.queries import members


async def on_patient(handle: Handle, change: Change) -> None:
    """Place the Patient as it is now, unless its intake has done so already; forget one that was deleted."""
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


def reactions() -> list[Reaction]:
    """The reactions of this room."""
    return [Reaction("population.place", listens={"Patient"}, writes={"Person"}, act=on_patient)]
