"""What follows when the record changes: receivers are told, and documents go up to the province."""

from __future__ import annotations

from kangyun.base.reactions import Change, Reaction
from kangyun.commons.access import Handle
from kangyun.commons.exchange.actions import notices, outbound, upload
from kangyun.commons.exchange.decisions.cda.uploads import listened
from kangyun.commons.exchange.decisions.outbound import receivers, resource_of


async def tell(handle: Handle, change: Change) -> None:
    """Put the change down for those who have asked for it."""
    await outbound.put(handle, change)


async def renew(handle: Handle, change: Change) -> None:
    """Put down the document that the change brings up to date at the province."""
    await upload.put(handle, change)


async def notify(handle: Handle, change: Change) -> None:
    """Put a notice of the change down for those who have subscribed to it."""
    await notices.put(handle, change)


def reactions() -> list[Reaction]:
    """The reactions of this room; where no receiver has asked to be told, nobody reads the feed for one."""
    notifying = Reaction("exchange.notify", listens=frozenset({"Person", "DocumentReference"}), writes=frozenset(), act=notify)
    types = {resource_of(name) for one in receivers().values() for name in one.messages}
    telling = [Reaction("exchange.tell", listens=types, writes=frozenset(), act=tell)] if types else []
    wanted = listened()
    uploading = [Reaction("exchange.upload", listens=wanted, writes=frozenset(), act=renew)] if wanted else []
    return [notifying, *telling, *uploading]
