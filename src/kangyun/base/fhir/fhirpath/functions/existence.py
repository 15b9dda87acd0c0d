"""Existence functions (FHIRPath N1, clause 5.1)."""

from __future__ import annotations

from kangyun.base.fhir.fhirpath.comparison import distinct, key
from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.frame import Evaluate, Frame
from kangyun.base.fhir.fhirpath.values import system, truth

from .registry import Items, function, lazy


@function("empty")
def empty(_: Frame, items: Items) -> Items:
    """Whether there is nothing."""
    return [not items]


@lazy("exists", 0, 1)
def exists(frame: Frame, items: Items, criterion: Evaluate | None = None) -> Items:
    """Whether there is anything, or anything that meets a criterion."""
    if criterion is None:
        return [bool(items)]
    return [any(truth(criterion(frame.inner(item, index))) for index, item in enumerate(items))]


@lazy("all", 1)
def every(frame: Frame, items: Items, criterion: Evaluate) -> Items:
    """Whether every item meets the criterion."""
    return [all(truth(criterion(frame.inner(item, index))) for index, item in enumerate(items))]


def _booleans(items: Items) -> list[bool]:
    values = [system(item) for item in items]
    if not all(isinstance(value, bool) for value in values):
        raise FhirPathError("all items must be Boolean")
    return values


@function("allTrue")
def all_true(_: Frame, items: Items) -> Items:
    """Whether all items are true."""
    return [all(_booleans(items))]


@function("anyTrue")
def any_true(_: Frame, items: Items) -> Items:
    """Whether some item is true."""
    return [any(_booleans(items))]


@function("allFalse")
def all_false(_: Frame, items: Items) -> Items:
    """Whether all items are false."""
    return [not any(_booleans(items))]


@function("anyFalse")
def any_false(_: Frame, items: Items) -> Items:
    """Whether some item is false."""
    return [not all(_booleans(items))]


@function("subsetOf", 1)
def subset_of(_: Frame, items: Items, other: Items) -> Items:
    """Whether every item is also in the other collection."""
    return [{key(item) for item in items} <= {key(item) for item in other}]


@function("supersetOf", 1)
def superset_of(_: Frame, items: Items, other: Items) -> Items:
    """Whether every item of the other collection is also here."""
    return [{key(item) for item in items} >= {key(item) for item in other}]


@function("count")
def count(_: Frame, items: Items) -> Items:
    """How many items there are."""
    return [len(items)]


@function("distinct")
def distinct_items(_: Frame, items: Items) -> Items:
    """The items without repetitions."""
    return distinct(items)


@function("isDistinct")
def is_distinct(_: Frame, items: Items) -> Items:
    """Whether no item is repeated."""
    return [len({key(item) for item in items}) == len(items)]


@function("not")
def negation(_: Frame, items: Items) -> Items:
    """The opposite of a condition."""
    value = truth(items)
    return [] if value is None else [not value]
