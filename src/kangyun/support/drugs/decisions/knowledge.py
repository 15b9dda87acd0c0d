"""Everything that a review knows: the catalogue, and which pairs of drugs say something of each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.catalogue import built_in, lengthened
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.decisions.groups import groups_of, terms
from kangyun.support.drugs.model import Drug

# Bits of the pairs on whose left, and on whose right side something stands.
Sides: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known.

    `drugs` by code; `terms` of each drug; `left`, `right`: the pairs (as bits) on whose sides a term stands; `edition`: of a
    region's own list, empty for none.
    """

    drugs: Mapping[str, Drug]
    terms: Mapping[str, frozenset[str]]
    pairs: tuple[Mapping[str, Any], ...]
    left: Mapping[str, int]
    right: Mapping[str, int]
    edition: str = ""

    def between(self, one: frozenset[str], other: frozenset[str]) -> list[Mapping[str, Any]]:
        """The pairs that two sets of terms are on both sides of."""
        return self.meeting(self.sides(one), self.sides(other))

    def sides(self, words: frozenset[str]) -> Sides:
        """On which sides of which pairs a set of terms stands: asked once for each drug, however many it is compared with."""
        return _sides(words, self.left), _sides(words, self.right)

    def meeting(self, one: Sides, other: Sides) -> list[Mapping[str, Any]]:
        """The pairs that two drugs are on both sides of."""
        found = (one[0] & other[1]) | (one[1] & other[0])
        pairs: list[Mapping[str, Any]] = []
        while found:
            lowest = found & -found
            pairs.append(self.pairs[lowest.bit_length() - 1])
            found ^= lowest
        return pairs


def _sides(words: frozenset[str], side: Mapping[str, int]) -> int:
    found = 0
    for word in words:
        found |= side.get(word, 0)
    return found


def shipped() -> Knowledge:
    """What the rule files say today, without a region's own list."""
    return _shipped(edition())


@lru_cache(maxsize=2)
def _shipped(_edition: int) -> Knowledge:
    return knowledge()


def edition() -> int:
    """Tells the rules of one day, or of one region, from those of another."""
    return id(rules.load(PACKAGE, "interactions.yaml"))


def knowledge(listed: Iterable[Drug] = (), own: str = "") -> Knowledge:
    """What the rule files say, with a region's own list over it; it takes half a second and is kept by whoever asks."""
    whole = lengthened(listed, _built_in(edition()))
    drugs = {code: _grouped(drug) for code, drug in whole.items()}
    pairs = tuple(told(row, rules.load(PACKAGE, "interactions.yaml")) for row in rules.load(PACKAGE, "interactions.yaml").table)
    return Knowledge(drugs, {code: _terms(drug) for code, drug in drugs.items()}, pairs, side(pairs, "a"), side(pairs, "b"), own)


def told(row: Mapping[str, Any], rule: Rule) -> dict[str, Any]:
    """A row of rules/interactions.yaml with its words in full: mechanism and effect, advice, source, certainty."""
    mechanism, advice = rule.body["mechanisms"][row["mechanism"]], rule.body["advices"][row["advice"]]
    effect = {"zh": f"{row['effect']['zh']}（{mechanism['zh']}）", "en": f"{row['effect']['en']} ({mechanism['en']})"}
    said = {"source": str(rule.source[0]["title"]), "certainty": rule.certainty}
    return {**said, **row, "effect": effect, "advice": {"zh": f"{advice['zh']}。", "en": f"{advice['en']}."}}


@lru_cache(maxsize=2)
def _built_in(_edition: int) -> dict[str, Drug]:
    return built_in()


def _grouped(drug: Drug) -> Drug:
    return replace(drug, groups=groups_of(drug.atc, _others(drug)))


def _terms(drug: Drug) -> frozenset[str]:
    return terms(drug.atc, _others(drug))


def _others(drug: Drug) -> tuple[str, ...]:
    return (drug.code, *drug.contains, *sorted(drug.groups))


def words(given: str | Iterable[str]) -> tuple[str, ...]:
    """A side of a pair: one term or several."""
    return (given,) if isinstance(given, str) else tuple(given)


def side(pairs: Iterable[Mapping[str, Any]], name: str) -> dict[str, int]:
    """For each term, the bits of the pairs on whose side `name` it stands."""
    found: dict[str, int] = {}
    for number, pair in enumerate(pairs):
        for word in words(pair[name]):
            found[word] = found.get(word, 0) | 1 << number
    return found
