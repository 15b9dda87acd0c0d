"""What somebody has, is or bears: diagnoses for and against a drug, pregnancy, breast-feeding, allergies, skin tests."""

from __future__ import annotations

from collections.abc import Iterator

from kangyun.support.drugs.decisions.allergies import met
from kangyun.support.drugs.decisions.case import Case, Item, limits
from kangyun.support.drugs.decisions.diagnoses import among
from kangyun.support.drugs.decisions.findings import finding, named
from kangyun.support.drugs.model import Finding


def diagnoses(case: Case) -> Iterator[Finding]:
    """Whether the diagnoses are among the indications, and which of them speak against a drug."""
    for item in case.items:
        drug = item.drug
        if case.codes and drug.indications and not among(case.codes, drug.indications):
            yield finding("no-indication", item.place, of=drug, drug=named(drug))
        against = among(case.codes, drug.never)
        if against:
            yield finding("contraindicated", item.place, of=drug, drug=named(drug), code=against)
        elif careful := among(case.codes, drug.seldom):
            yield finding("caution", item.place, of=drug, drug=named(drug), code=careful)


def pregnancy(case: Case) -> Iterator[Finding]:
    """What is not for an unborn or a breast-fed child."""
    for item in case.items:
        drug, names = item.drug, named(item.drug)
        if case.patient.pregnant is not None and drug.pregnancy in {"never", "care"}:
            yield finding(f"pregnancy-{drug.pregnancy}", item.place, of=drug, drug=names)
        elif drug.pregnancy == "never" and _might_be(case):
            yield finding("pregnancy-ask", item.place, of=drug, drug=names)
        if case.patient.lactating and drug.lactation in {"never", "care"}:
            yield finding(f"lactation-{drug.lactation}", item.place, of=drug, drug=names)


def _might_be(case: Case) -> bool:
    first, last = limits()["fertile_years"]
    return case.patient.sex == "female" and case.patient.pregnant is None and case.months is not None and first * 12 <= case.months < (last + 1) * 12


def allergies(case: Case) -> Iterator[Finding]:
    """What the patient does not bear, itself or by its kin."""
    for item in case.items:
        for allergy in case.patient.allergies:
            kind, said = met(allergy, item.drug, case.known.terms[item.drug.code])
            if kind:
                yield finding(kind, item.place, said=said, drug=named(item.drug), allergen=allergy.text or allergy.code)
                break


def skin_tests(case: Case) -> Iterator[Finding]:
    """What is given only after a skin test."""
    for item in (one for one in case.items if one.drug.skin_test):
        kind = _tested(item)
        if kind:
            yield finding(kind, item.place, drug=named(item.drug))


def _tested(item: Item) -> str:
    return {"positive": "skin-test-positive", "asked": "skin-test-open", "negative": "", "exempt": ""}.get(item.line.skin_test, "skin-test-missing")
