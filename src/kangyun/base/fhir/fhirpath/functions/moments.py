"""The current time, boundaries and precision (FHIRPath N1, clause 5.9, and the functions that 2.1 added)."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from typing import Any

from kangyun.base.fhir.fhirpath.comparison import decimals
from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.frame import Frame
from kangyun.base.fhir.fhirpath.quantity import Quantity, comparable
from kangyun.base.fhir.fhirpath.temporal import Date, DateTime, Time, boundary
from kangyun.base.fhir.fhirpath.values import expect, singleton

from .registry import Items, function

WIDE = Context(prec=80)
DEFAULT_DIGITS = 8
MOST_DIGITS = 31
# How many parts a date or time of so many digits has.
DATE_PARTS = {4: 1, 6: 2, 8: 3, 10: 4, 12: 5, 14: 6, 17: 7}
TIME_PARTS = {2: 1, 4: 2, 6: 3, 9: 4}


@function("now")
def now(frame: Frame, _: Items) -> Items:
    """The moment of the evaluation."""
    return [frame.environment.now()]


@function("today")
def today(frame: Frame, _: Items) -> Items:
    """The day of the evaluation."""
    return [Date(frame.environment.now().parts[:3])]


@function("timeOfDay")
def time_of_day(frame: Frame, _: Items) -> Items:
    """The time of day of the evaluation."""
    moment = frame.environment.now()
    return [Time(moment.parts[3:], moment.fraction)]


@function("lowBoundary", 0, 1)
def low_boundary(_: Frame, items: Items, digits: Items | None = None) -> Items:
    """The least value that the input can stand for, given how precisely it was written."""
    return _bounded(items, digits, last=False)


@function("highBoundary", 0, 1)
def high_boundary(_: Frame, items: Items, digits: Items | None = None) -> Items:
    """The greatest value that the input can stand for, given how precisely it was written."""
    return _bounded(items, digits, last=True)


def _bounded(items: Items, digits: Items | None, *, last: bool) -> Items:
    value = singleton(items, "the input of a boundary")
    wanted = expect(digits or [], int, "a precision")
    if value is None:
        return []
    result = _boundary(value, wanted, last=last)
    return [] if result is None else [result]


def _boundary(value: Any, wanted: int | None, *, last: bool) -> Any | None:
    if isinstance(value, Quantity):
        number = _decimal_boundary(value.value, wanted, last=last)
        return None if number is None else Quantity(number, value.unit)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _decimal_boundary(Decimal(value), wanted, last=last)
    if isinstance(value, DateTime):
        return _date_boundary(value, wanted, last=last)
    if isinstance(value, Time):
        return _time_boundary(value, wanted, last=last)
    raise FhirPathError("only numbers, quantities, dates and times have boundaries")


def _decimal_boundary(value: Decimal, wanted: int | None, *, last: bool) -> Decimal | None:
    digits = DEFAULT_DIGITS if wanted is None else wanted
    if not 0 <= digits <= MOST_DIGITS:
        return None
    half = Decimal(5).scaleb(-decimals(value) - 1)
    limit = WIDE.add(value, half if last else -half)
    # Away from zero the limit itself still counts; towards zero it is cut, as the official examples do.
    outwards = last is (value >= 0)
    return limit.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP if outwards else ROUND_DOWN, WIDE)


def _date_boundary(value: DateTime, wanted: int | None, *, last: bool) -> DateTime | None:
    is_date = isinstance(value, Date)
    parts = DATE_PARTS.get((8 if is_date else 17) if wanted is None else wanted)
    if parts is None:
        return None
    full = boundary(value, last=last)
    if is_date and parts <= 3:
        return Date(full.parts[:parts])
    if parts == 7:
        return full
    return DateTime(full.parts[:parts], "", full.offset if parts > 3 else None)


def _time_boundary(value: Time, wanted: int | None, *, last: bool) -> Time | None:
    parts = TIME_PARTS.get(9 if wanted is None else wanted)
    if parts is None:
        return None
    full = boundary(DateTime((2000, 1, 1, *value.parts), value.fraction), last=last)
    return Time(full.parts[3:][:parts], full.fraction if parts == 4 else "")


@function("precision")
def precision(_: Frame, items: Items) -> Items:
    """How many digits of a number (after the point), date or time are known."""
    value = singleton(items, "the input of precision()")
    if value is None:
        return []
    if isinstance(value, DateTime | Time):
        return [value.precision()]
    if isinstance(value, int | Decimal):
        return [decimals(Decimal(value))]
    raise FhirPathError("only numbers, dates and times have a precision")


@function("comparable", 1)
def is_comparable(_: Frame, items: Items, other: Items) -> Items:
    """Whether two quantities measure the same thing."""
    left = expect(items, Quantity, "the input of comparable()")
    right = expect(other, Quantity, "the argument of comparable()")
    return [] if left is None or right is None else [comparable(left, right) is not None]
