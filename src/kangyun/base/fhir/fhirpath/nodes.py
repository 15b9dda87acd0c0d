"""FHIR elements while an expression runs, and the way from one to those below it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeAlias

from .model import Model

# JSON and mixed collections have no narrower static type.
Json: TypeAlias = Any
Item: TypeAlias = Any

NOT_ELEMENTS = frozenset({"resourceType", "fhir_comments"})
# What bare JSON tells of its type where nothing else does.
GUESSES: dict[type, str] = {bool: "boolean", int: "integer", float: "decimal", Decimal: "decimal", str: "string"}


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


def child_nodes(node: Node, name: str, model: Model) -> Iterator[Node]:
    """The children of a node under one FHIRPath name, in the order of the document."""
    value = node.value
    if not isinstance(value, dict):
        yield from _beside_primitive(node.extra, name)
    elif node.type is None:
        yield from _guessed(value, name, model)
    elif child := model.child(node.type, name):
        for found in child.properties:
            yield from _property(value, found.key, found.type, primitive=found.primitive)


def _beside_primitive(extra: Json, name: str) -> Iterator[Node]:
    if isinstance(extra, dict) and name in {"extension", "id"}:
        yield from _property(extra, name, "Extension" if name == "extension" else "string", primitive=False)


def all_children(node: Node, model: Model) -> Iterator[Node]:
    """All children of a node."""
    known = model.properties(node.type) if node.type else {}
    source = node.value if isinstance(node.value, dict) else node.extra
    keys = [key.removeprefix("_") for key in source if key not in NOT_ELEMENTS] if isinstance(source, dict) else []
    # A choice has its FHIRPath name; a primitive and the object beside it are one element.
    names = dict.fromkeys(known[key][0] if key in known else key for key in keys)
    for name in names:
        yield from child_nodes(node, name, model)


def _property(value: dict[str, Json], key: str, type_name: str | None, *, primitive: bool) -> Iterator[Node]:
    raw = value.get(key)
    extra = value.get("_" + key) if primitive else None
    if isinstance(raw, list) or isinstance(extra, list):
        yield from _repeated(raw or [], extra or [], type_name)
    elif raw is not None or extra is not None:
        yield Node(concrete(type_name, raw), raw, extra)


def _repeated(values: Json, extras: Json, type_name: str | None) -> Iterator[Node]:
    if not isinstance(values, list) or not isinstance(extras, list):
        return
    for index in range(max(len(values), len(extras))):
        raw = values[index] if index < len(values) else None
        extra = extras[index] if index < len(extras) else None
        if raw is not None or extra is not None:
            yield Node(concrete(type_name, raw), raw, extra)


def concrete(type_name: str | None, raw: Json) -> str | None:
    """The type of a node: a resource says its own."""
    if type_name not in {None, "Resource", "DomainResource"}:
        return type_name
    said = raw.get("resourceType") if isinstance(raw, dict) else GUESSES.get(type(raw))
    return said if isinstance(said, str) else type_name


def _guessed(value: dict[str, Json], name: str, model: Model) -> Iterator[Node]:
    """Children of a node without a known type: the name itself, or the name followed by a type's name."""
    yield from _property(value, name, None, primitive=True)
    for key in value:
        found = _type_after(name, key, model)
        if found is not None:
            yield from _property(value, key, found, primitive=model.is_primitive(found))


def _type_after(name: str, key: str, model: Model) -> str | None:
    suffix = key.removeprefix(name)
    if not key.startswith(name) or not suffix[:1].isupper():
        return None
    return next((one for one in (suffix, suffix[0].lower() + suffix[1:]) if model.knows(one)), None)
