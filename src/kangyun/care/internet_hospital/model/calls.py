"""The nouns of a call: which consultation it belongs to, who sits in it, and what a browser is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
"""The code system of what a participant of an Encounter does there."""
PURPOSE = "call-recording"
"""What recordings and names of this room are sealed for."""


@dataclass(frozen=True, slots=True)
class Call:
    """The call of a consultation. `resident` is the key of the Patient; doctors and guests are ids of Practitioners.

    is_open: the consultation waits for its doctor or goes on; begun: its doctor has begun it.
    """

    encounter: str
    patient: str
    resident: int
    institution: str
    doctors: tuple[str, ...]
    guests: tuple[tuple[str, str], ...]
    is_open: bool
    begun: bool


@dataclass(frozen=True, slots=True)
class Seat:
    """Whose place in a call: `who` is account/<id> or invitation/<id>, kind doctor, resident or guest.

    role: of a guest specialist, interpreter or family; of others their kind.
    """

    who: str
    kind: str
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class Peer:
    """A browser in a call; `here` says whether it was heard of lately, `level` what it sends: video, low, audio, text.

    silent: its connection to us broke, and it has not come back yet.
    """

    peer: str
    who: str
    kind: str
    role: str
    name: str
    run: str
    level: str
    why: str
    agreed: bool
    silent: bool
    here: bool


@dataclass(frozen=True, slots=True)
class Place:
    """What a connection of a browser holds: the peer's name, and the name of the connection itself."""

    peer: str
    line: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password for TURN, and when they end (seconds since 1970)."""

    user: str
    password: str
    ends: int


@dataclass(frozen=True, slots=True)
class Sample:
    """How the way out of a browser was in the last seconds: lost 0 to 1, kbps that fit through, ms there and back; None: unknown."""

    lost: float | None
    kbps: float | None
    ms: float | None


@dataclass(frozen=True, slots=True)
class Invited:
    """A third party's invitation by link."""

    id: str
    resident: int
    encounter: str
    patient: str
    role: str
    name: str
    made: datetime
    expires: datetime
    opened: bool
    ended: datetime | None
