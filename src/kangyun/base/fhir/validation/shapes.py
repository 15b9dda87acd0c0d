"""The definitions turned round for validation: what each JSON property of a type is, and what must be there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from kangyun.base.fhir import definitions
from kangyun.base.fhir.definitions import Constraint, ElementDef, TypeDef, TypeRef

# Checked by the walk itself, exactly and with a better message than the invariant's name.
BUILT_IN = frozenset({"ele-1", "ext-1", "ref-1", "dom-2", "dom-3", "dom-4", "dom-5", "txt-1", "txt-2"})

# Data types whose strings may point to a contained resource (dom-3).
POINTERS = frozenset({"uri", "url", "canonical"})


@dataclass(frozen=True, slots=True)
class Property:
    """One JSON property of a type: ``step`` is its FHIRPath name, ``type`` names the Shape or primitive below."""

    name: str
    step: str
    type: str
    kind: str
    repeats: bool
    most: int | None
    element: ElementDef
    ref: TypeRef

    @property
    def primitive(self) -> bool:
        """Whether the JSON value is a scalar (with a possible ``_name`` twin)."""
        return self.kind == "primitive"


@dataclass(frozen=True, slots=True)
class Shape:
    """A type as the walk needs it; ``required`` and ``choices`` hold (step, JSON names)."""

    name: str
    kind: str
    properties: dict[str, Property]
    required: tuple[tuple[str, tuple[str, ...]], ...]
    choices: tuple[tuple[str, tuple[str, ...]], ...]
    constraints: tuple[Constraint, ...]
    ancestry: frozenset[str]


@cache
def shape(name: str) -> Shape:
    """The Shape of a type or nested structure."""
    found = definitions.load().types[name]
    properties = {p.name: p for element in found.elements.values() for p in _properties(element)}
    return Shape(
        name=name,
        kind=found.kind,
        properties=properties,
        required=_names(found, lambda e: e.min > 0),
        choices=_names(found, lambda e: e.choice),
        constraints=tuple(c for c in found.constraints if c.key not in BUILT_IN),
        ancestry=_ancestry(name),
    )


def _names(found: TypeDef, wanted: Callable[[ElementDef], bool]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((e.name, tuple(e.names())) for e in found.elements.values() if wanted(e))


def _ancestry(name: str) -> frozenset[str]:
    types, names = definitions.load().types, {name}
    base = types[name].base
    while base is not None:
        names.add(base)
        base = types[base].base if base in types else None
    return frozenset(names)


def _properties(element: ElementDef) -> list[Property]:
    return [_property(element, name, ref) for name, ref in element.names().items() if element.max != "0"]


def _property(element: ElementDef, name: str, ref: TypeRef) -> Property:
    below = element.structure or ref.code
    return Property(
        name=name,
        step=element.name,
        type=below,
        kind=_kind(below),
        repeats=element.repeats,
        most=int(element.max) if element.max not in {"*", "1"} else None,
        element=element,
        ref=ref,
    )


def _kind(type_name: str) -> str:
    found = definitions.load().types[type_name]
    if found.kind == "primitive-type":
        return "primitive"
    return "resource" if type_name == "Resource" else "complex"
