"""Who lives with whom: the telephone of one member of a family rings at the door of all."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kangyun.commons.population.decisions.matching.features import Features


def among(one: Features, others: Iterable[Features]) -> Features:
    """The Patient with the doors at which its telephones ring: those of people with one of them and another birth date."""
    homes = {
        door: None for other in others
        if one.birth and other.birth and one.birth != other.birth and not set(one.phones).isdisjoint(other.phones)
        for door in other.doors
    }
    return replace(one, homes=tuple(homes)) if homes else one
