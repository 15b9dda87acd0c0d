"""Scores of a sender's data, by rules/quality.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.commons.exchange.model import MEASURED

DIMENSIONS = ("completeness", "timeliness", "validity", "consistency", "uniqueness", "coding")


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of a sender over a time; `asked` and `filled` by the names of MEASURED."""

    stored: int = 0
    quarantined: int = 0
    duplicate: int = 0
    dismissed: int = 0
    waiting: int = 0
    told: int = 0
    on_time: int = 0
    codes: int = 0
    coded: int = 0
    asked: Mapping[str, int] | None = None
    filled: Mapping[str, int] | None = None

    @property
    def received(self) -> int:
        """All that arrived."""
        return self.stored + self.quarantined + self.duplicate + self.dismissed + self.waiting


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares from 0 to 1 by dimension, those that can be judged; `score` from 0 to 100, None when nothing can."""

    shares: Mapping[str, float]
    score: float | None


def rule() -> Rule:
    """The rule of the scores."""
    return rules.load("kangyun.commons.exchange", "quality.yaml")


def shares_of(asked: Mapping[str, int], filled: Mapping[str, int]) -> dict[str, float]:
    """The share of messages that have a particular, for each that was asked for."""
    return {name: filled.get(name, 0) / asked[name] for name in MEASURED if asked.get(name)}


def scores(counts: Counts) -> Scores:
    """Judge what was counted."""
    whole, found = rule(), dict[str, float]()
    for row in whole.table:
        share = _share(str(row["dimension"]), row, counts)
        if share is not None:
            found[str(row["dimension"])] = share
    weights = {str(row["dimension"]): float(row["weight"]) for row in whole.table}
    total = sum(weights[name] for name in found)
    return Scores(found, 100 * sum(weights[name] * share for name, share in found.items()) / total if total else None)


def _share(dimension: str, row: Mapping[str, Any], counts: Counts) -> float | None:
    judged = counts.stored + counts.quarantined + counts.dismissed
    match dimension:
        case "timeliness":
            return _ratio(counts.on_time, counts.told)
        case "validity":
            return _ratio(counts.stored, judged)
        case "uniqueness":
            return None if not counts.received else 1 - counts.duplicate / counts.received
        case "coding":
            return _ratio(counts.coded, counts.codes)
        case _:
            return _weighted(row["of"], shares_of(counts.asked or {}, counts.filled or {}))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _weighted(weights: Mapping[str, float], shares: Mapping[str, float]) -> float | None:
    known = {name: weight for name, weight in weights.items() if name in shares}
    total = sum(known.values())
    return sum(weight * shares[name] for name, weight in known.items()) / total if total else None


def tone(score: float | None) -> str:
    """The tone in which a score is shown: green, amber, red, or plain when there is none."""
    limits = rule().value
    if score is None:
        return "plain"
    return "green" if score >= limits["good"] else "amber" if score >= limits["fair"] else "red"


def check_example(_rule: Rule, given: Mapping[str, Any]) -> dict[str, float]:
    """The shares and the score of some counts, rounded as people see them."""
    found = scores(Counts(**given))
    shown = {name: round(share, 4) for name, share in found.shares.items()}
    return shown if found.score is None else {**shown, "score": round(found.score, 1)}
