"""The definitions as navigation needs them: JSON keys and types of every element, found once and remembered."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from kangyun.base.fhir.definitions import Definitions, ElementDef, is_kind_of, load

SYSTEM_TYPES = frozenset(
    {"Any", "Boolean", "String", "Integer", "Long", "Decimal", "Date", "DateTime", "Time", "Quantity"}
)


@dataclass(frozen=True, slots=True)
class Property:
    """One JSON property: ``key`` holds the value, ``_key`` of a primitive its id and extensions.

    ``type`` is a type name, or the path of the structure for elements defined in place (``Patient.contact``).
    """

    key: str
    type: str
    primitive: bool


@dataclass(frozen=True, slots=True)
class Child:
    """An element of a type as FHIRPath names it; a choice has a property for each allowed type."""

    name: str
    repeats: bool
    choice: bool
    properties: tuple[Property, ...]


class Model:
    """Answers of the definitions about one release, each computed at its first question."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._children: dict[str, dict[str, Child]] = {}
        self._by_key: dict[str, dict[str, tuple[str, Property]]] = {}
        self._kinds: dict[tuple[str, str], bool] = {}

    def knows(self, name: str) -> bool:
        """Whether this is a type of FHIR or a structure inside one."""
        return name in self._definitions.types

    def is_primitive(self, name: str) -> bool:
        """Whether JSON holds a bare value for this type."""
        found = self._definitions.types.get(name)
        return found is not None and found.kind == "primitive-type"

    def is_resource(self, name: str) -> bool:
        """Whether this is a resource type, abstract ones included."""
        found = self._definitions.types.get(name)
        return found is not None and found.kind == "resource"

    def base(self, name: str) -> str | None:
        """The type that this one specialises."""
        found = self._definitions.types.get(name)
        return found.base if found else None

    def is_kind(self, name: str, ancestor: str) -> bool:
        """Whether a type is another or specialises it."""
        known = self._kinds.get((name, ancestor))
        if known is None:
            known = self._kinds[name, ancestor] = is_kind_of(self._definitions, name, ancestor)
        return known

    def children(self, name: str) -> dict[str, Child]:
        """FHIRPath name -> child of a type; empty for a type that is not known."""
        known = self._children.get(name)
        if known is None:
            found = self._definitions.types.get(name)
            elements = found.elements.values() if found else ()
            known = self._children[name] = {element.name: self._child(element) for element in elements}
        return known

    def child(self, name: str, element: str) -> Child | None:
        """One child of a type."""
        return self.children(name).get(element)

    def properties(self, name: str) -> dict[str, tuple[str, Property]]:
        """JSON key -> (FHIRPath name, property) of a type."""
        known = self._by_key.get(name)
        if known is None:
            known = self._by_key[name] = {
                found.key: (child.name, found) for child in self.children(name).values() for found in child.properties
            }
        return known

    def profiled_type(self, url: str) -> str | None:
        """The type whose base definition has this canonical URL."""
        name = url.removeprefix("http://hl7.org/fhir/StructureDefinition/")
        return name if name != url and self.knows(name) else None

    def _child(self, element: ElementDef) -> Child:
        properties = tuple(
            Property(key, element.structure or ref.code, self.is_primitive(ref.code))
            for key, ref in element.names().items()
        )
        return Child(element.name, element.repeats, element.choice, properties)


def model_of(definitions: Definitions | None) -> Model:
    """The model of given definitions, or of R4."""
    return _model(load() if definitions is None else definitions)


@functools.lru_cache(maxsize=4)
def _model(definitions: Definitions) -> Model:
    return Model(definitions)
