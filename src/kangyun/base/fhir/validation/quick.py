"""Quick acceptance: the strict schema, then only those nodes that a schema cannot judge.

accept() says yes only to what the exact walk would find faultless; anything unusual is left to the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from kangyun.base.fhir import definitions
from kangyun.base.fhir.definitions import ElementDef
from kangyun.base.fhir.validation import bindings, extensions, invariants, narrative
from kangyun.base.fhir.validation.invariants import Rule, Test
from kangyun.base.fhir.validation.schema import validator
from kangyun.base.fhir.validation.shapes import Property, shape

Json = dict[str, Any]
IN_EXTENSION = frozenset({"Extension", "Element"})


@dataclass(slots=True)
class Scope:
    """The resource, its container, and the ``#`` references met so far."""

    resource: Json
    root: Json
    pointers: set[str]


Check = Callable[[Any, Scope], bool]

_validators: dict[tuple[str, bool], jsonschema_rs.Draft4Validator] = {}
_checks: dict[str, Check] = {}


def accept(resource: Any) -> bool:
    """Whether a resource is certainly faultless."""
    if not isinstance(resource, dict):
        return False
    scope = Scope(resource, resource, set())
    kept = resource.get("contained")
    if kept is None:
        return _accept(resource, scope, contains=False)
    if not isinstance(kept, list) or not all(_flat(one) for one in kept):
        return False
    if not _accept(resource, scope, contains=True):
        return False
    if not all(_accept(one, Scope(one, resource, scope.pointers), contains=True) for one in kept):
        return False
    # Every contained resource is pointed to, and nothing else.
    names = [one["id"] for one in kept]
    return len(set(names)) == len(names) and scope.pointers == set(names)


def _flat(one: Any) -> bool:
    """dom-2, dom-4, dom-5 in the plain case of a contained resource without meta."""
    return isinstance(one, dict) and "contained" not in one and "meta" not in one and isinstance(one.get("id"), str)


def _accept(resource: Json, scope: Scope, *, contains: bool) -> bool:
    name = resource.get("resourceType")
    if not isinstance(name, str):
        return False
    found = _validators.get((name, contains))
    if found is None:
        if name not in definitions.load().resources:
            return False
        found = _validators[name, contains] = validator(name, contains=contains)
    return found.is_valid(resource) and (_checks.get(name) or _check(name))(resource, scope)


def _check(name: str) -> Check:
    """The check of a type beyond its schema; built once, before its parts because types contain themselves."""
    if name in _checks:
        return _checks[name]
    table: dict[str, Check] = {}
    _checks[name] = found = _reference(table) if name == "Reference" else _object(table, _errors(name))
    expected = shape(name)
    for one in expected.properties.values():
        part = _property(one, expected.ancestry)
        if part is not None:
            table[one.name] = part
    return found


def _errors(name: str) -> tuple[Test, ...]:
    return tuple(rule.holds for rule in invariants.of_type(name) if rule.severity == "error")


def _object(table: dict[str, Check], rules: tuple[Test, ...]) -> Check:
    def without_rules(node: Json, scope: Scope) -> bool:
        for name in node:
            part = table.get(name)
            if part is not None and not part(node[name], scope):
                return False
        return True

    def with_rules(node: Json, scope: Scope) -> bool:
        if not without_rules(node, scope):
            return False
        return all(holds(node, scope.resource, scope.root) for holds in rules)

    return with_rules if rules else without_rules


def _reference(table: dict[str, Check]) -> Check:
    def check(node: Json, scope: Scope) -> bool:
        text = node.get("reference")
        if text is not None and text[0] == "#":
            scope.pointers.add(text[1:])
        return len(node) == 1 or all(name not in table or table[name](node[name], scope) for name in node)

    return check


def _property(found: Property, holder: frozenset[str]) -> Check | None:
    """The check of one property's whole value; None when the schema has said everything."""
    if found.name == "contained":
        return None
    if found.type == "Extension":
        return _extensions(holder, modifier=found.name == "modifierExtension")
    one = _item(found)
    if one is None:
        return None
    return _each(one) if found.repeats else one


def _each(one: Check) -> Check:
    def check(items: list[Any], scope: Scope) -> bool:
        for item in items:  # noqa: SIM110 - a generator would cost more than the check
            if not one(item, scope):
                return False
        return True

    return check


def _item(found: Property) -> Check | None:
    parts = [part for part in (_below(found), _binding(found), _rules(found.element, found.type)) if part is not None]
    if len(parts) < 2:
        return parts[0] if parts else None
    return lambda value, scope: all(part(value, scope) for part in parts)


def _below(found: Property) -> Check | None:
    if found.kind == "resource":
        return lambda value, _scope: accept(value)
    if found.type == "xhtml":
        return lambda value, _scope: narrative.fault(value) is None
    return None if found.primitive else _check(found.type)


def _binding(found: Property) -> Check | None:
    codes = bindings.required_codes(found.element.binding)
    if codes is None or found.primitive:
        return None
    return lambda value, _scope: bindings.keeps(codes, value)


def _rules(element: ElementDef, type_name: str) -> Check | None:
    rules: tuple[Rule, ...] = invariants.of_element(element, type_name)
    if not rules:
        return None
    return lambda value, scope: all(rule.holds(value, scope.resource, scope.root) for rule in rules)


@cache
def _extensions(holder: frozenset[str], *, modifier: bool) -> Check:
    core = definitions.load().extensions

    def check(items: list[Json], scope: Scope) -> bool:
        for item in items:
            if item["url"] in core and any(True for _ in extensions.issues(item, "", holder, modifier=modifier)):
                return False
            if not _extension_content(item, scope):
                return False
        return True

    return check


def _extension_content(item: Json, scope: Scope) -> bool:
    """The nested extensions, or the value where its type needs a look."""
    for name in item:
        if name == "extension":
            if not _extensions(IN_EXTENSION, modifier=False)(item[name], scope):
                return False
        elif name != "url":
            part = _value(name)
            if part is not None and not part(item[name], scope):
                return False
    return True


@cache
def _value(name: str) -> Check | None:
    return _item(shape("Extension").properties[name])
