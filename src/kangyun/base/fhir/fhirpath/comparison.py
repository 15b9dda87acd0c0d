"""Equality, equivalence and order of items (FHIRPath N1, clauses 6.1 and 6.2)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from . import temporal
from .errors import FhirPathError
from .nodes import Item, Json, Node
from .quantity import Quantity, comparable, converted
from .temporal import DateTime, Temporal, Time
from .values import system

ROUNDING = Context(prec=60, rounding=ROUND_HALF_UP)


def equal(left: Sequence[Item], right: Sequence[Item]) -> bool | None:
    """``left = right`` of two collections: None when one is empty or partial dates leave it open."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    answers = [equal_items(one, other) for one, other in zip(left, right, strict=True)]
    if False in answers:
        return False
    return None if None in answers else True


def equal_items(left: Item, right: Item) -> bool | None:
    """Whether two items are equal; None when it cannot be known."""
    one, other = system(left), system(right)
    if _valueless(one) is not _valueless(other):
        # A primitive that has only extensions (why its value is absent) may have any value.
        return None
    if isinstance(one, Temporal) and isinstance(other, Temporal):
        if isinstance(one, Time) is not isinstance(other, Time):
            return False
        found = temporal.compare(one, other)
        return None if found is None else found == 0
    if isinstance(one, Quantity) or isinstance(other, Quantity):
        return _equal_quantities(as_quantity(one), as_quantity(other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if type(one) is Node and type(other) is Node:
        return one.value == other.value and (one.value is not None or one.extra == other.extra)
    return bool(one == other)


def _valueless(value: Item) -> bool:
    return type(value) is Node and value.value is None


def as_quantity(value: Item) -> Quantity | None:
    """A quantity, or a number as a quantity of unit 1."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Quantity(Decimal(value))
    return value if isinstance(value, Quantity) else None


def _equal_quantities(left: Quantity | None, right: Quantity | None) -> bool | None:
    if left is None or right is None:
        return False
    pair = comparable(left, right)
    if pair is not None:
        return pair[0] == pair[1]
    # A calendar year against the year of UCUM is open; a length against a mass is not equal.
    return None if _time_like(left) and _time_like(right) else False


def _time_like(value: Quantity) -> bool:
    measure = value.measure()
    return measure is not None and measure.dimension in {(("s", 1),), (("calendar month", 1),)}


def equivalent(left: Sequence[Item], right: Sequence[Item]) -> bool:
    """``left ~ right`` of two collections, without regard to order."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for one in left:
        match = next((index for index, other in enumerate(rest) if equivalent_items(one, other)), None)
        if match is None:
            return False
        del rest[match]
    return True


def equivalent_items(left: Item, right: Item) -> bool:
    """Whether two items are as good as the same."""
    one, other = system(left), system(right)
    if isinstance(one, str) and isinstance(other, str):
        return _folded(one) == _folded(other)
    if isinstance(one, Quantity) and isinstance(other, Quantity):
        return _equivalent_quantities(one, other)
    if _is_number(one) and _is_number(other):
        return _equivalent_numbers(Decimal(str(one)), Decimal(str(other)))
    if type(one) is Node and type(other) is Node:
        return _equivalent_json(one.value, other.value)
    return equal_items(one, other) is True


def _is_number(value: Item) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _equivalent_numbers(left: Decimal, right: Decimal) -> bool:
    step = Decimal(1).scaleb(-min(decimals(left), decimals(right)))
    return left.quantize(step, context=ROUNDING) == right.quantize(step, context=ROUNDING)


def decimals(value: Decimal) -> int:
    """How many digits stand after the point."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _equivalent_quantities(left: Quantity, right: Quantity) -> bool:
    if left.unit == right.unit:
        return _equivalent_numbers(left.value, right.value)
    coarse, fine = (left, right) if _size(left) >= _size(right) else (right, left)
    moved = converted(fine, coarse.unit)
    return moved is not None and _equivalent_numbers(coarse.value, moved.value)


def _size(value: Quantity) -> Fraction:
    measure = value.measure()
    return measure.factor if measure else Fraction(0)


def _equivalent_json(left: Json, right: Json) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equivalent_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        nodes = [Node(None, value) for value in left], [Node(None, value) for value in right]
        return equivalent(*nodes)
    if isinstance(left, dict | list) or isinstance(right, dict | list):
        return False
    return equivalent_items(left, right)


def compare(left: Item, right: Item) -> int | None:
    """-1, 0 or 1 of two system values; None when partial dates or units leave it open."""
    one, other = system(left), system(right)
    if isinstance(one, Temporal) and isinstance(other, Temporal):
        return _compare_temporal(one, other)
    if isinstance(one, str) and isinstance(other, str):
        return (one > other) - (one < other)
    if _is_number(one) and _is_number(other):
        return (one > other) - (one < other)
    first, second = as_quantity(one), as_quantity(other)
    if first is None or second is None:
        raise FhirPathError("values of these types have no order between them")
    pair = comparable(first, second)
    return None if pair is None else (pair[0] > pair[1]) - (pair[0] < pair[1])


def _compare_temporal(left: Temporal, right: Temporal) -> int | None:
    if isinstance(left, Time) is not isinstance(right, Time):
        raise FhirPathError("a time of day and a date have no order between them")
    return temporal.compare(left, right)


def key(item: Item) -> Hashable:
    """What two items share exactly when they are equal, so that sets can find duplicates."""
    value = system(item)
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, DateTime):
        moment = value.in_utc() if value.offset is not None else value
        return DateTime, moment.components(), value.offset is None
    if isinstance(value, Time):
        return Time, value.components()
    if isinstance(value, Quantity):
        measure = value.measure()
        return (Fraction(value.value) * measure.factor, measure.dimension) if measure else (value.value, value.unit)
    if type(value) is Node:
        return _frozen(value.extra if value.value is None else value.value)
    return value


def _frozen(value: Json) -> Hashable:
    if isinstance(value, dict):
        return frozenset((name, _frozen(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return tuple(_frozen(inner) for inner in value)
    return (bool, value) if isinstance(value, bool) else value


def distinct(items: Sequence[Item]) -> list[Item]:
    """The first of each group of equal items, in order."""
    if len(items) < 2:
        return list(items)
    found: dict[Hashable, Item] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())
