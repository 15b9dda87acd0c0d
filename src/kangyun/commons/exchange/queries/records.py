"""What the record holds already of the resources that a message names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from kangyun.commons.access import Handle

_MOST_READ = 24
_AT_ONCE = 100


async def current(handle: Handle, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The current resources by (type, id); those that do not exist are left out."""
    names = list(wanted)
    if len(names) > _MOST_READ:
        return await _many(handle, names)
    # Reads that are asked for at once share a statement.
    read = await asyncio.gather(*(handle.read(*name) for name in names))
    return {name: resource for name, resource in zip(names, read, strict=True) if resource}


async def _many(handle: Handle, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    by_type: dict[str, list[str]] = {}
    for type_, id_ in names:
        by_type.setdefault(type_, []).append(id_)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for type_, ids in by_type.items():
        for start in range(0, len(ids), _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            page = await handle.search(type_, [("_id", ",".join(part)), ("_count", str(_AT_ONCE))])
            found |= {(type_, str(one["id"])): one for one in page.resources}
    return found
