"""CDA R2 documents of the township hospitals, in the shape of the shared documents of WS/T 483 and WS/T 500."""

from __future__ import annotations

from collections.abc import Iterator

from yunzhou.cards import Card
from yunzhou.messages import Message
from yunzhou.visits import Allergen, Visit


def written(visit: Visit, card: Card, allergies: list[Allergen], known: list[tuple[str, str]]) -> Iterator[Message]:
    """Yield the documents of a visit."""
    yield from ()
