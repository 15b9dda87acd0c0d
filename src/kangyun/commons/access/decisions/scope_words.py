"""What an app will see and do, in words that anybody understands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kangyun.base.rules import Rule, load
from kangyun.commons.access.decisions.policy import groups
from kangyun.commons.access.decisions.scopes import Scope, parse

_DEEDS = {"see": "rs", "write": "cu", "delete": "d"}

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Deed:
    """see, write or delete, and with what: each in zh and en."""

    name: str
    things: tuple[Words, ...]


def deeds(scopes: str) -> tuple[Deed, ...]:
    """What scopes about resources allow, each thing once; the whole record leaves no other to be told."""
    parsed = parse(scopes)
    found = [Deed(name, _things(one for one in parsed if one.interactions & set(letters))) for name, letters in _DEEDS.items()]
    return tuple(deed for deed in found if deed.things)


def _things(scopes: Iterable[Scope]) -> tuple[Words, ...]:
    said = [_words(scope) for scope in scopes]
    whole = _map()["all"]
    if whole in said:
        return (whole,)
    return tuple({words["zh"]: words for words in said}.values())


def _words(scope: Scope) -> Words:
    told = _map()
    if scope.type == "*":
        return told["all"]
    named = [told["conditions"][param] for param in scope.params if param in told["conditions"]]
    if named:
        return named[0]
    own = told["types"].get(scope.type)
    return own or next(told["groups"][name] for name, types in groups().items() if scope.type in types)


def _map() -> Mapping[str, Any]:
    return load("kangyun.commons.access", "scope_words.yaml").map


def check_example(_rule: Rule, given: str) -> dict[str, list[str]]:
    """The verdict on a worked example."""
    return {deed.name: [thing["zh"] for thing in deed.things] for deed in deeds(given)}
