"""FHIR Subscriptions: who wants to be told of what, at which address. Only the fact is told; the receiver fetches by its own right.

FHIR R4: https://hl7.org/fhir/R4/subscription.html (rest-hook without payload).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

# What merges, links and their undoing change, and documents.
TYPES = frozenset({"Person", "Linkage", "DocumentReference"})
_OURS = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade", "cookie"}
_MOST_HEADERS = 10


class Unwanted(Exception):  # noqa: N818 - an expected outcome: the Subscription says what is not offered
    """A Subscription that cannot be served; `reason` is channel, payload, criteria or address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """One Subscription ready for use: what `criteria` asks for, and where to say that it happened."""

    id: str
    type: str
    query: tuple[tuple[str, str], ...]
    endpoint: str
    headers: Mapping[str, str]

    @property
    def key(self) -> str:
        """Under which name its notices wait."""
        return f"Subscription/{self.id}"


def wanted(resource: dict[str, Any]) -> Wanted:
    """What a Subscription asks for. Raises Unwanted."""
    channel = resource.get("channel", {})
    if channel.get("type") != "rest-hook" or not channel.get("endpoint"):
        raise Unwanted("channel")
    if channel.get("payload"):
        raise Unwanted("payload")
    type_, _, query = str(resource.get("criteria", "")).strip().partition("?")
    if type_ not in TYPES:
        raise Unwanted("criteria")
    pairs = tuple(parse_qsl(query, keep_blank_values=False))
    if type_ == "Linkage" and any(name not in {"item", "source"} for name, _ in pairs):
        raise Unwanted("criteria")
    return Wanted(str(resource["id"]), type_, pairs, str(channel["endpoint"]), _headers(channel.get("header", [])))


def _headers(lines: list[str]) -> dict[str, str]:
    parts = (line.partition(":") for line in lines[:_MOST_HEADERS] if "\n" not in line and "\r" not in line)
    return {name.strip(): value.strip() for name, mark, value in parts if mark and name.strip() and name.strip().lower() not in _OURS}


def links_changed(before: dict[str, Any] | None, after: dict[str, Any] | None) -> bool:
    """Whether a change of a Person linked, parted, merged or unmerged somebody; a first lone Patient does not."""
    old, new = _targets(before), _targets(after)
    return old != new and not (before is None and len(new) < 2)


def concerns(query: tuple[tuple[str, str], ...], person: str, *versions: dict[str, Any] | None) -> bool:
    """Whether a change of the links of a Person is about what a criteria of Linkage names."""
    about = {f"Person/{person}"}.union(*(_targets(one) for one in versions))
    return all(set(value.split(",")) & about for _, value in query)


def _targets(person: dict[str, Any] | None) -> set[str]:
    links = (person or {}).get("link", [])
    return {str(link.get("target", {}).get("reference", "")) for link in links}
