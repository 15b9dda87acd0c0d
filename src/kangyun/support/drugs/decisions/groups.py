"""Groups of drugs: names of rules/groups.yaml stand for ATC prefixes, drugs and herbs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.diagnoses import PACKAGE

# The levels of an ATC code end after so many characters.
_LEVELS = (1, 3, 4, 5, 7)


@lru_cache(maxsize=2)
def _members(_edition: int) -> dict[str, tuple[str, ...]]:
    """To which groups a member belongs."""
    found: dict[str, tuple[str, ...]] = {}
    for group, members in rules.load(PACKAGE, "groups.yaml").map.items():
        for member in members:
            found[str(member)] = (*found.get(str(member), ()), str(group))
    return found


def names() -> frozenset[str]:
    """All groups."""
    return frozenset(map(str, rules.load(PACKAGE, "groups.yaml").map))


def prefixes(atc: str) -> list[str]:
    """An ATC code and the levels above it: C09AA02 -> C, C09, C09A, C09AA, C09AA02."""
    return [*dict.fromkeys(atc[:length] for length in _LEVELS if atc)]


def groups_of(atc: str, others: Iterable[str] = ()) -> frozenset[str]:
    """The groups of what has an ATC code, or is called one of the `others` (codes, herbs inside, groups that its row names)."""
    members = _members(id(rules.load(PACKAGE, "groups.yaml")))
    own = {*others}
    found = {group for member in (*prefixes(atc), *own) for group in members.get(member, ())}
    return frozenset(found | {group for name in found for group in members.get(name, ())} | own)


def terms(atc: str, others: Iterable[str] = ()) -> frozenset[str]:
    """All words by which a row of interactions may mean it: ATC prefixes, codes, herbs inside, groups."""
    return groups_of(atc, others) | frozenset(prefixes(atc))


def check_example(rule: Rule, given: Mapping[str, Any]) -> bool:
    """Whether an ATC code is in a group."""
    return bool({*prefixes(str(given["atc"]))} & {*map(str, rule.map[given["group"]])})
