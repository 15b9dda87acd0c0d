"""Frequent invariants written in Python for their plain cases; a test holds each against its FHIRPath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Test = Callable[[Json, Json, Json], bool]


def faster(key: str, by_definition: Test) -> Test:
    """An invariant that answers plain cases itself and asks its definition otherwise."""
    written = _WRITTEN.get(key)
    return written(by_definition) if written else by_definition


def _period(by_definition: Test) -> Test:
    """per-1: texts of one length and one time zone are in the order of time."""

    def holds(node: Json, resource: Json, root: Json) -> bool:
        start, end = node.get("start"), node.get("end")
        if start is None or end is None or start == end:
            return True
        if len(start) == len(end) and start[19:] == end[19:]:
            return start < end
        return by_definition(node, resource, root)

    return holds


def _only_with(*names: str) -> Callable[[Test], Test]:
    """The invariant speaks about these elements; without any of them it holds."""

    def guard(by_definition: Test) -> Test:
        def holds(node: Json, resource: Json, root: Json) -> bool:
            return not any(name in node for name in names) or by_definition(node, resource, root)

        return holds

    return guard


_WRITTEN: dict[str, Callable[[Test], Test]] = {
    "per-1": _period,
    "obs-6": _only_with("dataAbsentReason", "_dataAbsentReason"),
    "obs-7": _only_with("component"),
    "prr-1": _only_with("orderDetail"),
}
