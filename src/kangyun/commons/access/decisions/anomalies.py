"""What stands out in a day of the audit trail, by rules/anomalies.yaml. It accuses nobody: an auditor looks at it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any

from kangyun.base.rules import Rule, load

QUESTION = "question"
GLASS = "glass"


@dataclass(frozen=True, slots=True)
class Look:
    """What one actor in one role saw of one resident on one day: how often, how often at night, how often for care."""

    name: str
    role: str
    institution: str
    account: str | None
    resident: int
    n: int
    night: int
    care: int
    lane: int
    seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    """How often one actor was refused on one day."""

    name: str
    role: str
    institution: str
    n: int
    lane: int
    seq: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of residents. unrelated: pairs of resident and institution; the others by institution and by account."""

    unrelated: frozenset[tuple[int, str]] = frozenset()
    colleagues: Mapping[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    family: Mapping[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    celebrated: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that an auditor should look at. resident 0: several; lane and seq of an event that shows it."""

    rule: str
    name: str
    role: str
    institution: str
    resident: int
    count: int
    lane: int
    seq: int


def anomalies(looks: Sequence[Look], refused: Iterable[Refused], facts: Facts) -> list[Anomaly]:
    """Everything of one day that reaches the number of its rule."""
    found = [*_of_many(looks), *_of_one(looks, facts)]
    found += [Anomaly("refusals", one.name, one.role, one.institution, 0, one.n, one.lane, one.seq) for one in refused]
    return [one for one in found if reaches(one.rule, one.count)]


def _of_many(looks: Sequence[Look]) -> Iterator[Anomaly]:
    by_actor: dict[tuple[str, str, str], list[Look]] = defaultdict(list)
    for look in looks:
        by_actor[look.name, look.role, look.institution].append(look)
    for (name, role, institution), mine in by_actor.items():
        at_night = [look for look in mine if look.night]
        for rule, some in (("bulk", mine), ("night", at_night)):
            if some:
                yield Anomaly(rule, name, role, institution, 0, len(some), some[-1].lane, some[-1].seq)


def _of_one(looks: Sequence[Look], facts: Facts) -> Iterator[Anomaly]:
    for look in looks:
        mine = facts.family.get(look.account or "", frozenset())
        holds = {
            "unrelated": bool(look.care) and (look.resident, look.institution) in facts.unrelated,
            "family": look.resident in mine,
            "colleague": look.resident not in mine and look.resident in facts.colleagues.get(look.institution, ()),
            "celebrity": look.resident in facts.celebrated,
        }
        for rule, held in holds.items():
            if held:
                yield Anomaly(rule, look.name, look.role, look.institution, look.resident, look.n, look.lane, look.seq)


def reaches(rule: str, count: int) -> bool:
    """Whether a number is one that its rule speaks of."""
    return _reaches(_rules(), rule, count)


def rule_titles() -> dict[str, Mapping[str, Any]]:
    """The rules by id, each with title and text."""
    return {row["rule"]: row for row in _rules().table}


def night() -> tuple[time, time]:
    """From when to when it is night, in China's time."""
    hours = _rules().body["night"]
    return time(hours["from"]), time(hours["to"])


def review_days() -> timedelta:
    """How long a break-glass may wait for its review."""
    return timedelta(days=_rules().body["glass_days"])


def marks() -> list[str]:
    """Security labels that protect a Patient, as system|code."""
    return list(_rules().body["marks"])


def check_example(rule: Rule, given: Mapping[str, Any]) -> bool:
    """Whether so many are an anomaly."""
    return _reaches(rule, given["rule"], given["count"])


def _rules() -> Rule:
    return load("kangyun.commons.access", "anomalies.yaml")


def _reaches(rules: Rule, rule: str, count: int) -> bool:
    return any(row["rule"] == rule and count >= row["least"] for row in rules.table)
