"""Reactions: what follows when a record changes, delivered at least once and in order for each resident.

A room's `reactions.py` exports `reactions() -> list[Reaction]`:

    async def on_result(handle: Handle, change: Change) -> None: ...

    def reactions() -> list[Reaction]:
        return [Reaction("devices.alarm", listens={"Observation"}, writes={"Flag"}, act=on_result)]

`act` makes at most one commit for a change; the runner gives that commit a key, so a delivery that is repeated writes
nothing twice, and refuses types that the reaction did not declare.
"""

from kangyun.base.reactions.model import Change, Cursor, Feed, Reaction, endless_loop
from kangyun.base.reactions.runner import delivered_below, parked, resume, run_feed

__all__ = [
    "Change", "Cursor", "Feed", "Reaction", "delivered_below", "endless_loop", "parked", "resume", "run_feed",
]
