"""What the actions of this room are given of the process."""

from __future__ import annotations

from typing import Protocol

from kangyun.base.database import Database
from kangyun.commons.access import Gate, Handle
from kangyun.support.insurance.gateways.insurer import Insurer

USE = "insurance.use"
SETTLE = "insurance.settle"
SYSTEM = "system"


class Parts(Protocol):
    """The opened parts of one process."""

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...

    @property
    def database(self) -> Database:
        """The database."""
        ...

    @property
    def insurer(self) -> Insurer:
        """The way to the insurer."""
        ...


def working(handle: Handle, work: str, permission: str = USE) -> Handle:
    """The platform's own handle for work that a caller has started; one that is the platform's already stays."""
    return handle if handle.actor.role == SYSTEM else handle.acting(permission, work, writes="Claim")
