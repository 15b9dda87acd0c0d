"""Nouns of the population: identifier systems, who a message is about, and which Patients are one person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Resident identity number (公民身份号码, GB 11643) in the national directory of object identifiers.
ID_NUMBER_SYSTEM = "urn:oid:2.16.156.10011.1.3"


class Ambiguous(Exception):  # noqa: N818 - it is an expected outcome, not an error of the program
    """What a message says of one resident belongs to different ones; holds no patient data.

    `why`: two-residents (its numbers are those of two), another-number (the resident has another ID number),
    another-person (the number is that of somebody with another name and birth date).
    """

    def __init__(self, why: str = "two-residents") -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a set of identifiers belongs to.

    `current` is the resident's Patient as the record holds it, or None when the resident is new. `replaced` are other
    Patients that turn out to be the same person.
    """

    id: str | None
    current: dict[str, Any] | None
    replaced: tuple[dict[str, Any], ...] = field(default=())


# The source of a Patient that names none: somebody wrote it over the FHIR API.
FHIR_SOURCE = "fhir"

# What stands before a sender's name in meta.source.
SENDER_SOURCE = "urn:kangyun:sender:"

# Assurance of a Person's link to a Patient, as FHIR numbers its levels.
ALIKE, BY_NUMBER, DECIDED = 2, 3, 4


@dataclass(frozen=True, slots=True)
class Arrival:
    """A Patient that is about to be written, or has been: the resource with its id, and the source whose it is.

    `version` is the one that it has or will have. `exclusive`: its source has no other Patient with its identifiers.
    """

    patient: dict[str, Any]
    source: str
    version: int
    exclusive: bool = True

    @property
    def id(self) -> str:
        """The id of the Patient."""
        return str(self.patient["id"])


@dataclass(frozen=True, slots=True)
class Member:
    """One Patient as the identity table knows it: enough to find and score it, without its names."""

    patient: str
    person: str
    source: str
    assurance: int
    version: int
    traits: Traits


@dataclass(frozen=True, slots=True)
class Traits:
    """What is compared: keys of all telling identifiers, and `ids`, valid resident ID numbers, one at a time for a person."""

    numbers: frozenset[int]
    ids: tuple[str, ...]
    features: Any


class Newcomer(NamedTuple):
    """What is known of a Patient whom nobody has placed; `person` is the one that it would get by itself.

    `ids` are its valid ID numbers with spaces between them; for `locks` those wait for each other who bring many at once.
    """

    resident: int
    patient: str
    person: str
    version: int
    source: str
    ids: str
    numbers: list[int]
    locks: list[int]
    features: str
    keys: list[int]

    @property
    def assurance(self) -> int:
        """How sure its link is."""
        return BY_NUMBER if self.ids else ALIKE


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pair of Patients that a human should judge; the evidence (of decisions.matching) holds codes and bits, no values."""

    patient: str
    other: str
    evidence: Any


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a Patient belongs: the Person (None: a new one), the Persons that thereby are one with it, and doubts."""

    person: str | None
    assurance: int
    joined: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()
