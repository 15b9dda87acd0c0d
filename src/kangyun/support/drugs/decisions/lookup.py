"""Looking a drug up in the whole catalogue: by name, trade name, pinyin, initials, or by the group of its ATC code."""

from __future__ import annotations

from collections.abc import Collection

from kangyun.support.drugs.decisions.choosing import found
from kangyun.support.drugs.model import Drug

# The first letters of ATC codes; Z is ours, for Chinese patent medicines, and ZZ for decoction pieces.
LETTERS = ("A", "B", "C", "D", "G", "H", "J", "L", "M", "N", "P", "R", "S", "V", "Z", "ZZ")
_HERBS = "ZZ"
_MOST = 60


def look_up(drugs: Collection[Drug], typed: str) -> list[Drug]:
    """What was typed, in western drugs, patent medicines and decoction pieces; the best first, at most sixty."""
    return [one for kind in ("western", "herbal") for one in found(drugs, typed, kind, _MOST)][:_MOST]


def of_letter(drugs: Collection[Drug], letter: str) -> list[Drug]:
    """The drugs of a group, in the order of their ATC codes; none for a letter that is no group."""
    return sorted((one for one in drugs if _is_of(one, letter)), key=lambda one: (one.atc, one.number))


def _is_of(drug: Drug, letter: str) -> bool:
    if letter == _HERBS or drug.herb:
        return letter == _HERBS and drug.herb
    return letter in LETTERS and drug.atc.startswith(letter)
