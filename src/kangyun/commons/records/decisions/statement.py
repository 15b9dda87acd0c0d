"""What the CapabilityStatement says of types that another room answers for, from tables of its own."""

from __future__ import annotations

_elsewhere: dict[str, frozenset[str]] = {}


def answered_elsewhere(type_: str, parameters: frozenset[str]) -> None:
    """Take note that a room answers read and search of a type by itself, with these search parameters and no others."""
    _elsewhere[type_] = parameters


def parameters_elsewhere(type_: str) -> frozenset[str] | None:
    """The search parameters of a type that a room answers by itself; None for all others."""
    return _elsewhere.get(type_)
