"""Nouns of the population: identifier systems, and who a message is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Resident identity number (公民身份号码, GB 11643) in the national directory of object identifiers.
ID_NUMBER_SYSTEM = "urn:oid:2.16.156.10011.1.3"


class Ambiguous(Exception):  # noqa: N818 - it is an expected outcome, not an error of the program
    """Identifiers of one message belong to different residents; holds no patient data."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a set of identifiers belongs to.

    `current` is the resident's Patient as the record holds it, or None when the resident is new. `replaced` are other
    Patients that turn out to be the same person.
    """

    id: str | None
    current: dict[str, Any] | None
    replaced: tuple[dict[str, Any], ...] = field(default=())
