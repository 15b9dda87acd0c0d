"""The functions that FHIR R4 adds (hl7.org/fhir/R4/fhirpath.html)."""

from __future__ import annotations

from kangyun.base.fhir import narrative
from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.frame import Environment, Frame
from kangyun.base.fhir.fhirpath.nodes import Item, Node, child_nodes, concrete
from kangyun.base.fhir.fhirpath.references import type_in
from kangyun.base.fhir.fhirpath.values import expect, system

from .registry import Items, function


@function("extension", 1)
def extension(frame: Frame, items: Items, url: Items) -> Items:
    """The extensions of the items with this URL."""
    wanted = expect(url, str, "the URL of extension()")
    return [found for item in items if type(item) is Node for found in _extensions(item, wanted, frame)]


@function("hasExtension", 1)
def has_extension(frame: Frame, items: Items, url: Items) -> Items:
    """Whether an item has an extension with this URL."""
    return [bool(extension(frame, items, url))]


def _extensions(node: Node, url: str | None, frame: Frame) -> Items:
    found = child_nodes(node, "extension", frame.environment.model)
    return [one for one in found if isinstance(one.value, dict) and one.value.get("url") == url]


@function("hasValue")
def has_value(_: Frame, items: Items) -> Items:
    """Whether the input is a single primitive with a value."""
    if len(items) != 1:
        return [False]
    item = items[0]
    return [type(item) is not Node or (item.value is not None and not isinstance(item.value, dict | list))]


@function("getValue")
def get_value(frame: Frame, items: Items) -> Items:
    """The system value of a primitive."""
    return [system(items[0])] if has_value(frame, items)[0] else []


@function("resolve")
def resolve(frame: Frame, items: Items) -> Items:
    """The resources that references name; what cannot be fetched is an empty stand-in of the type in the text."""
    found: Items = []
    for item in items:
        text = _reference_text(item)
        target = _target(text, frame.environment) if text else None
        if target is not None:
            found.append(target)
    return found


def _reference_text(item: Item) -> str | None:
    value = system(item)
    if type(value) is Node and isinstance(value.value, dict):
        value = value.value.get("reference")
    return value if isinstance(value, str) else None


def _target(text: str, environment: Environment) -> Node | None:
    if text.startswith("#"):
        return _contained(text[1:], environment.root)
    if environment.resolve is not None:
        resource = environment.resolve(text)
        return None if resource is None else Node(concrete(None, resource), resource)
    name = type_in(text)
    return Node(name, {"resourceType": name}) if name and environment.model.is_resource(name) else None


def _contained(identifier: str, root: Node) -> Node | None:
    if not identifier:
        return root
    inside = root.value.get("contained") if isinstance(root.value, dict) else None
    for resource in inside if isinstance(inside, list) else ():
        if isinstance(resource, dict) and resource.get("id") == identifier:
            return Node(concrete("Resource", resource), resource)
    return None


@function("memberOf", 1)
def member_of(frame: Frame, items: Items, valueset: Items) -> Items:
    """Whether a code is in a value set; empty when nobody can tell."""
    url = expect(valueset, str, "the value set of memberOf()")
    ask = frame.environment.member_of
    if not items or url is None or ask is None:
        return []
    answer = ask(items[0].value if type(items[0]) is Node else items[0], url)
    return [] if answer is None else [answer]


@function("conformsTo", 1)
def conforms_to(frame: Frame, items: Items, profile: Items) -> Items:
    """Whether a resource conforms to a profile; base definitions are answered by the type alone."""
    url = expect(profile, str, "the profile of conformsTo()")
    if not items or url is None:
        return []
    ask = frame.environment.conforms_to
    answer = ask(items[0].value, url) if ask and type(items[0]) is Node else None
    if answer is not None:
        return [answer]
    name = frame.environment.model.profiled_type(url)
    if name is None:
        raise FhirPathError("the profile of conformsTo() is not known")
    return [
        type(items[0]) is Node and items[0].type is not None and frame.environment.model.is_kind(items[0].type, name)
    ]


@function("htmlChecks")
def html_checks(_: Frame, items: Items) -> Items:
    """Whether narratives use only the XHTML that FHIR allows and are not empty (constraints txt-1 and txt-2)."""
    return [all(narrative.fault(str(system(item))) is None for item in items)]
