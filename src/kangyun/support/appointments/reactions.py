"""What follows in appointments when the record changes: institutions whose own systems keep their numbers are in the pool too."""

from __future__ import annotations

from kangyun.base.reactions import Change, Reaction
from kangyun.commons.access import Handle
from kangyun.support.appointments.actions import sweeping
from kangyun.support.appointments.actions.mirroring import mirror_schedule, mirror_slot

# The worker imports this door; with it come the jobs that run by the clock.
JOBS = (sweeping.ahead, sweeping.sweep)


async def on_schedule(handle: Handle, change: Change) -> None:
    """A Schedule that a hospital's own system wrote is offered in the pool."""
    await mirror_schedule(handle, change.id)


async def on_slot(handle: Handle, change: Change) -> None:
    """A Slot that a hospital's own system wrote is a number of the pool."""
    await mirror_slot(handle, change.id)


def reactions() -> list[Reaction]:
    """What this room listens to; it writes its own tables only."""
    return [
        Reaction("appointments.schedule", listens={"Schedule"}, writes=set(), act=on_schedule),
        Reaction("appointments.slot", listens={"Slot"}, writes=set(), act=on_slot),
    ]
