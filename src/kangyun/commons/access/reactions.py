"""What follows when a Consent changes by a way that passes no handle, such as an import: its rows are written then."""

from __future__ import annotations

from kangyun.base.reactions import Change, Reaction
from kangyun.commons.access.actions import consents
from kangyun.commons.access.actions.gate import Handle


async def on_consent(handle: Handle, change: Change) -> None:
    """Write the rows of the Consent as it is now; after a write through a handle they are the same already."""
    async with handle.connection() as connection, connection.transaction():
        await consents.refresh(connection, [change.id])


def reactions() -> list[Reaction]:
    """The reactions of this room."""
    return [Reaction("access.consent", listens={"Consent"}, writes=set[str](), act=on_consent)]
