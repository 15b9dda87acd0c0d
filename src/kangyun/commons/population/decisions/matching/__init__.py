"""Whether two Patients are one person: what is compared, which pairs are compared, and what the evidence weighs."""

from __future__ import annotations

from typing import Any

from kangyun.base import rules
from kangyun.commons.population.decisions.matching import dates, households, names, numbers
from kangyun.commons.population.decisions.matching.features import Features, decode, encode, features
from kangyun.commons.population.decisions.matching.keys import blocking_keys, meeting_keys
from kangyun.commons.population.decisions.matching.scoring import (
    Evidence,
    FieldEvidence,
    Thresholds,
    Verdict,
    Weights,
    score,
    verdict,
    weights,
    weights_of,
)

__all__ = [
    "Evidence", "Features", "FieldEvidence", "Thresholds", "Verdict", "Weights", "blocking_keys", "check_example", "decode",
    "encode", "features", "households", "meeting_keys", "score", "verdict", "weights", "weights_of",
]


def check_example(rule: rules.Rule, given: Any) -> Any:
    """The verdict of a worked example in one of the rule files for matching."""
    return {
        "population.lunar": lambda: dates.lunar(given),
        "population.matching_fillers": lambda: _number(given),
        "population.matching_names": lambda: _name(given["name"]),
        "population.matching": lambda: _pair(rule, given),
    }[rule.id]()


def _number(given: dict[str, str]) -> str:
    if "phone" in given:
        return numbers.phone(given["phone"])
    found = numbers.id_number(given["number"])
    return f"{found.number} sure" if found.sure else found.number


def _name(text: str) -> dict[str, str]:
    spelling, child = names.spelling(text), names.child_of(text)
    parent = {"parent": child.parent, "order": child.order} if child else {}
    return {"name": spelling.name, "sound": next(iter(spelling.sounds), spelling.loose), "loose": spelling.loose, **parent}


def _pair(rule: rules.Rule, given: dict[str, dict[str, Any]]) -> dict[str, str]:
    by = weights_of(rule)
    evidence = score(features(given["one"]), features(given["other"]), by)
    return {"verdict": verdict(evidence, by.thresholds), "barred": evidence.barred}
