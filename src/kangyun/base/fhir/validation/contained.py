"""Contained resources: found by their id, used by their container, and flat (dom-2 to dom-5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kangyun.base.errors import Issue
from kangyun.base.fhir import definitions

Json = dict[str, Any]


def inner(resource: Json) -> Iterator[tuple[int, Json]]:
    """The contained resources with their index, as far as they are resources at all."""
    kept: Any = resource.get("contained")
    known = definitions.load().resources
    for index, one in enumerate(_items(kept)):
        name: Any = one.get("resourceType") if isinstance(one, dict) else None
        if isinstance(name, str) and name in known:
            yield index, one


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def ids(resource: Json) -> Iterator[str]:
    """The ids of the contained resources."""
    for _, one in inner(resource):
        if isinstance(one.get("id"), str):
            yield one["id"]


def issues(resource: Json, path: str, pointers: set[str]) -> Iterable[Issue]:
    """What is wrong with the contained resources; ``pointers`` are the ids that the whole resource points to."""
    found = list(ids(resource))
    if len(found) != len(set(found)):
        yield Issue("duplicate", "fhir.contained-id-twice", {}, f"{path}.contained")
    for index, one in inner(resource):
        place = f"{path}.contained[{index}]"
        yield from _flat(one, place)
        name = one.get("id")
        if not (isinstance(name, str) and name in pointers) and not points_back(one):
            yield Issue("invariant", "fhir.contained-unused", {}, place)


def _flat(one: Json, path: str) -> Iterable[Issue]:
    meta = one.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    if "contained" in one:
        yield Issue("invariant", "fhir.contained-nested", {}, f"{path}.contained")
    if "versionId" in meta or "lastUpdated" in meta:
        yield Issue("invariant", "fhir.contained-version", {}, f"{path}.meta")
    if "security" in meta:
        yield Issue("invariant", "fhir.contained-security", {}, f"{path}.meta.security")


def points_back(node: Any) -> bool:
    """Whether something inside refers to the container by ``#``."""
    if isinstance(node, dict):
        return any(value == "#" or points_back(value) for value in node.values())
    return isinstance(node, list) and any(points_back(item) for item in node)
