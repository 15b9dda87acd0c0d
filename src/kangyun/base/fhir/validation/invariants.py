"""The invariants of the definitions as functions, compiled when a type is first met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from kangyun.base.fhir.definitions import Constraint, ElementDef
from kangyun.base.fhir.fhirpath import FhirPathError, compile_invariant
from kangyun.base.fhir.validation import native
from kangyun.base.fhir.validation.shapes import BUILT_IN, shape

Json = dict[str, Any]
Test = Callable[[Json, Json, Json], bool]

# The published expressions of these are faulty; what each means is said beside it.
UNSOUND: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Rule:
    """An invariant: ``holds(node, resource, root)``."""

    key: str
    severity: str
    expression: str
    holds: Test


@cache
def of_type(name: str) -> tuple[Rule, ...]:
    """The rules that stand on a type or nested structure."""
    return tuple(_rule(c, name) for c in shape(name).constraints if c.key not in UNSOUND)


@cache
def of_element(element: ElementDef, type_name: str) -> tuple[Rule, ...]:
    """The rules that stand on one element beyond those of its type."""
    return tuple(_rule(c, type_name) for c in element.constraints if c.key not in BUILT_IN | UNSOUND.keys())


def _rule(constraint: Constraint, type_name: str) -> Rule:
    by_definition = _lazy(constraint.expression, type_name)
    holds = native.faster(constraint.key, by_definition)
    return Rule(constraint.key, constraint.severity, constraint.expression, holds)


def _lazy(expression: str, type_name: str) -> Test:
    """The expression, compiled when it is first asked."""
    compiled: list[Callable[..., bool]] = []

    def holds(node: Json, resource: Json, root: Json) -> bool:
        if not compiled:
            compiled.append(compile_invariant(expression, type_name))
        try:
            return compiled[0](node, resource, root)
        except FhirPathError:
            # What cannot be evaluated, such as a comparison of things without order, is not fulfilled.
            return False

    return holds
