"""Comparisons as data: which level of agreement two records reach in a field, in Python and, from the same lines, in SQL.

A level's condition is a mapping of tests to columns, all of which must hold; a list of such mappings means that one of
them is enough. Tests: `same: column` both say the same; `common: column` two lists share an entry; `near: column` one slip
apart (letters and digits only: DuckDB compares bytes); `cross: [one, other]` what one says in `one` the other says in `other`, `meets` likewise for lists; `differ: column` both say something, not the
same; `lacks: column` at least one says nothing; `begins: [column, n]` the same first n characters; `inside: [column, n]` one
begins with the other, of at least n characters; `like: [column, s]` Jaro-Winkler similarity of at least s (in SQL only).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

Test = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of agreement: its name, its condition (None: anything else), and how often matches and others reach it."""

    name: str
    condition: tuple[Mapping[str, Any], ...] | None
    m: float
    u: float
    frequency: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field with its levels from the best to the last; pairs that lack all of `needs` say nothing about it."""

    field: str
    needs: tuple[str, ...]
    levels: tuple[Level, ...]


def comparison(row: Mapping[str, Any]) -> Comparison:
    """A comparison from its lines in a rule file."""
    needs = row["needs"]
    return Comparison(row["field"], tuple([needs] if isinstance(needs, str) else needs), tuple(_level(one) for one in row["levels"]))


def _level(row: Mapping[str, Any]) -> Level:
    when = row.get("when")
    condition = None if when is None else tuple([when] if isinstance(when, Mapping) else when)
    return Level(row["level"], condition, float(row["m"]), float(row["u"]), bool(row.get("frequency")))


def judge(one: Comparison) -> Callable[[Any, Any], int]:
    """A function of two records that gives the number of the level reached, 0 the best, or -1 when nothing is told."""
    needs = [attrgetter(column) for column in one.needs]
    tests = [_any(level.condition) for level in one.levels]

    def level_of(a: Any, b: Any) -> int:
        if not any(told(a) and told(b) for told in needs):
            return -1
        return next(place for place, test in enumerate(tests) if test(a, b))

    return level_of


def _any(condition: tuple[Mapping[str, Any], ...] | None) -> Test:
    if condition is None:
        return lambda _a, _b: True
    choices = [_all(choice) for choice in condition]
    return choices[0] if len(choices) == 1 else lambda a, b: any(choice(a, b) for choice in choices)


def _all(choice: Mapping[str, Any]) -> Test:
    tests = [_TESTS[name](given) for name, given in choice.items()]
    return tests[0] if len(tests) == 1 else lambda a, b: all(test(a, b) for test in tests)


def _same(column: str) -> Test:
    get = attrgetter(column)
    return lambda a, b: bool(get(a)) and get(a) == get(b)


def _common(column: str) -> Test:
    get = attrgetter(column)
    return lambda a, b: any(value in get(b) for value in get(a))


def _near(column: str) -> Test:
    get = attrgetter(column)
    return lambda a, b: bool(get(a)) and bool(get(b)) and near(get(a), get(b))


def _cross(columns: list[str]) -> Test:
    first, second = map(attrgetter, columns)
    return lambda a, b: (bool(first(a)) and first(a) == second(b)) or (bool(first(b)) and first(b) == second(a))


def _meets(columns: list[str]) -> Test:
    first, second = map(attrgetter, columns)
    return lambda a, b: any(value in second(b) for value in first(a)) or any(value in second(a) for value in first(b))


def _differ(column: str) -> Test:
    get = attrgetter(column)
    return lambda a, b: bool(get(a)) and bool(get(b)) and get(a) != get(b)


def _lacks(column: str) -> Test:
    get = attrgetter(column)
    return lambda a, b: not get(a) or not get(b)


def _begins(given: tuple[str, int]) -> Test:
    get, size = attrgetter(given[0]), given[1]
    return lambda a, b: len(get(a)) >= size and get(a)[:size] == get(b)[:size]


def _inside(given: tuple[str, int]) -> Test:
    get, size = attrgetter(given[0]), given[1]
    return lambda a, b: min(len(get(a)), len(get(b))) >= size and (get(a).startswith(get(b)) or get(b).startswith(get(a)))


def near(one: str, other: str) -> bool:
    """Whether two texts are one slip apart: a character changed, left out or added, or two neighbours exchanged."""
    if abs(len(one) - len(other)) > 1:
        return False
    if len(one) == len(other):
        wrong = [place for place in range(len(one)) if one[place] != other[place]]
        return len(wrong) < 2 or (
            len(wrong) == 2 and wrong[1] == wrong[0] + 1 and one[wrong[0]] == other[wrong[1]] and one[wrong[1]] == other[wrong[0]]
        )
    short, long = sorted((one, other), key=len)
    return any(long[:place] + long[place + 1:] == short for place in range(len(long)))


_TESTS: Mapping[str, Callable[[Any], Test]] = {
    "same": _same, "common": _common, "near": _near, "cross": _cross, "differ": _differ, "lacks": _lacks,
    "begins": _begins, "inside": _inside, "meets": _meets,
}
