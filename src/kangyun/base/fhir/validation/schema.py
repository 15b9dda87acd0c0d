"""A strict JSON schema for each resource type: what it accepts needs no exact walk for its structure.

It is written for the plain case and refuses the rare ones that R4 allows (``_name`` twins, ids inside elements,
uncommon extension values, conditional references); validation then decides by the exact walk.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs

from kangyun.base.fhir import definitions
from kangyun.base.fhir.validation import bindings, primitives, references
from kangyun.base.fhir.validation.shapes import Property, Shape, shape

Json = dict[str, Any]

# Every further type makes each schema larger; these are what extensions hold in practice.
_EXTENSION_VALUES = """
    boolean integer decimal string code uri url canonical date dateTime instant positiveInt unsignedInt markdown id
    Coding CodeableConcept Reference Quantity Identifier Period Address HumanName ContactPoint Money Age
"""
EXTENSION_VALUES = frozenset(_EXTENSION_VALUES.split())
# "When one is there, the other must be too", where an invariant says exactly this.
_NEEDS = {
    "qty-3": {"code": ["system"]},
    "cpt-2": {"value": ["system"]},
    "att-1": {"data": ["contentType"]},
}
KEPT = frozenset(_NEEDS)
"""The invariants that a schema keeps, so that nobody need ask again."""


@cache
def validator(resource_type: str) -> jsonschema_rs.Draft4Validator:
    """The compiled schema of a resource type (about 15 ms and 1.7 MB).

    Draft 4 is meant: there 1.0 is no integer, as in FHIR. What is contained is only known to be an object, and a
    ``#`` reference only to be well-formed.
    """
    return jsonschema_rs.Draft4Validator(_Writer().resource(resource_type))


class _Writer:
    """Writes one schema and collects the definitions it needs."""

    def __init__(self) -> None:
        self._parts: dict[str, Json] = {}
        self._waiting: list[tuple[str, Property | None]] = []

    def resource(self, name: str) -> Json:
        whole = self._object(shape(name), inside=None)
        whole["properties"]["resourceType"] = {"enum": [name]}
        whole["required"] = ["resourceType", *whole.get("required", [])]
        while self._waiting:
            part, found = self._waiting.pop()
            self._parts[part] = self._object(shape(part.split(":")[0]), inside=found)
        return {**whole, "definitions": self._parts}

    def _object(self, expected: Shape, *, inside: Property | None) -> Json:
        known = {p.name: self._property(p, inside) for p in expected.properties.values() if _plain(expected, p)}
        written: Json = {"type": "object", "properties": known, "additionalProperties": False}
        single = [names[0] for _, names in expected.required if len(names) == 1]
        choices = [names for _, names in expected.required if len(names) > 1]
        if single:
            written["required"] = single
        elif expected.kind != "resource":
            written["minProperties"] = 1
        if expected.name == "Extension":
            # Besides the url either one value or the extensions.
            return {**written, "minProperties": 2, "maxProperties": 2}
        if choices:
            written["allOf"] = [{"anyOf": [{"required": [name]} for name in names]} for names in choices]
        needed = {**_exclusions(expected, known), **_needs(expected)}
        if expected.name == "Reference":
            # Whether a type agrees with what a reference says is for the exact walk.
            needed["type"] = {"not": {"required": ["reference"]}}
        return {**written, "dependencies": needed} if needed else written

    def _property(self, found: Property, inside: Property | None) -> Json:
        one = self._one(found, inside)
        if not found.repeats:
            return one
        many: Json = {"type": "array", "minItems": 1, "items": one}
        return many if found.most is None else {**many, "maxItems": found.most}

    def _one(self, found: Property, inside: Property | None) -> Json:
        if found.kind == "resource":
            return {"type": "object", "required": ["resourceType"]}
        if found.primitive:
            return self._primitive(found, inside)
        name = found.type
        if name == "Reference":
            name = "Reference:" + "|".join(found.ref.targets)
        if name not in self._parts:
            self._parts[name] = {}
            self._waiting.append((name, found))
        return {"$ref": f"#/definitions/{name}".replace("|", "%7C")}

    def _primitive(self, found: Property, inside: Property | None) -> Json:
        codes = bindings.required_codes(found.element.binding)
        if codes is not None:
            return {"enum": sorted(bindings.plain_codes(codes))}
        if found.element.path == "Reference.reference" and inside is not None:
            targets = references.pattern(inside.ref.targets, definitions.load().resources)
            return {"type": "string", "pattern": targets}
        if found.element.path == "Reference.type":
            return {"enum": _types_of(inside)}
        return _PRIMITIVES[found.type]


def _plain(expected: Shape, found: Property) -> bool:
    """Whether the quick way knows a property; the others are for the exact walk."""
    if expected.name == "Extension" and found.step == "value":
        return found.type in EXTENSION_VALUES
    return found.name != "id" or expected.kind == "resource"


def _types_of(inside: Property | None) -> list[str]:
    """What a Reference in this place may say of the type of its target, in the plain case."""
    targets = inside.ref.targets if inside is not None else ()
    return sorted(definitions.load().resources) if not targets or "Resource" in targets else sorted(targets)


def _needs(expected: Shape) -> Json:
    found: Json = {}
    for constraint in expected.constraints:
        found.update(_NEEDS.get(constraint.key, {}))
    return found


def _exclusions(expected: Shape, known: Json) -> Json:
    """Each name of a choice forbids the others."""
    found: Json = {}
    for _, names in expected.choices:
        plain = [name for name in names if name in known]
        for name in plain:
            others = [{"required": [other]} for other in plain if other != name]
            if others:
                found[name] = {"not": {"anyOf": others}}
    return found


def _primitive_schemas() -> dict[str, Json]:
    found: dict[str, Json] = {"boolean": {"type": "boolean"}, "decimal": {"type": "number"}}
    for name, (low, high) in primitives.RANGES.items():
        found[name] = {"type": "integer", "minimum": low, "maximum": high}
    for name, pattern in primitives.PATTERNS.items():
        found[name] = {"type": "string", "pattern": f"^(?:{pattern})$", "minLength": 1}
    for name in ("string", "markdown"):
        found[name]["maxLength"] = primitives.MAX_STRING
    return found


_PRIMITIVES = _primitive_schemas()
