"""What the record holds already of the resources that a message names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kangyun.commons.access import Handle

_AT_ONCE = 100


async def current(handle: Handle, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The current resources by (type, id); those that do not exist are left out."""
    by_type: dict[str, list[str]] = {}
    for type_, id_ in wanted:
        by_type.setdefault(type_, []).append(id_)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for type_, ids in by_type.items():
        for resource in await _of_type(handle, type_, ids):
            found[type_, str(resource["id"])] = resource
    return found


async def _of_type(handle: Handle, type_: str, ids: list[str]) -> list[dict[str, Any]]:
    if len(ids) <= 2:
        read = [await handle.read(type_, one) for one in ids]
        return [one for one in read if one]
    found: list[dict[str, Any]] = []
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        page = await handle.search(type_, [("_id", ",".join(part)), ("_count", str(_AT_ONCE))])
        found += page.resources
    return found
