"""Resources that only the platform's own work writes, by the marks that rules/platforms_own.yaml names: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from kangyun.base.rules import Rule, load

_PLACES = ("category", "type", "code")


@cache
def _marks() -> Mapping[str, tuple[str, ...]]:
    return {type_: tuple(systems) for type_, systems in load("kangyun.commons.access", "platforms_own.yaml").map.items()}


def may_be(type_: str) -> bool:
    """Whether some resources of the type are the platform's own."""
    return type_ in _marks()


def is_own(resource: Mapping[str, Any] | None) -> bool:
    """Whether a resource bears a mark of the platform's own work."""
    wanted = _marks().get(str((resource or {}).get("resourceType", "")), ())
    if not wanted or resource is None:
        return False
    return str(resource.get("questionnaire", "")).startswith(wanted) or any(one in wanted for one in _systems(resource))


def _systems(resource: Mapping[str, Any]) -> Iterator[str]:
    meta = resource.get("meta")
    yield from _codings(meta.get("tag") if isinstance(meta, dict) else None)
    for place in _PLACES:
        said = resource.get(place)
        for concept in said if isinstance(said, list) else [said]:
            yield from _codings(concept.get("coding") if isinstance(concept, dict) else None)


def _codings(said: Any) -> Iterator[str]:
    for one in said if isinstance(said, list) else ():
        if isinstance(one, dict):
            yield str(one.get("system", ""))


def check_example(_rule: Rule, given: Mapping[str, Any]) -> bool:
    """The judge of the examples."""
    return is_own(given)
