"""is, as, ofType and type() (FHIRPath N1, clauses 5.2.4, 6.3 and 10)."""

from __future__ import annotations

from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.frame import Frame
from kangyun.base.fhir.fhirpath.model import SYSTEM_TYPES, Model
from kangyun.base.fhir.fhirpath.nodes import Item, Node
from kangyun.base.fhir.fhirpath.syntax import TypeName
from kangyun.base.fhir.fhirpath.values import system, type_of

from .registry import Items, function


@function("type")
def reflect(frame: Frame, items: Items) -> Items:
    """Namespace and name of each item's type."""
    found = [type_of(item, frame.environment.model) for item in items]
    return [Node(None, {"namespace": namespace, "name": name}) for namespace, name in found]


def check_type(name: TypeName, model: Model, position: int) -> None:
    """Refuse a type specifier that names nothing."""
    in_system = name.namespace in {None, "System"} and name.name in SYSTEM_TYPES
    if name.namespace == "System" or in_system:
        return
    if name.namespace not in {None, "FHIR"} or not model.knows(name.name):
        raise FhirPathError(f"there is no type {name.name}", position)


def is_type(item: Item, name: TypeName, model: Model, *, strict: bool) -> bool:
    """Whether an item is of a type or one that specialises it.

    Unless strict, a FHIR primitive is also of the System type it converts to: invariant que-7 of R4 asks
    ``answer is Boolean``.
    """
    if type(item) is Node and name.namespace != "System" and item.type and model.is_kind(item.type, name.name):
        return True
    if type(item) is Node and strict:
        return False
    value = system(item)
    if type(value) is Node or name.namespace == "FHIR":
        return False
    return name.name in {type_of(value, model)[1], "Any"}


def of_type(items: Items, name: TypeName, model: Model, *, strict: bool) -> Items:
    """The items of a type; a primitive must be exactly of it: ofType(string) leaves codes out."""
    if model.is_primitive(name.name) and name.namespace != "System":
        return [item for item in items if type(item) is Node and item.type == name.name]
    return [item for item in items if is_type(item, name, model, strict=strict)]
