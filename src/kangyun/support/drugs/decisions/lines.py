"""What a line amounts to: how much at once in the unit of the drug's dose, how often a day, how long it lasts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.model import Drug, Line

# Into one unit of mass: how many of the others there are. A thousand of each in the next.
_MASS = {"µg": 1.0, "ug": 1.0, "μg": 1.0, "mcg": 1.0, "mg": 1e3, "g": 1e6}
_UNITS = {"u": "U", "iu": "U", "单位": "U", "毫克": "mg", "克": "g", "微克": "µg", "毫升": "ml", "mL": "ml"}


@lru_cache(maxsize=2)
def _frequencies(_edition: int) -> dict[str, Mapping[str, Any]]:
    return {str(row["code"]): row for row in rules.load(PACKAGE, "frequencies.yaml").table}


def frequencies() -> dict[str, Mapping[str, Any]]:
    """The rows of rules/frequencies.yaml by code."""
    return _frequencies(id(rules.load(PACKAGE, "frequencies.yaml")))


def times_a_day(code: str) -> float | None:
    """How often a day; None for a code that is not known."""
    row = frequencies().get(code)
    return None if row is None else float(row["a_day"])


def converted(value: float, unit: str, into: str) -> float | None:
    """A value in another unit of the same kind; None when one cannot be told from the other."""
    unit, into = _UNITS.get(unit, _UNITS.get(unit.lower(), unit)), _UNITS.get(into, into)
    if unit == into:
        return value
    if unit in _MASS and into in _MASS:
        return value * _MASS[unit] / _MASS[into]
    return value * 1e4 if unit == "万U" and into == "U" else None


def at_once(line: Line, drug: Drug) -> float | None:
    """How much is taken at once, in the unit of the drug's dose; None when that cannot be told or is nothing."""
    if not line.dose > 0:
        return None
    direct = converted(line.dose, line.dose_unit, drug.dose.unit)
    if direct is not None:
        return direct
    if line.dose_unit == drug.unit:
        return converted(line.dose * drug.strength.value, drug.strength.unit, drug.dose.unit)
    counted = converted(line.dose, line.dose_unit, drug.strength.unit)
    return counted / drug.strength.value if counted is not None and drug.dose.unit == drug.unit else None


def units_at_once(line: Line, drug: Drug) -> float | None:
    """How many units (tablets, ampoules, ml) are taken at once; None when that cannot be told."""
    if line.dose_unit == drug.unit:
        return line.dose
    mass = converted(line.dose, line.dose_unit, drug.strength.unit)
    if mass is not None:
        return mass / drug.strength.value
    amount = at_once(line, drug)
    within = None if amount is None else converted(amount, drug.dose.unit, drug.strength.unit)
    return None if within is None else within / drug.strength.value


def units_given(line: Line, drug: Drug) -> float | None:
    """How many units are prescribed: a quantity in packages is counted out; None when none is said."""
    if not line.quantity > 0:
        return None
    return line.quantity if line.quantity_unit == drug.unit and drug.unit != drug.package else line.quantity * drug.per_package


def lasts(line: Line, drug: Drug) -> float | None:
    """For how many days the prescribed quantity lasts; None when that cannot be told."""
    often, each, given = times_a_day(line.frequency), units_at_once(line, drug), units_given(line, drug)
    return given / (each * often) if often and each and given else None


def check_frequency(rule: Rule, given: str) -> float:
    """How often a day, as a number without needless places."""
    return next(row["a_day"] for row in rule.table if row["code"] == given)
