"""Injections: in which solvent, how strong, and what does not go into one bag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.case import Case, Item, case_of
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.decisions.findings import amount, finding, named
from kangyun.support.drugs.decisions.knowledge import shipped
from kangyun.support.drugs.model import Finding, Line, Patient, Prescriber, Prescription

_PLAY = 1.001


def solvents(case: Case) -> Iterator[Finding]:
    """What is dissolved wrongly, too strong, or mixed with what it does not bear."""
    for item in (one for one in case.items if one.line.solvent):
        yield from _dissolved(case, item)
    for one, other in combinations([item for item in case.items if item.line.set], 2):
        why = apart(case.known.terms[one.drug.code], case.known.terms[other.drug.code]) if one.line.set == other.line.set else None
        if why:
            yield finding("mixture", one.place, other.place, said=_said("mixtures.yaml"), drug=named(one.drug), other=named(other.drug), why=why)


def _said(name: str) -> dict[str, str]:
    rule = rules.load(PACKAGE, name)
    return {"source": rule.source[0]["title"], "certainty": rule.certainty}


def _dissolved(case: Case, item: Item) -> Iterator[Finding]:
    words, solvent = case.known.terms[item.drug.code], case.known.drugs.get(item.line.solvent)
    for row in rules.load(PACKAGE, "solvents.yaml").table:
        if not words & {*row["drug"]}:
            continue
        if solvent and case.known.terms[solvent.code] & {*row["never"]}:
            yield finding("solvent-wrong", item.place, said=_said("solvents.yaml"), drug=named(item.drug), solvent=named(solvent), why=row["why"])
        strength = item.single / item.line.volume if item.single and item.line.volume > 0 else 0
        if "most" in row and strength > row["most"] * _PLAY:
            unit = f"{item.drug.dose.unit}/ml"
            yield finding("concentration-over", item.place, said=_said("solvents.yaml"), drug=named(item.drug), amount=amount(strength, unit), limit=amount(row["most"], unit))


def apart(one: frozenset[str], other: frozenset[str]) -> Mapping[str, str] | None:
    """Why two sets of terms do not go into one bag; None when nothing is known."""
    for row in rules.load(PACKAGE, "mixtures.yaml").table:
        a, b = {*row["a"]}, {*row["b"]}
        if (one & a and other & b) or (one & b and other & a):
            return row["why"]
    return None


def check_example(rule: Rule, given: Mapping[str, Any]) -> str:
    """The kind of finding on one drug in one solvent."""
    del rule
    known = shipped()
    drug = known.drugs[given["drug"]]
    line = Line(drug.code, given.get("dose", drug.dose.usual), drug.dose.unit, "once", "ivgtt", 1, solvent=given["solvent"], volume=given.get("volume", 100))
    case = case_of(Prescription("western", (line,), (), date(2026, 1, 1)), Patient(), Prescriber(""), known)
    return next((one.kind for one in solvents(case)), "")


def check_mixture(rule: Rule, given: Sequence[str]) -> bool:
    """Whether two drugs do not go into one bag."""
    del rule
    known = shipped()
    return apart(known.terms[given[0]], known.terms[given[1]]) is not None
