"""Form (规范性): parts, number of drugs, days, validity, units that can be understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.case import Case, Item, limits
from kangyun.support.drugs.decisions.findings import finding, named, plain
from kangyun.support.drugs.decisions.legality import CONTROLS
from kangyun.support.drugs.decisions.lines import lasts
from kangyun.support.drugs.model import Diagnosis, Finding, Line, Prescription

_INFANT_MONTHS = 12


def form(case: Case) -> Iterator[Finding]:
    """What is missing or cannot be understood."""
    said = case.prescription
    if not said.lines:
        yield finding("nothing-prescribed")
    for part in said.missing:
        yield finding("part-missing", part=part)
    if not any(one.code or one.text for one in said.diagnoses):
        yield finding("diagnosis-missing")
    if said.valid_days > limits()["valid_days"]:
        yield finding("valid-too-long", limit=limits()["valid_days"])
    yield from _age(case)
    yield from _number(case)
    for place, line in enumerate(said.lines):
        if line.code not in case.known.drugs:
            yield finding("unknown-drug", place, drug=line.name or line.code)
    for item in case.items:
        yield from _understood(item)


def _age(case: Case) -> Iterator[Finding]:
    if case.months is None:
        yield finding("age-missing")
    elif case.months < limits()["infant_years"] * _INFANT_MONTHS and case.patient.weight is None:
        yield finding("weight-missing")


def _number(case: Case) -> Iterator[Finding]:
    herbs = [item for item in case.items if item.drug.herb]
    others = len(case.prescription.lines) - len(herbs)
    if herbs and others:
        yield finding("herbs-mixed", *(item.place for item in herbs))
    if others > limits()["drugs"]:
        yield finding("too-many-drugs", limit=limits()["drugs"], count=others)


def _understood(item: Item) -> Iterator[Finding]:
    line, drug = item.line, item.drug
    if item.single is None:
        yield finding("unknown-dose", item.place, drug=named(drug), unit=drug.dose.unit)
    if drug.herb:
        return
    if item.often is None:
        yield finding("unknown-frequency", item.place, drug=named(drug))
    if not line.days > 0:
        yield finding("days-missing", item.place, drug=named(drug))
    days = _too_much(item)
    if days:
        yield finding("quantity-over", item.place, drug=named(drug), amount=f"{plain(line.quantity)} {line.quantity_unit}", days=round(days, 1), limit=line.days)


def _too_much(item: Item) -> float:
    """For how many days the quantity lasts, where one package less would do as well; else 0."""
    line, days = item.line, lasts(item.line, item.drug) or 0
    over = 0 < line.days * limits()["quantity_slack"] < days
    return days if over and line.quantity > 1 and days * (1 - 1 / line.quantity) >= line.days else 0


def days_allowed(case: Case) -> Iterator[Finding]:
    """For how many days: the usual, with a reason, or long-term."""
    for item in (one for one in case.items if one.line.days > 0):
        for kind, limit in _days(case.prescription, item.line):
            yield finding(kind, item.place, drug=named(item.drug), days=item.line.days, limit=limit)
        if case.prescription.long_term:
            yield from _banned(item)


def _days(said: Prescription, line: Line) -> Iterator[tuple[str, float]]:
    """The kinds of findings on a line's days, with their limits."""
    asked, usual = limits(), limits()["days"].get(said.setting)
    if usual is None:
        return
    if said.long_term:
        if line.days > asked["long_term_assessed"]:
            yield "long-term-over", asked["long_term_assessed"]
        elif line.days > asked["long_term"] and not said.assessed:
            yield "long-term-assessment", asked["long_term"]
    elif line.days > asked["days_with_reason"]:
        yield "days-need-long-term", asked["days_with_reason"]
    elif line.days > usual and not said.reason:
        yield "days-over", usual


def _banned(item: Item) -> Iterator[Finding]:
    bans, drug = limits()["long_term_bans"], item.drug
    if drug.control in bans["control"]:
        yield finding("long-term-banned", item.place, drug=named(drug), sort=CONTROLS[drug.control])
    if drug.tier and not drug.atc.startswith(tuple(bans["antimicrobial_but"])):
        yield finding("long-term-banned", item.place, drug=named(drug), sort={"zh": "抗菌药物", "en": "antimicrobials"})
    if drug.storage in bans["storage"]:
        yield finding("long-term-storage", item.place, drug=named(drug))


def check_example(rule: Rule, given: Mapping[str, Any]) -> list[str]:
    """The kinds of findings on days in a setting."""
    del rule
    said = Prescription(
        "western", (), (Diagnosis("I10"),), date(2026, 1, 1), setting=given["setting"], reason=given.get("reason", ""),
        long_term=given.get("long_term", False), assessed=given.get("assessed", False))
    return [kind for kind, _ in _days(said, Line("x", 1, "mg", "qd", "po", given["days"]))]
