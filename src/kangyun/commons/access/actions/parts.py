"""What the actions of logging in need of the running platform, and how they write into the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.keys import KeyStore
from kangyun.base.settings import Settings
from kangyun.commons.access.actions.entries import Entries
from kangyun.commons.access.actions.gate import Gate
from kangyun.commons.access.gateways.sms import Sms
from kangyun.commons.access.model import Actor, Event


class Noting(Protocol):
    """The audit trail."""

    def note(self, event: Event) -> None:
        """Take an event."""
        ...

    async def settled(self) -> None:
        """Wait until all that was noted is kept."""
        ...


class Parts(Protocol):
    """The opened parts of one process (app.services.Services)."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def database(self) -> Database:
        """The database."""
        ...

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...

    @property
    def keys(self) -> KeyStore:
        """The keys."""
        ...

    @property
    def entries(self) -> Entries:
        """Sessions and tokens."""
        ...

    @property
    def trail(self) -> Noting:
        """The audit trail."""
        ...

    @property
    def sms(self) -> Sms:
        """The way to phones."""
        ...


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the door: the address, and the browser as its holder would name it."""

    address: str
    device: str = ""


def nobody(visitor: Visitor) -> Actor:
    """Who acts before a login has succeeded."""
    return Actor("anonymous", "anonymous", address=visitor.address)


def known(account: str, visitor: Visitor, role: str = "anonymous") -> Actor:
    """Who acts when an account is known and no session is there yet."""
    return Actor(f"user/{account}", role, account=account, address=visitor.address)


async def note(
    parts: Parts, actor: Actor, action: str, *, outcome: str = "ok", more: str = "", resources: Sequence[str] = (),
    residents: Sequence[int] = (),
) -> None:
    """Write an event of logging in into the audit trail; it is kept when this returns."""
    parts.trail.note(Event(
        clock.now(), actor.name, actor.role, action, institution=actor.institution, account=actor.account,
        session=actor.session, permission="access.login", resources=list(resources), residents=list(residents), purpose="login", outcome=outcome,
        address=actor.address, more=more,
    ))
    await parts.trail.settled()
