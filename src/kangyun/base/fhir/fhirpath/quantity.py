"""A number with a unit: UCUM code or calendar word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from . import ucum

CALENDAR = ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
# Singular and plural keywords of the grammar -> the singular, which is how the unit is kept.
CALENDAR_WORDS = {word: word for word in CALENDAR} | {word + "s": word for word in CALENDAR}
# Weeks and below are exact times, so they equal their UCUM counterparts; years and months are not (clause 6.1.1).
EXACT = {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
INEXACT = {
    "year": ucum.Measure(Fraction(12), (("calendar month", 1),)),
    "month": ucum.Measure(Fraction(1), (("calendar month", 1),)),
}
QUANTITY_TEXT = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([a-z]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    """``unit`` is a UCUM code (``mg``, ``1``) or a calendar word in the singular (``day``)."""

    value: Decimal
    unit: str = "1"

    def __str__(self) -> str:
        value = format(self.value, "f")
        if self.unit in CALENDAR:
            return f"{value} {self.unit}{'s' if self.value != 1 else ''}"
        return f"{value} '{self.unit}'"

    def measure(self) -> ucum.Measure | None:
        """The unit in base units; None when it is not known."""
        return INEXACT.get(self.unit) or ucum.measure(EXACT.get(self.unit, self.unit))


def parse_quantity(text: str) -> Quantity | None:
    """``1``, ``1.5 'mg'`` or ``4 days``; None when malformed."""
    found = QUANTITY_TEXT.fullmatch(text)
    if found is None:
        return None
    number, code, word = found.groups()
    if word is not None:
        return Quantity(Decimal(number), CALENDAR_WORDS[word]) if word in CALENDAR_WORDS else None
    return Quantity(Decimal(number), CALENDAR_WORDS.get(code or "1", code or "1"))


def decimal_of(value: Fraction) -> Decimal:
    """The nearest decimal of an exact fraction."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def comparable(left: Quantity, right: Quantity) -> tuple[Fraction, Fraction] | None:
    """Both values in the same unit; None when the units do not measure the same thing or are unknown."""
    if left.unit == right.unit:
        return Fraction(left.value), Fraction(right.value)
    one, other = left.measure(), right.measure()
    if one is None or other is None or one.dimension != other.dimension:
        return None
    return Fraction(left.value) * one.factor, Fraction(right.value) * other.factor


def converted(value: Quantity, unit: str) -> Quantity | None:
    """The same amount in another unit."""
    one, other = value.measure(), Quantity(Decimal(1), unit).measure()
    if one is None or other is None or one.dimension != other.dimension:
        return None
    return Quantity(decimal_of(Fraction(value.value) * one.factor / other.factor), unit)


def multiplied(left: Quantity, right: Quantity) -> Quantity | None:
    """The product, in base units unless one side is a plain number; None when a unit is unknown."""
    if left.unit == "1" or right.unit == "1":
        return Quantity(left.value * right.value, left.unit if right.unit == "1" else right.unit)
    one, other = left.measure(), right.measure()
    joint = ucum.product(one, other) if one else None
    return _in_base_units(Fraction(left.value) * Fraction(right.value), joint) if joint else None


def divided(left: Quantity, right: Quantity) -> Quantity | None:
    """The quotient, in base units unless the divisor is a plain number; None for zero or an unknown unit."""
    if right.value == 0:
        return None
    if right.unit == "1":
        return Quantity(left.value / right.value, left.unit)
    one, other = left.measure(), right.measure()
    if one is None or other is None:
        return Quantity(left.value / right.value) if left.unit == right.unit else None
    return _in_base_units(Fraction(left.value) / Fraction(right.value), ucum.quotient(one, other))


def _in_base_units(value: Fraction, measure: ucum.Measure) -> Quantity:
    return Quantity(decimal_of(value * measure.factor), ucum.code_of(measure.dimension))
