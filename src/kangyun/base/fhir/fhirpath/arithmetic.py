"""``+ - * / div mod &`` (FHIRPath N1, clauses 6.6 and 6.7)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn

from . import quantity
from .comparison import as_quantity
from .errors import FhirPathError
from .nodes import Item
from .quantity import Quantity
from .temporal import DateTime, Temporal, Time, add_milliseconds, add_months, add_to_time

# Exact time units, calendar words and their UCUM codes, in milliseconds.
MILLISECONDS = {
    "week": 604_800_000, "day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1,
    "wk": 604_800_000, "d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000, "ms": 1,
}  # fmt: skip
SECONDS = frozenset({"second", "s"})
MONTHS = {"year": 12, "month": 1}
# The smallest step of a moment that is known to its first, second, ... part (clause 6.7: 1 year = 365 days, 1 month = 30 days).
STEPS = (365 * 86_400_000, 30 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1)
NUMBER = (int, Decimal)


def _is_number(value: Item) -> bool:
    return isinstance(value, NUMBER) and not isinstance(value, bool)


def _mismatch(operator: str) -> NoReturn:
    raise FhirPathError(f"{operator} cannot join values of these types")


def add(left: Item, right: Item) -> Item | None:
    """The sum, the joined text, or the moved date."""
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, Temporal):
        return moved(left, right, 1) if isinstance(right, Quantity) else _mismatch("+")
    return _linear("+", left, right, lambda one, other: one + other)


def subtract(left: Item, right: Item) -> Item | None:
    """The difference, or the moved date."""
    if isinstance(left, Temporal):
        return moved(left, right, -1) if isinstance(right, Quantity) else _mismatch("-")
    return _linear("-", left, right, lambda one, other: one - other)


def _linear(operator: str, left: Item, right: Item, apply: Callable[[Item, Item], Item]) -> Item | None:
    if _is_number(left) and _is_number(right):
        return apply(left, right)
    one, other = as_quantity(left), as_quantity(right)
    if one is None or other is None:
        return _mismatch(operator)
    same = other if one.unit == other.unit else quantity.converted(other, one.unit)
    return Quantity(apply(one.value, same.value), one.unit) if same else None


def multiply(left: Item, right: Item) -> Item | None:
    """The product."""
    if _is_number(left) and _is_number(right):
        return left * right
    one, other = as_quantity(left), as_quantity(right)
    return quantity.multiplied(one, other) if one and other else _mismatch("*")


def divide(left: Item, right: Item) -> Item | None:
    """The quotient as a Decimal or Quantity; None for a division by zero."""
    if _is_number(left) and _is_number(right):
        return Decimal(left) / Decimal(right) if right else None
    one, other = as_quantity(left), as_quantity(right)
    return quantity.divided(one, other) if one and other else _mismatch("/")


def whole(left: Item, right: Item) -> Item | None:
    """``div``: the quotient cut to an Integer."""
    if not (_is_number(left) and _is_number(right)):
        _mismatch("div")
    return int(Decimal(left) // Decimal(right)) if right else None


def remainder(left: Item, right: Item) -> Item | None:
    """``mod``: what ``div`` leaves, with the sign of the left side."""
    if not (_is_number(left) and _is_number(right)):
        _mismatch("mod")
    if not right:
        return None
    rest = Decimal(left) % Decimal(right)
    return int(rest) if isinstance(left, int) and isinstance(right, int) else rest


def negate(value: Item) -> Item:
    """``-value``."""
    if isinstance(value, Quantity):
        return Quantity(-value.value, value.unit)
    return -value if _is_number(value) else _mismatch("-")


def moved(value: Temporal, by: Quantity, sign: int) -> Temporal | None:
    """A date or time moved by a duration; None when it leaves the calendar (years 1 to 9999)."""
    if by.unit not in MILLISECONDS and by.unit not in MONTHS:
        raise FhirPathError("a date moves by calendar durations or weeks, days, hours, minutes, seconds only")
    try:
        if isinstance(value, Time):
            return add_to_time(value, sign * _exact(by)) if by.unit in MILLISECONDS else None
        assert isinstance(value, DateTime)
        return _moved_date(value, by, sign)
    except (ValueError, OverflowError):
        return None


def _moved_date(value: DateTime, by: Quantity, sign: int) -> DateTime:
    if by.unit in MONTHS:
        months = int(by.value) * MONTHS[by.unit]
        return add_months(value, sign * (months if len(value.parts) > 1 else months // 12 * 12))
    steps = _exact(by) // STEPS[len(value.parts) - 1]
    if len(value.parts) <= 2:
        return add_months(value, sign * steps * (12 if len(value.parts) == 1 else 1))
    return add_milliseconds(value, sign * steps * STEPS[len(value.parts) - 1])


def _exact(by: Quantity) -> int:
    # Decimal places count for seconds only (clause 6.7).
    value = by.value if by.unit in SECONDS else int(by.value)
    return int(value * MILLISECONDS[by.unit])
