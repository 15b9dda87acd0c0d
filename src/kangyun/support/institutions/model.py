"""The nouns of institutions: what one asks for, an institution, and a step of moving in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The organisation number of a document of WS/T 500 (representedOrganization), of which the unified social credit code took the place.
CODE_SYSTEM = "urn:oid:2.16.156.10011.1.5"
KIND_SYSTEM = "urn:kangyun:institution-kind"
SENDER_SYSTEM = "urn:kangyun:sender"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of institution; `coded`: it has a credit code of its own; `roles`: whom its administrator invites."""

    kind: str
    titles: Mapping[str, str]
    type: str
    coded: bool
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution as its Organization tells it; `parent` is the id of the one that it is part of, or empty.

    `id` is empty before it is added. `sender`: the name by which its system sends messages, or empty. `identifier`: the
    number by which its own systems name it in FHIR, as `system|value`, or empty.
    """

    name: str
    kind: str
    code: str = ""
    id: str = ""
    parent: str = ""
    english: str = ""
    address: str = ""
    phone: str = ""
    sender: str = ""
    identifier: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """A step of moving in; `key` is part of its text keys. Whoever needs it not may leave out an `optional` one."""

    key: str
    done: bool
    href: str
    optional: bool = False
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
