"""Interactions of the drugs of a prescription with each other, with what else is taken, and with alcohol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.case import Case, Item
from kangyun.support.drugs.decisions.duplicates import still_taken
from kangyun.support.drugs.decisions.findings import Fact, finding, named
from kangyun.support.drugs.decisions.groups import terms
from kangyun.support.drugs.decisions.knowledge import shipped
from kangyun.support.drugs.model import Finding

_ALCOHOL = {"zh": "酒精", "en": "alcohol"}
# What is put on skin or into an eye hardly reaches the blood; a patch through the skin does.
_LOCAL = frozenset({"top", "ear", "nas", "gar"})
_RANK = {"stop": 0, "confirm": 1, "advise": 2}


def interactions(case: Case) -> Iterator[Finding]:
    """What two drugs do to each other; of several pairs that fit two drugs, the gravest is told."""
    acting = [item for item in case.items if item.line.route not in _LOCAL]
    known = case.known
    sides = {item.drug.code: known.sides(known.terms[item.drug.code]) for item in acting}
    for one, other in combinations(acting, 2):
        if one.drug.code != other.drug.code:
            found = gravest(known.meeting(sides[one.drug.code], sides[other.drug.code]))
            yield from _told(found, one, named(other.drug), one.place, other.place)
    others = [(name, known.sides(its)) for name, its in _others(case)]
    for item in acting:
        for name, its in others:
            yield from _told(gravest(known.meeting(sides[item.drug.code], its)), item, name, item.place)


def gravest(pairs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The pair with the gravest level; None of none."""
    return min(pairs, key=lambda pair: _RANK[pair["level"]], default=None)


def _others(case: Case) -> list[tuple[Fact, frozenset[str]]]:
    """Names and terms of what is taken beside the prescription."""
    own = {line.code for line in case.prescription.lines}
    found: list[tuple[Fact, frozenset[str]]] = []
    for taken in still_taken(case):
        drug = case.known.drugs.get(taken.code)
        if drug is None:
            found.append((taken.name, terms(taken.atc, (taken.code,))))
        elif drug.code not in own:
            found.append((named(drug), case.known.terms[drug.code]))
    return found + [(_ALCOHOL, terms("", ("ethanol",)))] * case.patient.drinks


def _told(pair: Mapping[str, Any] | None, item: Item, other: Fact, *places: int) -> Iterator[Finding]:
    if pair is not None:
        said = {"level": pair["level"], "source": pair["source"], "certainty": pair["certainty"]}
        yield finding("interaction", *places, said=said, drug=named(item.drug), other=other, effect=pair["effect"], advice=pair["advice"])


def check_example(rule: Rule, given: Sequence[str]) -> str:
    """The level of the gravest pair of two drugs; empty when nothing is known."""
    del rule
    known = shipped()
    found = gravest(known.between(*(known.terms.get(code) or terms("", (code,)) for code in given)))
    return str(found["level"]) if found else ""
