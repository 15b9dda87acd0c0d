"""Filtering, projection, subsetting and combining (FHIRPath N1, clauses 5.2 to 5.4, 5.8, 7 and sort of 2.1)."""

from __future__ import annotations

import functools
from collections.abc import Hashable

from kangyun.base.fhir.fhirpath.comparison import compare, distinct, key
from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.frame import Evaluate, Frame
from kangyun.base.fhir.fhirpath.nodes import Item, Node, all_children
from kangyun.base.fhir.fhirpath.values import expect, singleton, truth

from .registry import Items, function, lazy


@lazy("where", 1)
def where(frame: Frame, items: Items, criterion: Evaluate) -> Items:
    """The items that meet the criterion."""
    return [item for index, item in enumerate(items) if truth(criterion(frame.inner(item, index)))]


@lazy("select", 1)
def select(frame: Frame, items: Items, projection: Evaluate) -> Items:
    """What the projection makes of each item, in one collection."""
    return [made for index, item in enumerate(items) for made in projection(frame.inner(item, index))]


@lazy("repeat", 1)
def repeat(frame: Frame, items: Items, projection: Evaluate) -> Items:
    """The projection, applied to its own results until nothing new appears."""
    seen: set[Hashable] = set()
    found: Items = []
    level = items
    while level:
        level = [
            made
            for index, item in enumerate(level)
            for made in projection(frame.inner(item, index))
            if _is_new(made, seen)
        ]
        found += level
    return found


def _is_new(item: Item, seen: set[Hashable]) -> bool:
    identity = key(item)
    if identity in seen:
        return False
    seen.add(identity)
    return True


@lazy("aggregate", 1, 2)
def aggregate(frame: Frame, items: Items, step: Evaluate, start: Evaluate | None = None) -> Items:
    """The total that the step makes of ``$total`` and each item."""
    total = start(frame) if start else []
    for index, item in enumerate(items):
        inner = frame.inner(item, index)
        inner.total = total
        total = step(inner)
    return total


@function("children")
def children(frame: Frame, items: Items) -> Items:
    """The elements directly below the items."""
    model = frame.environment.model
    return [child for item in items if type(item) is Node for child in all_children(item, model)]


@function("descendants")
def descendants(frame: Frame, items: Items) -> Items:
    """All elements below the items."""
    found: Items = []
    level = children(frame, items)
    while level:
        found += level
        level = children(frame, level)
    return found


@function("single")
def single(_: Frame, items: Items) -> Items:
    """The only item; an error when there are several."""
    if len(items) > 1:
        raise FhirPathError(f"single() found {len(items)} items")
    return items


@function("first")
def first(_: Frame, items: Items) -> Items:
    """The first item."""
    return items[:1]


@function("last")
def last(_: Frame, items: Items) -> Items:
    """The last item."""
    return items[-1:]


@function("tail")
def tail(_: Frame, items: Items) -> Items:
    """All but the first."""
    return items[1:]


def _number(items: Items) -> int:
    value = expect(items, int, "a number of items")
    if value is None:
        raise FhirPathError("a number of items is missing")
    return max(0, value)


@function("skip", 1)
def skip(_: Frame, items: Items, number: Items) -> Items:
    """All but the first n."""
    return items[_number(number) :]


@function("take", 1)
def take(_: Frame, items: Items, number: Items) -> Items:
    """The first n."""
    return items[: _number(number)]


@function("intersect", 1)
def intersect(_: Frame, items: Items, other: Items) -> Items:
    """The distinct items that are in both collections."""
    kept = {key(item) for item in other}
    return distinct([item for item in items if key(item) in kept])


@function("exclude", 1)
def exclude(_: Frame, items: Items, other: Items) -> Items:
    """The items that are not in the other collection."""
    dropped = {key(item) for item in other}
    return [item for item in items if key(item) not in dropped]


@function("union", 1)
def union(_: Frame, items: Items, other: Items) -> Items:
    """Both collections without repetitions."""
    return distinct([*items, *other])


@function("combine", 1)
def combine(_: Frame, items: Items, other: Items) -> Items:
    """Both collections, repetitions kept."""
    return [*items, *other]


@lazy("iif", 2, 3)
def iif(frame: Frame, items: Items, criterion: Evaluate, then: Evaluate, otherwise: Evaluate | None = None) -> Items:
    """One of two results; only the chosen one is evaluated."""
    singleton(items, "the input of iif()")
    inner = Frame(frame.environment, items, frame.index, frame.total)
    if expect(criterion(inner), bool, "the criterion of iif()"):
        return then(inner)
    return otherwise(inner) if otherwise else []


@lazy("trace", 1, 2)
def trace(_: Frame, items: Items, *__: Evaluate) -> Items:
    """The items unchanged; nothing is written, because what passes here may be a patient's data."""
    return items


def sort(frame: Frame, items: Items, criteria: list[tuple[bool, Evaluate]]) -> Items:
    """The items in order of the criteria (descending, key), the natural order without any; nothing comes first."""
    rows = [
        ([key_of(frame.inner(item, index)) for _, key_of in criteria] or [[item]], item)
        for index, item in enumerate(items)
    ]
    downwards = [descending for descending, _ in criteria] or [False]

    def order(left: tuple[list[Items], Item], right: tuple[list[Items], Item]) -> int:
        for one, other, descending in zip(left[0], right[0], downwards, strict=True):
            found = _order(one, other, descending=descending)
            if found:
                return found
        return 0

    return [item for _, item in sorted(rows, key=functools.cmp_to_key(order))]


def _order(left: Items, right: Items, *, descending: bool) -> int:
    one, other = singleton(left, "a sort key"), singleton(right, "a sort key")
    if one is None or other is None:
        return (one is not None) - (other is not None)
    return (compare(one, other) or 0) * (-1 if descending else 1)
