"""Break-glass: which reasons count, how long it lasts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kangyun.base.rules import Rule, load

_MOST_WORDS = 1000
_FEWEST_DIFFERENT = 4


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason to choose; title by language."""

    code: str
    title: Mapping[str, str]


def _rule() -> Rule:
    return load("kangyun.commons.access", "emergency.yaml")


def reasons() -> list[Reason]:
    """The reasons in the order in which the page shows them."""
    return [Reason(row["code"], {"zh": row["zh"], "en": row["en"]}) for row in _rule().body["reasons"]]


def lasts() -> timedelta:
    """How long a broken glass stays open."""
    return timedelta(hours=_rule().map["hours"])


def shown() -> timedelta:
    """For how long the resident's page lists it."""
    return timedelta(days=_rule().map["shown_days"])


def many() -> int:
    """From how many in a day on an account's use is marked for the auditor."""
    return int(_rule().map["many"])


def fault(reason: str, words: str) -> str | None:
    """The key of what is wrong with a reason, None when it will do; the same sign over and over is no reason."""
    if reason not in {one.code for one in reasons()}:
        return "access.emergency-reason"
    said = [sign for sign in words if sign.isalnum()]
    if len(said) < _rule().map["words"] or len(set(said)) < _FEWEST_DIFFERENT or len(words) > _MOST_WORDS:
        return "access.emergency-words"
    return None


def check_example(_rule: Rule, given: Mapping[str, Any]) -> str | None:
    """The fault of a worked example."""
    return fault(given["reason"], given["words"])
