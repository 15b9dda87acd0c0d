"""How criteria join: three-valued logic (FHIRPath N1, clause 6.5) and the presence of values."""

from __future__ import annotations

from collections.abc import Callable

from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.nodes import Json

from .branches import Branch, Run, Surroundings, Test


def text_equality(run: Run, text: str, *, wanted: bool) -> Test:
    """Whether the only value is (not) a text; None without a value."""

    def test(node: Json, around: Surroundings | None) -> bool | None:
        found = run(node, around)
        return ((len(found) == 1 and found[0] == text) is wanted) if found else None

    return test


def presence(branches: list[Branch], *, found: bool) -> Test:
    """Whether there is (not) anything on the branches."""
    keys = _keys(branches)
    if keys is not None:
        return _key_presence(keys, found=found)
    runs = [one.seen for one in branches]
    if len(runs) == 1:
        run = runs[0]
        return lambda node, around: (len(run(node, around)) > 0) is found
    return lambda node, around: any(run(node, around) for run in runs) is found


def _keys(branches: list[Branch]) -> frozenset[str] | None:
    """The JSON properties that show the presence of elements directly below the node; None for longer paths."""
    keys: set[str] = set()
    for one in branches:
        if one.steps is None or len(one.steps) != 1:
            return None
        step = one.steps[0]
        keys |= {step.key, "_" + step.key} if step.gaps else {step.key}
    return frozenset(keys)


def _key_presence(keys: frozenset[str], *, found: bool) -> Test:
    absent = keys.isdisjoint

    def test(node: Json, _: Surroundings | None) -> bool:
        # The second look is for null and empty lists, which are not elements.
        present = not absent(node) and any(node[key] is not None and node[key] != [] for key in keys if key in node)
        return present is found

    return test


def as_truth(runs: list[Run]) -> Test:
    """A path where a condition is expected: a single value that is not Boolean counts as true (clause 4.5)."""

    def test(node: Json, around: Surroundings | None) -> bool | None:
        found = [one for run in runs for one in run(node, around)]
        if len(found) > 1:
            raise FhirPathError(f"a condition must be a single value, not {len(found)}")
        return None if not found else found[0] is not False

    return test


def negated(inner: Test) -> Test:
    """The opposite of a criterion."""

    def test(node: Json, around: Surroundings | None) -> bool | None:
        found = inner(node, around)
        return None if found is None else not found

    return test


def same(left: Test, right: Test, *, wanted: bool) -> Test:
    """Whether two criteria have the same (or different) answers."""

    def test(node: Json, around: Surroundings | None) -> bool | None:
        one, other = left(node, around), right(node, around)
        return None if one is None or other is None else (one is other) is wanted

    return test


def _and(left: Test, right: Test) -> Test:
    def test(node: Json, around: Surroundings | None) -> bool | None:
        one = left(node, around)
        if one is False:
            return False
        other = right(node, around)
        return other if one or other is False else None

    return test


def _or(left: Test, right: Test) -> Test:
    def test(node: Json, around: Surroundings | None) -> bool | None:
        one = left(node, around)
        if one:
            return True
        other = right(node, around)
        return other if one is False or other else None

    return test


def _xor(left: Test, right: Test) -> Test:
    return same(left, right, wanted=False)


def _implies(left: Test, right: Test) -> Test:
    def test(node: Json, around: Surroundings | None) -> bool | None:
        one = left(node, around)
        if one is False:
            return True
        other = right(node, around)
        return other if one or other else None

    return test


LOGIC: dict[str, Callable[[Test, Test], Test]] = {"and": _and, "or": _or, "xor": _xor, "implies": _implies}
