"""What flows through an evaluation: FHIR elements as nodes, and system values as Python values.

System.Boolean is bool, Integer int, Decimal Decimal, String str; Date, DateTime, Time and Quantity have classes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from .errors import FhirPathError
from .model import Model
from .quantity import Quantity
from .temporal import Date, DateTime, Time, parse_date, parse_datetime, parse_time

# JSON and mixed collections have no narrower static type.
Json: TypeAlias = Any
Item: TypeAlias = Any

QUANTITIES = frozenset({"Quantity", "Age", "Count", "Distance", "Duration"})
INTEGERS = frozenset({"integer", "positiveInt", "unsignedInt"})
LARGEST_EXPONENT = 1000
UCUM = "http://unitsofmeasure.org"


class Node:
    """An element of a resource.

    ``type`` is its FHIR type (``HumanName``, ``code``, ``Patient.contact``), None where nothing tells it. ``value`` is the
    raw JSON, None for a primitive that has only extensions. ``extra`` is the JSON beside a primitive (``_birthDate``).
    """

    __slots__ = ("extra", "type", "value")

    def __init__(self, type_name: str | None, value: Json, extra: Json = None) -> None:
        self.type = type_name
        self.value = value
        self.extra = extra

    def __repr__(self) -> str:
        # Values stay out: a node may show up in a log or a traceback.
        return f"Node({self.type})"


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
        return _decimal(value) or item
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


def child_nodes(node: Node, name: str, model: Model) -> Iterator[Node]:
    """The children of a node under one FHIRPath name, in the order of the document."""
    value = node.value
    if not isinstance(value, dict):
        if node.extra is not None and name in {"extension", "id"}:
            yield from _property(node.extra, name, "Extension" if name == "extension" else "string", primitive=False)
        return
    if node.type is None:
        yield from _guessed(value, name, model)
        return
    child = model.child(node.type, name)
    if child is not None:
        for found in child.properties:
            if found.key in value or (found.primitive and "_" + found.key in value):
                yield from _property(value, found.key, found.type, primitive=found.primitive)


def all_children(node: Node, model: Model) -> Iterator[Node]:
    """All children of a node."""
    names: dict[str, None] = {}
    known = model.properties(node.type) if node.type else {}
    source = node.value if isinstance(node.value, dict) else node.extra
    for key in source or ():
        plain = key.removeprefix("_")
        if plain not in {"resourceType", "fhir_comments"}:
            names[known[plain][0] if plain in known else plain] = None
    for name in names:
        yield from child_nodes(node, name, model)


def _property(value: dict[str, Json], key: str, type_name: str, *, primitive: bool) -> Iterator[Node]:
    raw = value.get(key)
    extra = value.get("_" + key) if primitive else None
    if isinstance(raw, list) or isinstance(extra, list):
        yield from _repeated(raw or [], extra or [], type_name)
    elif raw is not None or extra is not None:
        yield Node(concrete(type_name, raw), raw, extra)


def _repeated(values: Json, extras: Json, type_name: str) -> Iterator[Node]:
    if not isinstance(values, list) or not isinstance(extras, list):
        return
    for index in range(max(len(values), len(extras))):
        raw = values[index] if index < len(values) else None
        extra = extras[index] if index < len(extras) else None
        if raw is not None or extra is not None:
            yield Node(concrete(type_name, raw), raw, extra)


def concrete(type_name: str | None, raw: Json) -> str | None:
    """The type of a node: a resource says its own."""
    if type_name in {None, "Resource", "DomainResource"} and isinstance(raw, dict):
        return raw.get("resourceType", type_name)
    return type_name


def _guessed(value: dict[str, Json], name: str, model: Model) -> Iterator[Node]:
    """Children of a node without a known type: the name itself, or the name followed by a type's name."""
    for key in value:
        if key == name:
            yield from (Node(_guessed_type(found.value), found.value, found.extra) for found in _all(value, key))
        elif key.startswith(name):
            suffix = key[len(name) :]
            for candidate in (suffix, suffix[0].lower() + suffix[1:]):
                if suffix[0].isupper() and model.knows(candidate):
                    yield from _property(value, key, candidate, primitive=model.is_primitive(candidate))
                    break


def _all(value: dict[str, Json], key: str) -> Iterator[Node]:
    return _property(value, key, "", primitive=True)


def _guessed_type(raw: Json) -> str | None:
    if isinstance(raw, dict):
        return raw.get("resourceType")
    names: dict[type, str] = {bool: "boolean", int: "integer", float: "decimal", Decimal: "decimal", str: "string"}
    return names.get(type(raw))


def singleton(items: Sequence[Item], what: str = "the operand") -> Item | None:
    """The only item as a system value where it has one; None for an empty collection."""
    if not items:
        return None
    if len(items) > 1:
        raise FhirPathError(f"{what} must be a single value, not {len(items)}")
    return system(items[0])


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
