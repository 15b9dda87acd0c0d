"""The review of a prescription: legality, form, suitability. It advises; people decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kangyun.support.drugs.decisions.case import Case, case_of
from kangyun.support.drugs.decisions.controlled import controlled
from kangyun.support.drugs.decisions.doses import doses
from kangyun.support.drugs.decisions.duplicates import duplicates
from kangyun.support.drugs.decisions.findings import settled, sorted_by_weight
from kangyun.support.drugs.decisions.herbs import herbs
from kangyun.support.drugs.decisions.interactions import interactions
from kangyun.support.drugs.decisions.knowledge import Knowledge
from kangyun.support.drugs.decisions.legality import legality
from kangyun.support.drugs.decisions.limits import days_allowed, form
from kangyun.support.drugs.decisions.solvents import solvents
from kangyun.support.drugs.decisions.states import allergies, diagnoses, pregnancy, skin_tests
from kangyun.support.drugs.model import Finding, Patient, Prescriber, Prescription

CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    legality, form, days_allowed, controlled, allergies, skin_tests, pregnancy, diagnoses, doses, duplicates, interactions, solvents, herbs,
)


def review(prescription: Prescription, patient: Patient, prescriber: Prescriber, known: Knowledge) -> list[Finding]:
    """What speaks against a prescription, the gravest first.

    `stop`: not to be dispensed. `confirm`: the doctor signs a second time with a reason; a line that says so already is left
    with advice. `advise`: to be thought of. Nobody's decision is taken here.
    """
    case = case_of(prescription, patient, prescriber, known)
    found = [one for check in CHECKS for one in check(case)]
    return sorted_by_weight([settled(one, _reason(prescription, one)) for one in found])


def _reason(prescription: Prescription, found: Finding) -> str:
    """The reason with which the doctor has signed again, for all lines of a finding."""
    reasons = [prescription.lines[place].confirmed for place in found.lines]
    return reasons[0] if reasons and all(reasons) else ""
