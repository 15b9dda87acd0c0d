"""Chinese names: surnames by frequency, given names in the fashion of the year of birth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance


class Characters(Struct, frozen=True):
    """Characters of one fashion for the first and the second place of a given name."""

    first: str
    second: str


class Era(Struct, frozen=True):
    """The fashion for people born before a year."""

    until: int
    single: float
    male: Characters
    female: Characters


class Names(Struct, frozen=True):
    """The whole of names.yaml."""

    surnames: list[tuple[str, str, float]]
    eras: list[Era]
    readings: dict[str, str]


@dataclass(frozen=True, slots=True)
class Name:
    """A name in characters and in capitals of pinyin."""

    family: str
    given: str
    family_pinyin: str
    given_pinyin: str

    @property
    def text(self) -> str:
        """The whole name in characters."""
        return self.family + self.given


@cache
def _names() -> Names:
    return assumptions.read("names.yaml", Names)


@lru_cache(maxsize=1)
def _surnames() -> list[tuple[tuple[str, str], float]]:
    return [((hanzi, pinyin), weight) for hanzi, pinyin, weight in _names().surnames]


def draw(rng: Random, sex: str, birth_year: int, family: tuple[str, str] | None = None) -> Name:
    """Draw a name; a child has its father's `family` (characters, pinyin)."""
    hanzi, pinyin = family or chance.weighted(rng, _surnames())
    given = _given(rng, sex, birth_year)
    return Name(hanzi, given, pinyin, "".join(_names().readings[character] for character in given))


def _given(rng: Random, sex: str, birth_year: int) -> str:
    era = next(era for era in _names().eras if birth_year < era.until)
    characters = era.male if sex == "male" else era.female
    second = rng.choice(characters.second)
    if rng.random() < era.single:
        return second
    first = rng.choice(characters.first)
    return first + second if first != second else second
