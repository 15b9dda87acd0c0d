"""Items as values: the system value of a FHIR primitive, and what a function may expect of a collection.

System.Boolean is bool, Integer int, Decimal Decimal, String str; Date, DateTime, Time and Quantity have classes here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from .errors import FhirPathError
from .model import Model
from .nodes import Item, Json, Node
from .quantity import Quantity
from .temporal import Date, DateTime, Time, parse_date, parse_datetime, parse_time

QUANTITIES = frozenset({"Quantity", "Age", "Count", "Distance", "Duration"})
INTEGERS = frozenset({"integer", "positiveInt", "unsignedInt"})
LARGEST_EXPONENT = 1000
UCUM = "http://unitsofmeasure.org"


def system(item: Item) -> Item:
    """The system value of a primitive or quantity; every other node stays what it is."""
    if type(item) is not Node:
        return item
    value = item.value
    if value is None:
        return item
    convert = CONVERSIONS.get(item.type) if item.type else None
    if convert is not None:
        converted = convert(value)
        return item if converted is None else converted
    if isinstance(value, float | Decimal):
        converted = _decimal(value)
        return item if converted is None else converted
    return item if isinstance(value, dict | list) else value


def _decimal(value: Json) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    # 1E999999999 is a decimal to FHIR's grammar, but exact arithmetic with it would fill the memory.
    return number if number.is_finite() and abs(number.adjusted()) <= LARGEST_EXPONENT else None


def _integer(value: Json) -> int | None:
    return value if type(value) is int else None


def _quantity(value: Json) -> Quantity | None:
    if not isinstance(value, dict) or "value" not in value or "comparator" in value:
        return None
    number = _decimal(value["value"])
    coded = value.get("system") == UCUM and "code" in value
    unit = value["code"] if coded else value.get("unit") or value.get("code") or "1"
    return None if number is None or not isinstance(unit, str) else Quantity(number, unit)


def _text(parse: Callable[[str], Item | None]) -> Callable[[Json], Item | None]:
    return lambda value: parse(value) if isinstance(value, str) else None


CONVERSIONS: dict[str, Callable[[Json], Item | None]] = {
    "decimal": _decimal,
    "date": _text(parse_date),
    "dateTime": _text(parse_datetime),
    "instant": _text(parse_datetime),
    "time": _text(parse_time),
    **dict.fromkeys(INTEGERS, _integer),
    **dict.fromkeys(QUANTITIES, _quantity),
}


def type_of(item: Item, model: Model) -> tuple[str, str]:
    """Namespace and name of an item's type; elements defined in place are of their base, BackboneElement."""
    if type(item) is Node:
        name = item.type or "Element"
        return "FHIR", (model.base(name) or name) if "." in name else name
    return "System", SYSTEM_NAMES[type(item)]


SYSTEM_NAMES: dict[type, str] = {
    bool: "Boolean", int: "Integer", Decimal: "Decimal", str: "String",
    Date: "Date", DateTime: "DateTime", Time: "Time", Quantity: "Quantity",
}  # fmt: skip


def singleton(items: Sequence[Item], what: str = "the operand") -> Item | None:
    """The only item as a system value where it has one; None for an empty collection or a primitive without a value."""
    if not items:
        return None
    if len(items) > 1:
        raise FhirPathError(f"{what} must be a single value, not {len(items)}")
    value = system(items[0])
    return None if type(value) is Node and value.value is None else value


def truth(items: Sequence[Item]) -> bool | None:
    """A collection where a Boolean is expected: a single value that is not Boolean counts as true (clause 4.5)."""
    value = singleton(items, "a condition")
    if value is None or value is False:
        return value
    return True


def expect(items: Sequence[Item], kind: type | tuple[type, ...], what: str) -> Item | None:
    """The only item, of the given Python type; None for an empty collection."""
    value = singleton(items, what)
    # Python counts True among the integers, FHIRPath does not.
    if value is None or (isinstance(value, kind) and (type(value) is not bool or kind is bool)):
        return value
    raise FhirPathError(f"{what} has the wrong type")


def plain(items: Sequence[Item]) -> list[Json]:
    """Items as JSON: nodes as their raw value, dates and quantities as text."""
    return [_as_json(item) for item in items]


def _as_json(item: Item) -> Json:
    if type(item) is Node:
        return item.value
    return item if isinstance(item, bool | int | Decimal | str) else str(item)
