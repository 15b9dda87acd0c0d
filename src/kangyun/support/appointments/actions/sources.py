"""Where a booking came from, told so that two can be compared and neither can be found out."""

from __future__ import annotations

from typing import Protocol

from kangyun.base.keys import KeyStore
from kangyun.commons.access import Handle

_KEY = "appointments-source"


class Parts(Protocol):
    """The opened parts of one process."""

    @property
    def keys(self) -> KeyStore:
        """The installation's keys."""
        ...


def source_of(parts: Parts, handle: Handle) -> str:
    """A keyed hash of the caller's network address; empty when nothing is known of it."""
    address = handle.actor.address
    return parts.keys.mac(_KEY, address.encode()).hex()[:24] if address else ""
