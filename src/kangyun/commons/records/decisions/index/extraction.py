"""From a resource to its index entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from kangyun.base.errors import refuse
from kangyun.base.fhir import definitions
from kangyun.commons.records.decisions.index import composites, references, spans, strings, tokens
from kangyun.commons.records.decisions.index.entries import Collected, IndexEntries, mark
from kangyun.commons.records.decisions.index.parameters import Parameter, parameters
from kangyun.commons.records.decisions.index.paths import Path
from kangyun.commons.records.decisions.index.slots import Slot
from kangyun.commons.records.decisions.index.tree import Collector, Node, walk
from kangyun.commons.records.model import hash64

# Every resource has a token  key # COMPARTMENT  for each resident whose compartment it is in.
COMPARTMENT = hash64("Resource.compartment")
# PostgreSQL holds at most 1 MB in a tsvector, and an array must stay far below 1 GB.
_MOST_TEXT = 700_000
_MOST_ENTRIES = 200_000

_labels: list[Callable[[dict[str, Any]], Iterable[int]]] = []


def settle_labels(labels: Callable[[dict[str, Any]], Iterable[int]]) -> None:
    """Let a higher room add tokens of its own to every resource; no search parameter finds by them."""
    _labels[:] = [labels]


def extract(resource: dict[str, Any]) -> IndexEntries:
    """The index entries of a valid resource with an id.

    Raises Problem 413 when one resource holds more searchable text than the index can keep.
    """
    type_name = resource["resourceType"]
    out = Collected(resource)
    tree = _tree(type_name)
    for collect in tree.collectors:
        collect(resource, out)
    walk(tree, resource, out)
    key = hash64(f"{type_name}/{resource['id']}")
    residents = [key, *out.residents] if type_name == "Patient" else out.residents
    out.tokens += [resident ^ COMPARTMENT for resident in residents]
    for labels in _labels:
        out.tokens += labels(resource)
    _check_size(out)
    spans_marked = mark(out.spans) if out.spans else []
    return IndexEntries(
        key, residents[0] if residents else key, list(set(out.tokens)), list(set(out.strings)), spans_marked,
        list(set(out.links)),
    )


def _check_size(out: Collected) -> None:
    if len(out.strings) > 500 and sum(len(lexeme.encode()) + 8 for lexeme in out.strings) > _MOST_TEXT:
        raise refuse(413, "too-long", "records.too-much-text")
    if len(out.tokens) + len(out.spans) > _MOST_ENTRIES:
        raise refuse(413, "too-long", "records.too-much-text")


@cache
def _tree(type_name: str) -> Node:
    """The walk of a type: each slot once, whatever number of parameters look at it."""
    root = Node()
    for slot in slots_of(type_name).values():
        root.at(slot.path).collectors.append(_collector(type_name, slot))
    for parameter in parameters(type_name).values():
        _add_computed(root, parameter)
    pairings = [pairing for parameter in parameters(type_name).values() for pairing in parameter.pairings]
    for slot, pairing in {pairing.slot: pairing for pairing in pairings}.items():
        if slot:
            root.at(pairing.base).collectors.append(composites.collector(pairing, slot))
    _add_full_names(root, slots_of(type_name))
    return root


def _add_computed(root: Node, parameter: Parameter) -> None:
    if parameter.computed:
        root.collectors.append(tokens.deceased(parameter.uses[0].slot))


def _add_full_names(root: Node, slots: dict[tuple[str, Path], Slot]) -> None:
    for slot in slots.values():
        if slot.style == "person" and slot.name.endswith(".text"):
            node = root
            for step in slot.path.steps[:-1]:
                node = node.children[str(step)]
            node.collectors.append(strings.full_name(slot))


@cache
def slots_of(type_name: str) -> dict[tuple[str, Path], Slot]:
    """Every slot that the parameters of a type use directly or through a composite, by kind and path."""
    found: dict[tuple[str, Path], Slot] = {}
    for parameter in parameters(type_name).values():
        parts = [part.uses for pairing in parameter.pairings if not pairing.slot for part in pairing.parts]
        if not parameter.computed:
            parts.append(parameter.uses)
        for use in (use for uses in parts for use in uses):
            found[use.slot.kind, use.slot.path] = use.slot
    return found


def _collector(type_name: str, slot: Slot) -> Collector:
    match slot.kind:
        case "token":
            return tokens.collector(slot)
        case "uri":
            return tokens.uri(slot)
        case "string":
            return strings.collector(slot)
        case "reference":
            return references.collector(
                slot, typed=slot.name in typed_slots(type_name), compartment=slot.name in _compartment(type_name)
            )
        case _:
            return spans.collector(slot)


@cache
def typed_slots(type_name: str) -> frozenset[str]:
    """Names of reference slots that some parameter narrows to one target type (`patient` of `subject`)."""
    found = parameters(type_name).values() if type_name else ()
    return frozenset(use.slot.name for parameter in found for use in parameter.uses if use.target)


@cache
def _compartment(type_name: str) -> frozenset[str]:
    """Names of reference slots that put a resource of this type into a resident's compartment."""
    codes = definitions.load().compartment_patient.get(type_name, ())
    return frozenset(use.slot.name for code in codes for use in parameters(type_name)[code].uses)


def reference_elements(type_name: str) -> frozenset[str]:
    """Names of the elements of a type whose references are found by a token, such as Task.owner."""
    return frozenset(slot.name for slot in slots_of(type_name).values() if slot.kind == "reference")
