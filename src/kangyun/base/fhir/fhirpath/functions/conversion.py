"""Conversion functions (FHIRPath N1, clause 5.5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from kangyun.base.fhir.fhirpath import quantity
from kangyun.base.fhir.fhirpath.frame import Frame
from kangyun.base.fhir.fhirpath.nodes import Item, Node
from kangyun.base.fhir.fhirpath.quantity import Quantity, parse_quantity
from kangyun.base.fhir.fhirpath.temporal import Date, DateTime, Time, parse_datetime, parse_time
from kangyun.base.fhir.fhirpath.values import expect, singleton

from .registry import FUNCTIONS, Function, Items

Convert: TypeAlias = Callable[[Item], "Item | None"]

WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})


def to_boolean(value: Item) -> bool | None:
    """Words and numbers for true and false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        return bool(value) if value in {0, 1} else None
    word = value.lower() if isinstance(value, str) else ""
    return True if word in TRUE else False if word in FALSE else None


def to_integer(value: Item) -> int | None:
    """Integers, booleans, and their text."""
    if isinstance(value, int):
        return int(value)
    return int(value) if isinstance(value, str) and WHOLE.fullmatch(value) else None


def to_decimal(value: Item) -> Decimal | None:
    """Numbers, booleans, and their text."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(int(value))
    return Decimal(value) if isinstance(value, str) and DECIMAL.fullmatch(value) else None


def to_string(value: Item) -> str | None:
    """Every system value as the literal that makes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return None if type(value) is Node else str(value)


def to_date(value: Item) -> Date | None:
    """Dates, the day of a moment, and their text."""
    if isinstance(value, str):
        value = parse_datetime(value)
    if not isinstance(value, DateTime):
        return None
    return Date(value.parts[:3])


def to_datetime(value: Item) -> DateTime | None:
    """Moments, dates, and their text."""
    if isinstance(value, str):
        return parse_datetime(value)
    if isinstance(value, Date):
        return DateTime(value.parts)
    return value if isinstance(value, DateTime) else None


def to_time(value: Item) -> Time | None:
    """Times of day and their text."""
    if isinstance(value, str):
        return parse_time(value.removeprefix("T"))
    return value if isinstance(value, Time) else None


def to_quantity(value: Item) -> Quantity | None:
    """Quantities, numbers as quantities of unit 1, and their text."""
    if isinstance(value, Quantity):
        return value
    if isinstance(value, str):
        return parse_quantity(value)
    number = to_decimal(value)
    return None if number is None else Quantity(number)


CONVERSIONS: dict[str, Convert] = {
    "Boolean": to_boolean,
    "Integer": to_integer,
    "Long": to_integer,
    "Decimal": to_decimal,
    "String": to_string,
    "Date": to_date,
    "DateTime": to_datetime,
    "Time": to_time,
    "Quantity": to_quantity,
}


def _register(name: str, convert: Convert) -> None:
    def converted(_: Frame, items: Items, unit: Items | None = None) -> Items:
        value = singleton(items, f"the input of to{name}()")
        result = None if value is None else _in_unit(convert(value), unit)
        return [] if result is None else [result]

    def converts(_: Frame, items: Items, unit: Items | None = None) -> Items:
        value = singleton(items, f"the input of convertsTo{name}()")
        return [] if value is None else [_in_unit(convert(value), unit) is not None]

    most = 1 if name == "Quantity" else 0
    FUNCTIONS[f"to{name}"] = Function(f"to{name}", 0, most, lazy=False, apply=converted)
    FUNCTIONS[f"convertsTo{name}"] = Function(f"convertsTo{name}", 0, most, lazy=False, apply=converts)


def _in_unit(value: Item | None, unit: Items | None) -> Item | None:
    if unit is None or not isinstance(value, Quantity):
        return value
    code: str | None = expect(unit, str, "a unit")
    return value if code is None else quantity.converted(value, quantity.CALENDAR_WORDS.get(code, code))


for _name, _convert in CONVERSIONS.items():
    _register(_name, _convert)
