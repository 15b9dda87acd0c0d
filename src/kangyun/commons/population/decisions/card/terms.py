"""The terms of rules/card.yaml and the code tables beside it, as the rest of the room reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kangyun.base import rules

_PACKAGE = "kangyun.commons.population"


@dataclass(frozen=True, slots=True)
class Terms:
    """How long codes last, which digit a kind of code has, how a PIN is guarded."""

    dynamic_seconds: int
    signed_hours: int
    signature: str
    digits: Mapping[str, str]
    pin_digits: int
    pin_tries: int
    pin_lock_minutes: int
    newborn_days: int
    stranger_days: int


@dataclass(frozen=True, slots=True)
class Titles:
    """What the codes of a use are called: title in zh and en by code."""

    steps: Mapping[str, Mapping[str, Any]]
    channels: Mapping[str, Mapping[str, Any]]
    relations: Mapping[str, Mapping[str, Any]]


def card_titles() -> Titles:
    """The titles of all codes."""
    return Titles(steps(), channels(), relations())


def terms() -> Terms:
    """The terms in force today."""
    return Terms(**rules.load(_PACKAGE, "card.yaml").map)


def steps() -> dict[str, Mapping[str, Any]]:
    """The steps of care (诊疗环节) by code, each with its title in zh and en."""
    return _titles("card_steps.yaml")


def channels() -> dict[str, Mapping[str, Any]]:
    """The kinds of terminal (使用渠道) by code, each with its title in zh and en."""
    return _titles("card_channels.yaml")


def relations() -> dict[str, Mapping[str, Any]]:
    """In which relation somebody may hold another's card, by code, each with its title in zh and en."""
    return _titles("card_relations.yaml")


def _titles(name: str) -> dict[str, Mapping[str, Any]]:
    return {str(row["code"]): row["title"] for row in rules.load(_PACKAGE, name).table}
