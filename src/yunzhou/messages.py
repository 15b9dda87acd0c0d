"""A message on its way to the platform, and the facts of the truth that it carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

Fact = dict[str, object]


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `id` is the control id (HL7) or the bundle's own name; `body` the bytes as they travel.

    `expected` is stored, or refused for messages that are wrong on purpose, with the `reason`; either for rows of spreadsheets
    that leave it open whom they mean. A message may not be sent before the earlier messages of its `household` were answered.
    `results` makes the facts of its results when they are wanted.
    """

    id: str
    institution: int
    transport: str
    at: datetime
    household: int
    body: bytes
    kind: str
    expected: str = "stored"
    reason: str = ""
    facts: list[Fact] = field(default_factory=list)
    results: Callable[[], list[Fact]] | None = None

    def every_fact(self) -> list[Fact]:
        """Return all facts that the message carries, those of its results included."""
        return [*self.facts, *(self.results() if self.results else [])]

    def fact(self) -> Fact:
        """Return the fact of the message itself."""
        return {
            "fact": "message", "id": self.id, "institution": self.institution, "transport": self.transport,
            "kind": self.kind, "at": self.at.isoformat(), "expected": self.expected, "reason": self.reason,
        }  # fmt: skip
