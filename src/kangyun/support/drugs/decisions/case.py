"""A case under review: a prescription's lines with their drugs and amounts, and what follows from the facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.decisions.knowledge import Knowledge
from kangyun.support.drugs.decisions.lines import at_once, times_a_day
from kangyun.support.drugs.model import Drug, Line, Patient, Prescriber, Prescription

_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class Item:
    """A line with its drug; `single` in the unit of the drug's dose, `often` times a day, None where that cannot be told."""

    place: int
    line: Line
    drug: Drug
    single: float | None
    often: float | None

    @property
    def daily(self) -> float | None:
        """How much a day."""
        return None if self.single is None or self.often is None else self.single * self.often


@dataclass(frozen=True, slots=True)
class Case:
    """All that a review looks at. `months`: the age, None when not known; `codes`: ICD-10 codes of diagnoses and problems."""

    prescription: Prescription
    patient: Patient
    prescriber: Prescriber
    known: Knowledge
    items: tuple[Item, ...]
    months: float | None
    codes: tuple[str, ...]


def case_of(prescription: Prescription, patient: Patient, prescriber: Prescriber, known: Knowledge) -> Case:
    """The case of a prescription; lines whose drug is not in the catalogue are no items."""
    items = tuple(
        Item(place, line, drug, at_once(line, drug), times_a_day(line.frequency))
        for place, line in enumerate(prescription.lines)
        if (drug := known.drugs.get(line.code)) is not None
    )
    own = (one.code for one in prescription.diagnoses if one.code)
    return Case(prescription, patient, prescriber, known, items, _months(patient.born, prescription.on), (*own, *patient.conditions, *_told_by_blood(patient)))


def _months(born: date | None, on: date) -> float | None:
    return None if born is None or born > on else (on - born).days / _MONTH


@lru_cache(maxsize=2)
def _limits(_edition: int) -> Mapping[str, Any]:
    return rules.load(PACKAGE, "limits.yaml").map


def limits() -> Mapping[str, Any]:
    """The content of rules/limits.yaml."""
    return _limits(id(rules.load(PACKAGE, "limits.yaml")))


def _told_by_blood(patient: Patient) -> tuple[str, ...]:
    """A potassium out of its limits speaks like the diagnosis."""
    asked = limits()["potassium"]
    if patient.potassium is None:
        return ()
    high, low = patient.potassium > asked["high"], patient.potassium < asked["low"]
    return ("E87.5",) * high + ("E87.6",) * low
