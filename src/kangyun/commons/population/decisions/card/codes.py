"""What stands in a card's QR code: `<number>:<digit>[:<expiry>]`, or a signed token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kangyun.base.rules import Rule
from kangyun.commons.population.decisions.card.states import next_state
from kangyun.commons.population.decisions.card.terms import Terms, channels, relations, steps, terms

Kind = Literal["dynamic", "static", "temporary", "signed"]

_TEXT = re.compile(r"([0-9A-F]{32}(?:[0-9A-F]{32})?):(\d)(?::([0-9A-F]{32}))?")
_TOKEN = re.compile(r"[\w-]{10,400}\.[\w-]{10,800}\.[\w-]{80,90}")
_LONGEST = 1200


@dataclass(frozen=True, slots=True)
class Code:
    """A code as it was read: `expiry` belongs to dynamic ones, `token` to signed ones."""

    kind: Kind
    number: str = ""
    expiry: str = ""
    token: str = ""


def code_text(kind: Kind, number: str, terms_: Terms, expiry: str = "") -> str:
    """The text of a QR code."""
    return ":".join(part for part in (number, terms_.digits[kind], expiry) if part)


def parse_code(text: str, terms_: Terms) -> Code | None:
    """A code from what a scanner read; None for anything that no card of this region shows."""
    plain = text.strip()[:_LONGEST]
    if _TOKEN.fullmatch(plain):
        return Code("signed", token=plain)
    match = _TEXT.fullmatch(plain.upper())
    kinds: dict[str, Kind] = {terms_.digits[kind]: kind for kind in ("dynamic", "static", "temporary")}
    kind = kinds.get(match[2]) if match else None
    if match is None or kind is None or (kind == "dynamic") != bool(match[3]):
        return None
    return Code(kind, match[1], match[3] or "")


def check_example(rule: Rule, given: Mapping[str, Any]) -> Any:
    """The verdict on a worked example of a rule of the card."""
    if rule.id == "population.card":
        found = parse_code(given["code"], terms())
        return found.kind if found else "unknown"
    if rule.id == "population.card_lifecycle":
        return next_state(given["state"], given["event"]) or "refused"
    tables = {"population.card_steps": steps, "population.card_channels": channels, "population.card_relations": relations}
    return tables[rule.id]()[given["code"]]["en"]
