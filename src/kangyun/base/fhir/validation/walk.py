"""The exact walk over a resource: it decides, and it names every fault.

The quick acceptance in front of it may refuse what is right, never accept what is wrong; this module has the last word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kangyun.base.errors import Issue
from kangyun.base.fhir import definitions, narrative
from kangyun.base.fhir.validation import bindings, contained, extensions, invariants, primitives, references
from kangyun.base.fhir.validation.invariants import Rule
from kangyun.base.fhir.validation.shapes import POINTERS, Property, Shape, shape

Json = dict[str, Any]

# A hostile resource must not make an answer larger than itself.
MOST_ISSUES = 100


@dataclass(slots=True)
class Scope:
    """The resource being walked, its container, and the ``#`` pointers met so far."""

    resource: Json
    root: Json
    contained: frozenset[str]
    inside: bool = False
    pointers: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: its FHIRPath and the names that an extension's context may call it."""

    path: str
    names: frozenset[str]


class Walk:
    """One walk; the faults gather in ``issues``."""

    def __init__(self, *, warnings: bool) -> None:
        self.issues: list[Issue] = []
        self._warnings = warnings
        self._resources = definitions.load().resources

    def add(self, code: str, key: str, path: str, **params: str) -> None:
        """Note one fault."""
        self.issues.append(Issue(code, key, params, path))

    # Resources

    def resource(self, value: Any, path: str | None = None) -> None:
        """Walk a resource that stands by itself; inside a Bundle ``path`` says where."""
        if self._is_resource(value, path or "Resource"):
            scope = Scope(value, value, frozenset(contained.ids(value)))
            self._content(value, path or value["resourceType"], scope)
            self.issues += contained.issues(value, path or value["resourceType"], scope.pointers)

    def _is_resource(self, value: Any, path: str) -> bool:
        name = value.get("resourceType") if isinstance(value, dict) else None
        if not isinstance(value, dict):
            self.add("structure", "fhir.object-expected", path)
        elif name is None:
            self.add("structure", "fhir.resource-type-missing", path)
        elif not isinstance(name, str) or name not in self._resources:
            self.add("structure", "fhir.resource-type-unknown", path, type=str(name)[:64])
        else:
            return True
        return False

    def _content(self, value: Json, path: str, scope: Scope) -> None:
        expected = shape(value["resourceType"])
        self.node(value, expected, Place(path, expected.ancestry), scope)

    # Elements

    def node(self, value: Any, expected: Shape, place: Place, scope: Scope) -> None:
        """Walk an object of a known shape, then hold it against the rules of its type."""
        if not isinstance(value, dict):
            self.add("structure", "fhir.object-expected", place.path)
            return
        before = len(self.issues)
        if not value.keys() - {"id", "resourceType"} and expected.kind != "resource":
            self.add("structure", "fhir.empty-object", place.path)
        for name in value:
            if len(self.issues) >= MOST_ISSUES:
                return
            self._member(name, value, expected, place, scope)
        self._presence(value, expected, place.path)
        if len(self.issues) == before:
            self._rules(invariants.of_type(expected.name), value, place.path, scope)

    def _member(self, name: str, value: Json, expected: Shape, place: Place, scope: Scope) -> None:
        if name == "resourceType" and expected.kind == "resource":
            return
        found = expected.properties.get(name)
        if found is None:
            self._twin_alone(name, value, expected, place, scope)
        elif found.primitive:
            self._primitive(found, value[name], value.get("_" + name), place, scope)
        elif found.repeats:
            self._list(found, value[name], place, scope)
        else:
            self._item(found, value[name], place, f"{place.path}.{found.step}", scope)

    def _twin_alone(self, name: str, value: Json, expected: Shape, place: Place, scope: Scope) -> None:
        """``_name`` is walked beside ``name``; here it stands for itself, or the name is unknown."""
        found = expected.properties.get(name[1:]) if name.startswith("_") else None
        if found is None or not found.primitive:
            path = f"{place.path}.{name[:64]}"
            self.add("structure", "fhir.element-unknown", path, name=name[:64], type=expected.name)
        elif name[1:] not in value:
            self._primitive(found, None, value[name], place, scope)

    def _presence(self, value: Json, expected: Shape, path: str) -> None:
        for step, names in expected.required:
            if not any(name in value or "_" + name in value for name in names):
                self.add("required", "fhir.cardinality-min", f"{path}.{step}", name=step)
        for step, names in expected.choices:
            present = [name for name in names if name in value or "_" + name in value]
            if len(present) > 1:
                self.add("structure", "fhir.choice-many", f"{path}.{step}", names=", ".join(present))

    def _list(self, found: Property, items: Any, place: Place, scope: Scope) -> None:
        path = f"{place.path}.{found.step}"
        if self._is_list(found, items, path):
            for index, item in enumerate(items):
                if len(self.issues) < MOST_ISSUES:
                    self._item(found, item, place, f"{path}[{index}]", scope)

    def _is_list(self, found: Property, items: Any, path: str) -> bool:
        if not isinstance(items, list):
            self.add("structure", "fhir.list-expected", path, name=found.name)
        elif not items:
            self.add("structure", "fhir.empty-list", path, name=found.name)
        elif found.most is not None and len(items) > found.most:
            self.add("structure", "fhir.cardinality-max", path, name=found.name, most=str(found.most))
        else:
            return True
        return False

    def _item(self, found: Property, item: Any, place: Place, path: str, scope: Scope) -> None:
        if isinstance(item, list):
            self.add("structure", "fhir.list-unexpected", path, name=found.name)
        elif found.kind == "resource":
            self._nested_resource(found, item, path, scope)
        else:
            self._complex(found, item, place, path, scope)

    def _nested_resource(self, found: Property, item: Any, path: str, scope: Scope) -> None:
        if found.step != "contained":
            self.resource(item, path)
        elif self._is_resource(item, path):
            inner = Scope(item, scope.root, scope.contained, inside=True, pointers=scope.pointers)
            self._content(item, path, inner)

    def _complex(self, found: Property, item: Any, place: Place, path: str, scope: Scope) -> None:
        before = len(self.issues)
        expected = shape(found.type)
        self.node(item, expected, Place(path, expected.ancestry | {found.element.path}), scope)
        if len(self.issues) > before:
            return
        if found.type == "Reference":
            self._reference(found, item, path, scope)
        elif found.type == "Extension":
            self.issues += extensions.issues(item, path, modifier=found.name == "modifierExtension")
            if self._warnings:
                self.issues += extensions.advice(item, path, place.names)
        self._bound(found, item, path)
        self._rules(invariants.of_element(found.element, found.type), item, path, scope)

    def _reference(self, found: Property, item: Json, path: str, scope: Scope) -> None:
        text = item.get("reference")
        if text is None:
            return
        target = references.read(text)
        if target is None:
            self.add("value", "fhir.reference-format", f"{path}.reference")
        elif target.kind == "contained":
            self._pointer(text, f"{path}.reference", scope)
        elif not references.allowed(target, found.ref.targets, self._resources):
            allowed = ", ".join(found.ref.targets)
            self.add("structure", "fhir.reference-target", path, found=str(target.type)[:64], allowed=allowed)
        elif target.type and item.get("type", target.type) != target.type:
            self.add("structure", "fhir.reference-type", f"{path}.type", found=target.type)

    def _pointer(self, text: str, path: str, scope: Scope) -> None:
        scope.pointers.add(text[1:])
        if text[1:] not in scope.contained and not (text == "#" and scope.inside):
            self.add("not-found", "fhir.reference-contained", path)

    def _bound(self, found: Property, value: Any, path: str) -> None:
        codes = bindings.required_codes(found.element.binding)
        if codes is not None and not bindings.keeps(codes, value):
            valueset = found.element.binding.valueset if found.element.binding else ""
            self.add("code-invalid", "fhir.binding", path, valueset=valueset)

    def _rules(self, rules: tuple[Rule, ...], value: Json, path: str, scope: Scope) -> None:
        for rule in rules:
            if rule.severity != "error" and not self._warnings:
                continue
            if not rule.holds(value, scope.resource, scope.root):
                params = {"rule": rule.key, "expression": rule.expression}
                self.issues.append(Issue("invariant", "fhir.rule", params, path, rule.severity))

    # Primitives

    def _primitive(self, found: Property, value: Any, twin: Any, place: Place, scope: Scope) -> None:
        """A value and its ``_name`` twin, which holds id and extensions; in lists both run side by side."""
        path = f"{place.path}.{found.step}"
        if not found.repeats:
            if isinstance(value, list) or isinstance(twin, list):
                self.add("structure", "fhir.list-unexpected", path, name=found.name)
            else:
                self._scalar(found, value, twin, path, scope)
            return
        if any(items is not None and not self._is_list(found, items, path) for items in (value, twin)):
            return
        if value is not None and twin is not None and len(value) != len(twin):
            self.add("structure", "fhir.padding", path, name=found.name)
            return
        for index in range(len(value or twin or ())):
            if len(self.issues) >= MOST_ISSUES:
                return
            one, other = value[index] if value else None, twin[index] if twin else None
            self._scalar(found, one, other, f"{path}[{index}]", scope)

    def _scalar(self, found: Property, value: Any, twin: Any, path: str, scope: Scope) -> None:
        if value is None and twin is None:
            self.add("structure", "fhir.null", path, name=found.name)
        if twin is not None:
            self._twin(found, twin, path, scope, alone=value is None)
        if value is not None:
            self._value(found, value, path, scope)

    def _twin(self, found: Property, twin: Any, path: str, scope: Scope, *, alone: bool) -> None:
        expected = shape(found.type)
        if isinstance(twin, dict) and not alone and twin.keys() == {"id"}:
            return
        self.node(twin, expected, Place(path, expected.ancestry | {found.element.path}), scope)

    def _value(self, found: Property, value: Any, path: str, scope: Scope) -> None:
        wrong = primitives.fault(found.type, value)
        if wrong is not None:
            self.add(wrong.code, wrong.key, path, name=found.name, type=found.type)
            return
        if found.type in POINTERS and value.startswith("#"):
            scope.pointers.add(value[1:])
        if found.type == "xhtml" and (key := narrative.fault(value)):
            self.add("invariant", key, path)
        self._bound(found, value, path)
        self._rules(invariants.of_element(found.element, found.type), value, path, scope)
