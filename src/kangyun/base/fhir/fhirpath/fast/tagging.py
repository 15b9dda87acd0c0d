"""The last step of a search parameter: every value beside the name of its type.

Nearly all of R4's search parameters are paths of one or two properties, so these have closures of their own: they take
half the time that composed ones would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from kangyun.base.fhir.fhirpath.nodes import Json

from .branches import ANY_RESOURCE, Branch, Step, Surroundings
from .conditions import concrete_type

Typed: TypeAlias = "tuple[str, Json]"
Tagged: TypeAlias = "Callable[[Json, Surroundings | None], list[Typed]]"


def tagged(branch: Branch) -> Tagged:
    """The values of a branch in pairs with their type."""
    if branch.type in ANY_RESOURCE:
        return _resources(branch)
    match branch.steps:
        case (step,):
            return _one_step(step, branch.type)
        case (first, second) if first.repeats and not second.repeats:
            return _list_then_one(first.key, second.key, branch.type)
        case (first, second) if not first.repeats:
            return _one_then(first.key, _one_step(second, branch.type))
        case _:
            return _composed(branch)


def _resources(branch: Branch) -> Tagged:
    run, name = branch.run, branch.type
    return lambda node, around: [(concrete_type(name, one), one) for one in run(node, around)]


def _composed(branch: Branch) -> Tagged:
    run, name = branch.run, branch.type

    def extract(node: Json, around: Surroundings | None) -> list[Typed]:
        found = run(node, around)
        return [(name, one) for one in found] if found else []

    return extract


def _one_step(step: Step, name: str) -> Tagged:
    key = step.key

    def single(node: Json, _: Surroundings | None) -> list[Typed]:
        value = node.get(key)
        return [] if value is None else [(name, value)]

    def several(node: Json, _: Surroundings | None) -> list[Typed]:
        values = node.get(key)
        return [(name, one) for one in values if one is not None] if values else []

    return several if step.repeats else single


def _list_then_one(first: str, second: str, name: str) -> Tagged:
    def extract(node: Json, _: Surroundings | None) -> list[Typed]:
        outer = node.get(first)
        return [(name, value) for one in outer if (value := one.get(second)) is not None] if outer else []

    return extract


def _one_then(key: str, inner: Tagged) -> Tagged:
    def extract(node: Json, around: Surroundings | None) -> list[Typed]:
        value = node.get(key)
        return [] if value is None else inner(value, around)

    return extract


def joined(parts: list[Tagged]) -> Tagged:
    """Several branches one after the other."""
    if len(parts) == 1:
        return parts[0]

    def extract(node: Json, around: Surroundings | None) -> list[Typed]:
        found: list[Typed] = []
        for part in parts:
            found += part(node, around)
        return found

    return extract
