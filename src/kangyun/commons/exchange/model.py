"""Nouns of the exchange: senders, raw messages and their states, faults, acknowledgements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

State = Literal["received", "stored", "quarantined", "duplicate", "dismissed"]
Acknowledgement = Literal["AA", "AE", "AR"]

STATES: tuple[State, ...] = ("received", "stored", "quarantined", "duplicate", "dismissed")

# What a message may tell, in the order of the bits of Facts.asked and Facts.filled; new ones go to the end.
MEASURED = (
    "name", "sex", "born", "id_number", "phone", "address", "contact", "diagnosis", "unit", "range", "doctor", "time",
    "agrees", "order",
)

RAW_SYSTEM = "urn:kangyun:raw-message"
SENDER_SYSTEM = "urn:kangyun:sender"


class Fault(Exception):  # noqa: N818 - it is an expected outcome of reading a message, not an error of the program
    """Why a message cannot be stored; it holds no patient data.

    `key` is a message of locale/errors.yaml, `place` the segment and field as `PID-7` or `PID-7.1`, `code` of HL7
    table 0357, `occurrence` which segment of that name it was. `unreadable` faults are answered AR, others AE.
    """

    def __init__(
        self,
        key: str,
        place: str = "",
        params: dict[str, str] | None = None,
        *,
        code: str = "207",
        unreadable: bool = False,
        occurrence: int = 1,
    ) -> None:
        super().__init__(f"{key} {place}")
        self.key = key
        self.place = place
        self.params = params or {}
        self.code = code
        self.unreadable = unreadable
        self.occurrence = occurrence


@dataclass(frozen=True, slots=True)
class Reason:
    """A Fault as it is kept with the message."""

    key: str
    place: str = ""
    params: dict[str, str] = field(default_factory=dict[str, str])
    code: str = "207"
    occurrence: int = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What an acknowledgement needs of a message, readable even where the rest is not."""

    application: str = ""
    facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    kind: str = ""
    event: str = ""
    control_id: str = ""
    processing: str = "P"
    version: str = "2.5.1"
    accept_mode: str = ""
    application_mode: str = ""
    country: str = ""
    charset: str = ""
    language: str = ""

    @property
    def sender(self) -> str:
        """The name by which a sender is known: facility, or the application where no facility is given."""
        return (self.facility or self.application or "unknown")[:80]


Matching = Literal["", "link", "review", "new"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the statistics need of one message: no values, only whether they were there.

    `occurred` is when its event happened (FHIR dateTime); bit n of `asked` says that MEASURED[n] belongs into this
    message, bit n of `filled` that it is there; `codes` of which `coded` are in a national or international system;
    `matching` is how its resident was found; `entries` how many resources it became.
    """

    occurred: str = ""
    asked: int = 0
    filled: int = 0
    codes: int = 0
    coded: int = 0
    matching: Matching = ""
    entries: int = 0


NOTHING = Facts()


@dataclass(frozen=True, slots=True)
class Origin:
    """How a message came: the channel (mllp, http, folder, fhir) and the address or folder at its other end.

    `certificate` is the SHA-256, in hexadecimal digits, and `subject` the name (RFC 4514) of what the other end has shown
    in a mutual TLS handshake.
    """

    channel: str = ""
    address: str = ""
    certificate: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message; `noted` when the table of messages says so already."""

    state: State
    acknowledgement: Acknowledgement
    reason: Reason | None = None
    message_id: int | None = None
    patient: str | None = None
    kind: str = ""
    retry: bool = False
    facts: Facts = NOTHING
    noted: bool = False


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as it was received."""

    id: int
    sender: str
    sender_key: int
    control_id: str
    kind: str
    form: str
    body: bytes
    received: datetime
    state: State
    tries: int
