"""Paths whose types the definitions tell: closures over raw JSON, one for each type that can come out.

A choice element splits a path into branches, so ``value as Quantity`` is a look-up of ``valueQuantity`` and nothing is
guessed while running. Whatever has no static type raises Dynamic and is left to the complete language.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from kangyun.base.fhir.fhirpath.frame import Environment, Resolve
from kangyun.base.fhir.fhirpath.model import Child, Model, Property
from kangyun.base.fhir.fhirpath.nodes import Json, Node, concrete
from kangyun.base.fhir.fhirpath.parser import type_name
from kangyun.base.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Indexer,
    Literal,
    Member,
    Special,
    Syntax,
    TypeName,
    TypeOperation,
    Variable,
)

Run: TypeAlias = "Callable[[Json, Surroundings | None], Sequence[Json]]"
Test: TypeAlias = "Callable[[Json, Surroundings | None], bool | None]"
ANY_RESOURCE = frozenset({"Resource", "DomainResource"})
NOTHING: Sequence[Json] = ()


class Dynamic(Exception):  # noqa: N818 - a signal between two compilers, not an error
    """This part has no static type or is not built here."""


class Surroundings:
    """What an invariant sees beside its node; the complete language's environment is made when it is first needed."""

    __slots__ = ("_environment", "node", "resolve", "resource", "root", "type")

    def __init__(self, type_name: str, node: Json, resource: Json, root: Json, resolve: Resolve | None) -> None:
        self.type = type_name
        self.node = node
        self.resource = node if resource is None else resource
        self.root = self.resource if root is None else root
        self.resolve = resolve
        self._environment: Environment | None = None

    def environment(self, model: Model) -> Environment:
        """The same for closures of the complete language."""
        if self._environment is None:
            context = Node(self.type, self.node)
            resource = context if self.resource is self.node else Node(concrete(None, self.resource), self.resource)
            root = resource if self.root is self.resource else Node(concrete(None, self.root), self.root)
            self._environment = Environment(model, context, resource, root, {}, self.resolve)
        return self._environment


def node_of(type_name: str, value: Json, *, primitive: bool) -> Node:
    """The node of a raw value on a branch; a primitive shown as an object has only extensions."""
    if primitive and isinstance(value, dict):
        return Node(type_name, None, value)
    return Node(concrete(type_name, value), value)


@dataclass(frozen=True, slots=True)
class Branch:
    """``run`` gives the values of one type; ``seen`` also counts a primitive that has only extensions.

    ``steps`` are the properties of a plain path from the node itself; None for every other branch.
    """

    type: str
    run: Run
    seen: Run
    steps: tuple[Step, ...] | None = None


class Step(NamedTuple):
    """One look-up: ``gaps`` tells that a list may hold null, where a primitive has only extensions."""

    key: str
    repeats: bool
    gaps: bool


class Branches:
    """Builds the branches of paths; ``condition`` compiles the criteria inside them."""

    def __init__(self, model: Model, condition: Callable[[Syntax, str], Test], *, resource_type: str | None) -> None:
        self._model = model
        self._condition = condition
        self._resource_type = resource_type
        # Whether some path begins at %resource.
        self.looks_around = False

    def of(self, syntax: Syntax, here: str) -> list[Branch]:
        """The branches of a path from a node of type ``here``; raises Dynamic."""
        match syntax:
            case Member(_, None, name):
                return self._first(name, here)
            case Member(_, target, name) if target is not None:
                return self._children(self.of(target, here), name)
            case Special(_, "this"):
                return [Branch(here, itself, itself)]
            case Variable(_, "resource") if self._resource_type is not None:
                self.looks_around = True
                return [Branch(self._resource_type, _resource, _resource)]
            case Binary(_, "|", left, right):
                return [*self.of(left, here), *self.of(right, here)]
            case TypeOperation(_, "as", operand, wanted):
                return self._typed(self.of(operand, here), wanted)
            case Indexer(_, target, Literal(_, int(place))) if place >= 0:
                return self._only(self.of(target, here), slice(place, place + 1))
            case Call():
                return self._call(syntax, here)
            case _:
                raise Dynamic

    def _first(self, name: str, here: str) -> list[Branch]:
        start = Branch(here, itself, itself, ())
        if name[:1].isupper() and self._model.knows(name):
            return [start] if self._model.is_kind(here, name) else []
        return self._children([start], name)

    def _children(self, sources: list[Branch], name: str) -> list[Branch]:
        found: list[Branch] = []
        for source in sources:
            child = self._model.child("DomainResource" if source.type in ANY_RESOURCE else source.type, name)
            # Of a resource of any type only the common elements are known before running; of a primitive none.
            if self._model.is_primitive(source.type) or (child is None and source.type in ANY_RESOURCE):
                raise Dynamic
            if child is not None:
                found += [_step(source, child, one) for one in child.properties]
        return found

    def _call(self, call: Call, here: str) -> list[Branch]:
        sources = [Branch(here, itself, itself)] if call.target is None else self.of(call.target, here)
        match call.name, call.arguments:
            case "as" | "ofType", (argument,):
                return self._typed(sources, type_name(argument))
            case "where", (criterion,):
                return [self._where(source, criterion) for source in sources]
            case "select", (projection,):
                return [found for source in sources for found in self._select(source, projection)]
            case "extension", (Literal(_, str(url)),):
                return [_with_url(found, url) for found in self._children(sources, "extension")]
            case "first", ():
                return self._only(sources, slice(1))
            case "tail", ():
                return self._only(sources, slice(1, None))
            case "trace", _:
                return sources
            case _:
                raise Dynamic

    def _only(self, sources: list[Branch], part: slice) -> list[Branch]:
        if len(sources) > 1:
            raise Dynamic
        return [Branch(one.type, _part(one.run, part), _part(one.seen, part)) for one in sources]

    def _typed(self, sources: list[Branch], wanted: TypeName) -> list[Branch]:
        if wanted.namespace == "System":
            raise Dynamic
        exact = self._model.is_primitive(wanted.name)
        found: list[Branch] = []
        for one in sources:
            if one.type == wanted.name or (not exact and self._model.is_kind(one.type, wanted.name)):
                found.append(one)
            elif one.type in ANY_RESOURCE and self._model.is_kind(wanted.name, one.type):
                found.append(_of_resource_type(one, wanted.name))
        return found

    def _where(self, source: Branch, criterion: Syntax) -> Branch:
        test = self._condition(criterion, source.type)
        return Branch(source.type, _filtered(source.run, test), _filtered(source.seen, test))

    def _select(self, source: Branch, projection: Syntax) -> list[Branch]:
        inner = self.of(projection, source.type)
        return [Branch(one.type, _flat(source.run, one.run), _flat(source.run, one.seen)) for one in inner]


def itself(node: Json, _: Surroundings | None) -> Sequence[Json]:
    """The path that stays where it is."""
    return (node,)


def _resource(_: Json, around: Surroundings | None) -> Sequence[Json]:
    return NOTHING if around is None else (around.resource,)


def _part(run: Run, part: slice) -> Run:
    return lambda node, around: run(node, around)[part]


def _filtered(run: Run, test: Test) -> Run:
    return lambda node, around: [found for found in run(node, around) if test(found, around)]


def _flat(outer: Run, inner: Run) -> Run:
    return lambda node, around: [found for one in outer(node, around) for found in inner(one, around)]


def _with_url(source: Branch, url: str) -> Branch:
    def test(node: Json, _: Surroundings | None) -> bool:
        return node.get("url") == url

    return Branch(source.type, _filtered(source.run, test), _filtered(source.run, test))


def _of_resource_type(source: Branch, name: str) -> Branch:
    def test(node: Json, _: Surroundings | None) -> bool:
        return node.get("resourceType") == name

    return Branch(name, _filtered(source.run, test), _filtered(source.run, test))


def _step(source: Branch, child: Child, found: Property) -> Branch:
    run = _get(source.run, found, repeats=child.repeats)
    seen = _present(source.run, found.key) if found.primitive else run
    steps = None if source.steps is None else (*source.steps, Step(found.key, child.repeats, found.primitive))
    return Branch(found.type, run, seen, steps)


def _get(source: Run, found: Property, *, repeats: bool) -> Run:
    if repeats:
        return _get_list(source, found.key, gaps=found.primitive)
    return _get_one(source, found.key)


def _get_one(source: Run, key: str) -> Run:
    if source is itself:

        def direct(node: Json, _: Surroundings | None) -> Sequence[Json]:
            value = node.get(key)
            return NOTHING if value is None else (value,)

        return direct

    def run(node: Json, around: Surroundings | None) -> Sequence[Json]:
        found = source(node, around)
        return [value for one in found if (value := one.get(key)) is not None] if found else NOTHING

    return run


def _get_list(source: Run, key: str, *, gaps: bool) -> Run:
    # A list of primitives holds null where an item has only extensions.
    if source is itself:

        def direct(node: Json, _: Surroundings | None) -> Sequence[Json]:
            values = node.get(key)
            if values is None:
                return NOTHING
            return [value for value in values if value is not None] if gaps else values

        return direct

    def run(node: Json, around: Surroundings | None) -> Sequence[Json]:
        found = source(node, around)
        if not found:
            return NOTHING
        return [value for one in found for value in one.get(key) or NOTHING if value is not None]

    return run


def _present(source: Run, key: str) -> Run:
    beside = "_" + key

    def run(node: Json, around: Surroundings | None) -> Sequence[Json]:
        return [value for one in source(node, around) for value in _with_extras(one.get(key), one.get(beside))]

    return run


def _with_extras(value: Any, extra: Any) -> Sequence[Json]:
    if extra is None:
        return NOTHING if value is None else value if isinstance(value, list) else (value,)
    if not isinstance(extra, list):
        return (extra if value is None else value,)
    values = [*(value or ()), *[None] * (len(extra) - len(value or ()))]
    extras = [*extra, *[None] * (len(values) - len(extra))]
    return [
        one if one is not None else other
        for one, other in zip(values, extras, strict=True)
        if one is not None or other is not None
    ]
