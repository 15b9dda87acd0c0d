"""Quick acceptance: the strict schema, then only those nodes that a schema cannot judge.

accept() says yes only to what the exact walk would find faultless; anything unusual is left to the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any

import jsonschema_rs

from kangyun.base.fhir import definitions, narrative
from kangyun.base.fhir.definitions import ElementDef
from kangyun.base.fhir.validation import bindings, extensions, invariants, schema
from kangyun.base.fhir.validation.invariants import Rule, Test
from kangyun.base.fhir.validation.shapes import Property, shape

Json = dict[str, Any]


@dataclass(slots=True)
class Scope:
    """The resource, its container, and the ``#`` references met so far."""

    resource: Json
    root: Json
    pointers: set[str]


Check = Callable[[Any, Scope], bool]

_validators: dict[str, jsonschema_rs.Draft4Validator] = {}
_ready: dict[str, Check] = {}
_checks: dict[str, Check] = {}
_building = RLock()


def accept(resource: Any) -> bool:
    """Whether a resource is certainly faultless."""
    if not isinstance(resource, dict):
        return False
    scope = Scope(resource, resource, set())
    if not _accept(resource, scope):
        return False
    kept = resource.get("contained")
    return not scope.pointers if kept is None else _accept_contained(kept, scope)


def _accept_contained(kept: list[Any], scope: Scope) -> bool:
    """Each one is faultless and pointed to, and nothing else is pointed to."""
    if not all(_flat(one) and _accept(one, Scope(one, scope.root, scope.pointers)) for one in kept):
        return False
    names = [one["id"] for one in kept]
    return len(set(names)) == len(names) and scope.pointers == set(names)


def _flat(one: Any) -> bool:
    """dom-2, dom-4, dom-5 in the plain case of a contained resource without meta."""
    return isinstance(one, dict) and "contained" not in one and "meta" not in one and isinstance(one.get("id"), str)


def _accept(resource: Json, scope: Scope) -> bool:
    name = resource.get("resourceType")
    if not isinstance(name, str):
        return False
    found = _validators.get(name)
    if found is None:
        if name not in definitions.load().resources:
            return False
        found = _validators[name] = schema.validator(name)
    return found.is_valid(resource) and (_ready.get(name) or _prepare(name))(resource, scope)


def _prepare(name: str) -> Check:
    """Build the check of a resource type; other threads see it only when it is whole."""
    with _building:
        _ready[name] = _check(name)
    return _ready[name]


def _check(name: str) -> Check:
    """The check of a type beyond its schema; kept before its parts are built because types contain themselves."""
    if name in _checks:
        return _checks[name]
    table: dict[str, Check] = {}
    _checks[name] = found = _reference(table) if name == "Reference" else _object(table, _errors(name), _is_leaf(name))
    for one in shape(name).properties.values():
        part = _property(one)
        if part is not None:
            table[one.name] = part
    return found


def _is_leaf(name: str) -> bool:
    """Whether ``extension`` is the only property below a type that needs a look."""
    return all(one.name == "extension" or _is_simple(one) for one in shape(name).properties.values())


def _is_simple(one: Property) -> bool:
    return one.primitive and one.type != "xhtml" and not one.element.constraints


def _errors(name: str) -> tuple[Test, ...]:
    return tuple(r.holds for r in invariants.of_type(name) if r.severity == "error" and r.key not in schema.KEPT)


def _object(table: dict[str, Check], rules: tuple[Test, ...], leaf: bool) -> Check:
    def of_leaf(node: Json, scope: Scope) -> bool:
        return "extension" not in node or _extensions(node["extension"], scope)

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

    if rules:
        return with_rules
    return of_leaf if leaf else without_rules


def _reference(table: dict[str, Check]) -> Check:
    def check(node: Json, scope: Scope) -> bool:
        text = node.get("reference")
        if text is not None:
            if text[0] == "#":
                scope.pointers.add(text[1:])
            if len(node) == 1:
                return True
        return all(name not in table or table[name](node[name], scope) for name in node)

    return check


def _property(found: Property) -> Check | None:
    """The check of one property's whole value; None when the schema has said everything."""
    if found.name == "contained":
        return None
    if found.type == "Extension":
        return _modifiers if found.name == "modifierExtension" else _extensions
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


def _extensions(items: list[Json], scope: Scope) -> bool:
    return all(_extension(item, scope, modifier=False) for item in items)


def _modifiers(items: list[Json], scope: Scope) -> bool:
    return all(_extension(item, scope, modifier=True) for item in items)


def _extension(item: Json, scope: Scope, *, modifier: bool) -> bool:
    core = definitions.load().extensions
    if item["url"] in core and any(True for _ in extensions.issues(item, "", modifier=modifier)):
        return False
    return _extension_content(item, scope)


def _extension_content(item: Json, scope: Scope) -> bool:
    """The nested extensions, or the value where its type needs a look."""
    for name in item:
        if name == "extension":
            if not _extensions(item[name], scope):
                return False
        elif name != "url":
            part = _value(name)
            if part is not None and not part(item[name], scope):
                return False
    return True


@cache
def _value(name: str) -> Check | None:
    return _item(shape("Extension").properties[name])
