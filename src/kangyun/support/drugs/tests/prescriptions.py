"""Prescriptions, patients and doctors for the tests of the review."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from kangyun.support.drugs.decisions import review, shipped
from kangyun.support.drugs.model import Allergy, Diagnosis, Finding, Line, Patient, Prescriber, Prescription, Taken

DAY = date(2026, 11, 22)
ADULT = Patient(born=date(1980, 5, 1), sex="male", weight=70)
DOCTOR = Prescriber("dr", "attending", frozenset({"prescribe", "tcm"}), registered=True, grade=3)
EVERY_RIGHT = replace(DOCTOR, rights=DOCTOR.rights | {"narcotic", "psychotropic1", "toxic", "radioactive"})

__all__ = ["ADULT", "DAY", "DOCTOR", "EVERY_RIGHT", "Allergy", "Patient", "Taken", "child", "found", "kinds", "line", "sheet"]


def line(code: str, **more: Any) -> Line:
    """A line with the usual dose of the catalogue for seven days, in one package; `more` changes what is said."""
    drug = shipped().drugs[code]
    dose = drug.dose
    said: dict[str, Any] = {
        "dose": dose.usual, "dose_unit": dose.unit, "frequency": dose.frequency, "route": dose.route, "days": 7, "quantity": 1,
        "quantity_unit": drug.package, "name": drug.zh, "decoction": drug.decoction,
    }
    return Line(code, **{**said, **more})


def sheet(*lines: Line, diagnoses: tuple[str, ...] = ("I10",), **more: Any) -> Prescription:
    """An outpatient's prescription of today; `more` changes what is said."""
    said: dict[str, Any] = {"kind": "western", "lines": lines, "diagnoses": tuple(map(Diagnosis, diagnoses)), "on": DAY, **more}
    return Prescription(**said)


def child(years: float = 0, months: float = 0, weight: float | None = None, **more: Any) -> Patient:
    """A child of an age."""
    whole = years * 12 + months
    born = date(DAY.year - int((whole + 12 - DAY.month) // 12), int((DAY.month - 1 - whole) % 12) + 1, 15)
    return Patient(born=born, sex="male", weight=weight, **more)


def found(said: Prescription, patient: Patient = ADULT, doctor: Prescriber = DOCTOR) -> list[Finding]:
    """What the review finds."""
    return review(said, patient, doctor, shipped())


def kinds(said: Prescription, patient: Patient = ADULT, doctor: Prescriber = DOCTOR) -> dict[str, str]:
    """The kinds of findings with their levels."""
    return {one.kind: one.level for one in reversed(found(said, patient, doctor))}
