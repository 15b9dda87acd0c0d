"""Binary operators as functions of two compiled sides (FHIRPath N1, clause 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from . import arithmetic
from .comparison import compare, distinct, equal, equivalent, key
from .errors import FhirPathError
from .frame import Evaluate, Frame
from .functions.conversion import to_string
from .nodes import Item
from .values import expect, singleton, truth

Build: TypeAlias = Callable[[Evaluate, Evaluate], Evaluate]


def _answer(value: bool | None) -> list[Item]:
    return [] if value is None else [value]


def _equality(*, negated: bool) -> Build:
    def build(left: Evaluate, right: Evaluate) -> Evaluate:
        def run(frame: Frame) -> list[Item]:
            found = equal(left(frame), right(frame))
            return [] if found is None else [found is not negated]

        return run

    return build


def _equivalence(*, negated: bool) -> Build:
    return lambda left, right: lambda frame: [equivalent(left(frame), right(frame)) is not negated]


def _order(holds: Callable[[int], bool]) -> Build:
    def build(left: Evaluate, right: Evaluate) -> Evaluate:
        def run(frame: Frame) -> list[Item]:
            one, other = singleton(left(frame)), singleton(right(frame))
            if one is None or other is None:
                return []
            found = compare(one, other)
            return [] if found is None else [holds(found)]

        return run

    return build


def _arithmetic(compute: Callable[[Item, Item], Item | None]) -> Build:
    def build(left: Evaluate, right: Evaluate) -> Evaluate:
        def run(frame: Frame) -> list[Item]:
            one, other = singleton(left(frame)), singleton(right(frame))
            result = None if one is None or other is None else compute(one, other)
            return [] if result is None else [result]

        return run

    return build


def _and(left: Evaluate, right: Evaluate) -> Evaluate:
    def run(frame: Frame) -> list[Item]:
        one = truth(left(frame))
        if one is False:
            return [False]
        other = truth(right(frame))
        return _answer(other if one or other is False else None)

    return run


def _or(left: Evaluate, right: Evaluate) -> Evaluate:
    def run(frame: Frame) -> list[Item]:
        one = truth(left(frame))
        if one:
            return [True]
        other = truth(right(frame))
        return _answer(other if one is False or other else None)

    return run


def _xor(left: Evaluate, right: Evaluate) -> Evaluate:
    def run(frame: Frame) -> list[Item]:
        one, other = truth(left(frame)), truth(right(frame))
        return [] if one is None or other is None else [one is not other]

    return run


def _implies(left: Evaluate, right: Evaluate) -> Evaluate:
    def run(frame: Frame) -> list[Item]:
        one = truth(left(frame))
        if one is False:
            return [True]
        other = truth(right(frame))
        return _answer(other if one or other else None)

    return run


def _in(left: Evaluate, right: Evaluate) -> Evaluate:
    def run(frame: Frame) -> list[Item]:
        items = left(frame)
        if len(items) > 1:
            raise FhirPathError("the member must be a single value")
        if not items or singleton(items) is None:
            return []
        return [key(items[0]) in {key(item) for item in right(frame)}]

    return run


def _contains(left: Evaluate, right: Evaluate) -> Evaluate:
    return _in(right, left)


def _union(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda frame: distinct([*left(frame), *right(frame)])


def _join(left: Evaluate, right: Evaluate) -> Evaluate:
    def text(part: Evaluate, frame: Frame) -> str:
        value = singleton(part(frame))
        written = "" if value is None else to_string(value)
        return expect([written], str, "an operand of &") or ""

    return lambda frame: [text(left, frame) + text(right, frame)]


OPERATORS: dict[str, Build] = {
    "=": _equality(negated=False),
    "!=": _equality(negated=True),
    "~": _equivalence(negated=False),
    "!~": _equivalence(negated=True),
    "<": _order(lambda found: found < 0),
    "<=": _order(lambda found: found <= 0),
    ">": _order(lambda found: found > 0),
    ">=": _order(lambda found: found >= 0),
    "+": _arithmetic(arithmetic.add),
    "-": _arithmetic(arithmetic.subtract),
    "*": _arithmetic(arithmetic.multiply),
    "/": _arithmetic(arithmetic.divide),
    "div": _arithmetic(arithmetic.whole),
    "mod": _arithmetic(arithmetic.remainder),
    "&": _join,
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
    "in": _in,
    "contains": _contains,
    "|": _union,
}
