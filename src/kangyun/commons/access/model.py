"""The nouns of the gate: who asks, and what a search gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: `role` decides what is allowed; `name` is an identifier for logs, never a person's name."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Page:
    """Found resources as plain data; `next` is the query string of the following page."""

    resources: list[dict[str, Any]]
    included: list[dict[str, Any]]
    total: int | None
    next: str | None


def escaped(text: str) -> str:
    """A text as a part of a search value, whatever signs it holds (FHIR R4, Escaping Search Parameters)."""
    for sign in ("\\", "|", ",", "$"):
        text = text.replace(sign, f"\\{sign}")
    return text
