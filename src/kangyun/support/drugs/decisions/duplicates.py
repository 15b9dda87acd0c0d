"""Duplicate therapy: one substance twice, also inside of compounds, or two of a class; within a prescription and with what is taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.case import Case, Item
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.decisions.findings import finding, named
from kangyun.support.drugs.decisions.groups import terms
from kangyun.support.drugs.decisions.knowledge import shipped
from kangyun.support.drugs.model import Finding, Taken

_SUBSTANCE = 7
_CLASS = 5
# Forms that act where they are put say nothing of what is swallowed.
_LOCAL = frozenset({"top", "eye", "ear", "nas", "gar", "pv", "inh", "pr"})


@lru_cache(maxsize=2)
def _inside(_edition: int) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(map(str, members)) for members in rules.load(PACKAGE, "duplicates.yaml").map["inside"].values())


def alike(atc: str, words: frozenset[str], other_atc: str, other_words: frozenset[str]) -> str:
    """`duplicate` (one substance), `duplicate-class`, or empty, for two drugs by ATC code and terms."""
    said = rules.load(PACKAGE, "duplicates.yaml")
    if atc and len(atc) >= _SUBSTANCE and atc == other_atc:
        return "duplicate"
    if any(words & one and other_words & one for one in _inside(id(said))):
        return "duplicate"
    usual: Mapping[str, Any] = said.map
    same = len(atc) >= _CLASS and atc[:_CLASS] == other_atc[:_CLASS]
    return "duplicate-class" if same and not atc.startswith(tuple(usual["usual_together"])) else ""


def duplicates(case: Case) -> Iterator[Finding]:
    """What is given twice."""
    acting = [item for item in case.items if not item.drug.herb and item.line.route not in _LOCAL]
    words = case.known.terms
    for one, other in combinations(acting, 2):
        kind = alike(one.drug.atc, words[one.drug.code], other.drug.atc, words[other.drug.code])
        if kind and not _one_bag(one, other):
            yield finding(kind, one.place, other.place, said={"source": one.drug.source}, drug=named(one.drug), other=named(other.drug))
    taken = still_taken(case)
    for item in acting:
        yield from _taken(case, item, taken)


def _one_bag(one: Item, other: Item) -> bool:
    """The same drug twice in one set is one dose in two strengths."""
    return one.drug.atc == other.drug.atc and one.line.set == other.line.set != 0


def _taken(case: Case, item: Item, others: Sequence[Taken]) -> Iterator[Finding]:
    words = case.known.terms[item.drug.code]
    for taken in others:
        if taken.code == item.drug.code:
            continue
        drug = case.known.drugs.get(taken.code)
        atc, its = (drug.atc, case.known.terms[drug.code]) if drug else (taken.atc, terms(taken.atc, (taken.code,)))
        if alike(item.drug.atc, words, atc, its) == "duplicate":
            yield finding("already-taken", item.place, said={"source": item.drug.source}, drug=named(item.drug), other=named(drug) if drug else taken.name)
            return


def still_taken(case: Case) -> Sequence[Taken]:
    """What the patient takes on the day from other prescriptions."""
    said = case.prescription
    return [one for one in case.patient.takes if (one.until is None or one.until >= said.on) and not (said.number and one.number == said.number)]


def check_example(rule: Rule, given: Sequence[str]) -> str:
    """What two drugs of the catalogue are to each other."""
    del rule
    known = shipped()
    one, other = (known.drugs[code] for code in given)
    return alike(one.atc, known.terms[one.code], other.atc, known.terms[other.code])
