"""Decoction pieces: what opposes each other, toxic doses, ways of decocting, syndrome and number of decoctions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.case import Case, Item
from kangyun.support.drugs.decisions.catalogue import drugs_of
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.decisions.findings import amount, finding, named
from kangyun.support.drugs.model import Finding

_NONE = {"zh": "", "en": ""}
_PLAY = 1.001


def herbs(case: Case) -> Iterator[Finding]:
    """What there is to say of decoction pieces, and of patent medicines that hold herbs."""
    own = [item for item in case.items if item.drug.herb]
    if own and case.prescription.kind == "herbal":
        if not case.prescription.syndrome:
            yield finding("syndrome-missing")
        if case.prescription.doses < 1:
            yield finding("doses-missing")
    for item in own:
        yield from _dose(item)
        if item.drug.decoction and item.line.decoction != item.drug.decoction:
            yield finding("decoction-missing", item.place, of=item.drug, drug=named(item.drug), how=decoctions().get(item.drug.decoction, _NONE))
    for one, other in combinations([item for item in case.items if item.drug.herb or item.drug.contains], 2):
        number = opposed(_inside(one), _inside(other))
        if number and (one.drug.herb or other.drug.herb):
            yield from _opposed(one, other, number)


def _inside(item: Item) -> frozenset[str]:
    return frozenset((item.drug.code, *item.drug.contains))


def _opposed(one: Item, other: Item, number: int) -> Iterator[Finding]:
    rule = rules.load(PACKAGE, "herbs/opposed.yaml")
    said = {"source": rule.source[0]["title"], "certainty": rule.certainty}
    yield finding("herb-opposed", one.place, other.place, said=said, drug=named(one.drug), other=named(other.drug), list=rule.body["names"][number])


def _dose(item: Item) -> Iterator[Finding]:
    most = item.drug.usual[1]
    if item.single is not None and most and item.single > most * _PLAY:
        kind = "toxic-herb-over" if item.drug.poison else "herb-over"
        yield finding(kind, item.place, of=item.drug, drug=named(item.drug), amount=amount(item.single, "g"), limit=amount(most, "g"))


@lru_cache(maxsize=2)
def _pairs(_edition: int) -> tuple[tuple[int, frozenset[str], frozenset[str]], ...]:
    table = rules.load(PACKAGE, "herbs/opposed.yaml").table
    return tuple((int(row["list"]), frozenset(row["a"]), frozenset(row["b"])) for row in table)


def opposed(one: frozenset[str], other: frozenset[str]) -> int:
    """18 or 19 when two sets of herbs stand against each other on that list, else 0."""
    for number, a, b in _pairs(id(rules.load(PACKAGE, "herbs/opposed.yaml"))):
        if (one & a and other & b) or (one & b and other & a):
            return number
    return 0


def decoctions() -> dict[str, dict[str, str]]:
    """The special ways of decocting by code, in both languages."""
    return {str(row["code"]): {"zh": str(row["zh"]), "en": str(row["en"])} for row in rules.load(PACKAGE, "herbs/decoctions.yaml").table}


def check_herb(rule: Rule, given: str) -> dict[str, Any]:
    """What the list says of a herb."""
    herb = next(one for one in drugs_of(rule) if one.code == given)
    return {"usual": list(herb.usual), "poison": herb.poison, "decoction": herb.decoction}


def check_opposed(rule: Rule, given: Sequence[str]) -> int:
    """On which list two herbs stand."""
    del rule
    return opposed(frozenset(given[:1]), frozenset(given[1:]))


def check_decoction(rule: Rule, given: str) -> str:
    """The Chinese name of a way of decocting."""
    found: Mapping[str, Any] = next(row for row in rule.table if row["code"] == given)
    return str(found["zh"])
