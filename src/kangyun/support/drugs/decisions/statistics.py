"""Shares of prescriptions by what their drugs are: antimicrobials, essential, controlled, herbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kangyun.support.drugs.model import Drug

_MOST = 10


@dataclass(frozen=True, slots=True)
class Shares:
    """How often drugs of a sort were prescribed among all lines, and the drugs prescribed most often."""

    lines: int
    antimicrobial: int
    essential: int
    controlled: int
    insurance: Mapping[str, int]
    top: Sequence[tuple[str, int]]


def shares(used: Mapping[str, int], drugs: Mapping[str, Drug]) -> Shares:
    """The shares of lines. `used`: how many prescriptions name a drug."""
    known = [(drugs[code], times) for code, times in used.items() if code in drugs]
    classes = {name: sum(times for drug, times in known if drug.insurance == name) for name in "ABC"}
    return Shares(
        sum(used.values()), sum(times for drug, times in known if drug.tier), sum(times for drug, times in known if drug.essential),
        sum(times for drug, times in known if drug.control), classes, sorted(used.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST])
