"""Frequent invariants written in Python; a test holds each against its FHIRPath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Test = Callable[[Json, Json, Json], bool]


def faster(_key: str, _type_name: str, by_definition: Test) -> Test:
    """The Python form of an invariant, or the definition's own when there is none."""
    return by_definition
