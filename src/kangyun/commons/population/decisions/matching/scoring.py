"""The weight of evidence that two Patients are one person, after Fellegi and Sunter, in bits; and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import log2
from typing import Any, Literal

from kangyun.base import rules
from kangyun.commons.population.decisions.matching.features import Features
from kangyun.commons.population.decisions.matching.levels import Comparison, Level, comparison, judge
from kangyun.commons.population.decisions.matching.names import surname_and_given

Verdict = Literal["link", "review", "new"]

_PACKAGE = "kangyun.commons.population"


@dataclass(frozen=True, slots=True)
class FieldEvidence:
    """What one field says: the level of agreement (`""` when a side tells nothing) and its weight in bits."""

    field: str
    level: str
    bits: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all fields say together; `barred` names the hard rule that keeps a program from linking the two, if any."""

    bits: float
    fields: tuple[FieldEvidence, ...]
    barred: str = ""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bits from which two Patients are linked, or shown to a person."""

    link: float
    review: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A hard rule: pairs whose fields all reach one of these levels are never linked by a program."""

    reason: str
    levels: Mapping[str, frozenset[str]]
    contrary: bool = False  # it speaks for two people, so that no third record may unite them
    handicap: float = 0.0  # bits that such a pair is taken back by in the review queue


@dataclass(frozen=True, slots=True)
class Weights:
    """A rule file ready for use."""

    comparisons: tuple[Comparison, ...]
    thresholds: Thresholds
    bars: tuple[Bar, ...]
    limits: Mapping[str, float]
    most: float  # no single level weighs more or less than this many bits
    frequencies: Mapping[str, Mapping[str, float]]
    judges: tuple[Callable[[Any, Any], int], ...]
    bits: tuple[tuple[float, ...], ...]

    def level_bits(self, level: Level) -> float:
        """The weight of a level in bits, log2(m/u), held within bounds."""
        return max(-self.most, min(self.most, log2(level.m / level.u)))


def weights_of(rule: rules.Rule) -> Weights:
    """The weights in a rule file (rules/matching.yaml or one proposed by `kangyun link --learn`)."""
    body = rule.body
    comparisons = tuple(comparison(row) for row in body["comparisons"])
    most = float(rule.value["most"])
    bits = tuple(
        tuple(max(-most, min(most, log2(level.m / level.u))) for level in one.levels) for one in comparisons
    )
    bars = tuple(
        Bar(row["reason"], {key: frozenset(levels) for key, levels in row["when"].items()}, bool(row.get("contrary")), float(row.get("handicap", 0)))
        for row in body["never_automatic"]
    )
    return Weights(
        comparisons, Thresholds(float(rule.value["link"]), float(rule.value["review"])), bars, rule.value, most,
        body.get("frequencies", {}), tuple(judge(one) for one in comparisons), bits,
    )


@cache
def _of_today(_file: str) -> Weights:
    return weights_of(rules.load(_PACKAGE, "matching.yaml"))


def weights() -> Weights:
    """The weights in force, rules/matching.yaml or a region's own."""
    return _of_today(str(rules.load(_PACKAGE, "matching.yaml").file))


def score(a: Features, b: Features, by: Weights | None = None) -> Evidence:
    """The evidence that two Patients are one person; the same whichever comes first. About 10 microseconds."""
    by = by or weights()
    fields = tuple(
        _field(one, place(a, b), bits, a, by) for one, place, bits in zip(by.comparisons, by.judges, by.bits, strict=True)
    )
    return Evidence(round(sum([one.bits for one in fields]), 3), fields, _barred(fields, by.bars))


def _field(one: Comparison, place: int, bits: tuple[float, ...], a: Features, by: Weights) -> FieldEvidence:
    if place < 0:
        return FieldEvidence(one.field, "", 0.0)
    level = one.levels[place]
    if level.frequency:
        return FieldEvidence(one.field, level.name, min(by.most, log2(level.m) + rarity(a.name, by)))
    return FieldEvidence(one.field, level.name, bits[place])


def rarity(name: str, by: Weights) -> float:
    """How much it says in bits that two people bear this name, -log2 of its frequency; names are surname and given name."""
    surname, given = surname_and_given(name)
    surnames, givens = by.frequencies.get("surname", {}), by.frequencies.get("given", {})
    default = by.frequencies["default"]
    rest = default["given_of_one"] if len(given) < 2 else default["given"]
    return surnames.get(surname, default["surname"]) + givens.get(given, rest)


def _barred(fields: tuple[FieldEvidence, ...], bars: tuple[Bar, ...]) -> str:
    reached = {one.field: one.level for one in fields}
    for bar in bars:
        if all(reached[field] in levels for field, levels in bar.levels.items()):
            return bar.reason
    return ""


def verdict(evidence: Evidence, thresholds: Thresholds | None = None) -> Verdict:
    """Link, show to a person, or take for two people."""
    limits = thresholds or weights().thresholds
    if evidence.bits < limits.review:
        return "new"
    return "review" if evidence.barred or evidence.bits < limits.link else "link"
