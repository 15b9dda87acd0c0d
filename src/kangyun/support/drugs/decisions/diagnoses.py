"""Groups of diagnoses: names of rules/diagnoses.yaml stand for prefixes of ICD-10 codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule

PACKAGE = "kangyun.support.drugs"


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """The prefixes for which names of groups, or prefixes themselves, stand; RuleError for a group that is not there."""
    return _expanded(tuple(names), id(rules.load(PACKAGE, "diagnoses.yaml")))


@lru_cache(maxsize=2048)
def _expanded(names: tuple[str, ...], _edition: int) -> tuple[str, ...]:
    return _prefixes(names, rules.load(PACKAGE, "diagnoses.yaml").map)


def _prefixes(names: Iterable[str], groups: Mapping[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    for name in names:
        if name[:1].isupper():
            found.append(name)
        elif name in groups:
            found += map(str, groups[name])
        else:
            raise rules.RuleError(f"diagnoses.yaml: no group {name}")
    return tuple(dict.fromkeys(found))


def among(codes: Iterable[str], prefixes: tuple[str, ...]) -> str:
    """The first of the ICD-10 codes that begins with one of the prefixes; empty when none does."""
    return next((code for code in codes if prefixes and code.upper().startswith(prefixes)), "")


def check_example(rule: Rule, given: Any) -> bool:
    """Whether a code belongs to a group."""
    return bool(among([given["code"]], _prefixes([given["group"]], rule.map)))
