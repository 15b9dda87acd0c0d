"""Chinese names: surnames by frequency, given names in the fashion of the year of birth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random

from msgspec import Struct

from yunzhou import assumptions


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
    minorities: dict[str, dict[str, list[tuple[str, str]]]]
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
def book() -> Names:
    """Return what names.yaml says."""
    return assumptions.read("names.yaml", Names)


@cache
def _surnames() -> tuple[list[tuple[str, str]], list[float]]:
    surnames = book().surnames
    return [(hanzi, pinyin) for hanzi, pinyin, _ in surnames], list(accumulate(weight for _, _, weight in surnames))


def draw(rng: Random, sex: str, birth_year: int, family: tuple[str, str] | None = None, ethnicity: str = "") -> Name:
    """Draw a name; a child has its father's `family` (characters, pinyin)."""
    if ethnicity in book().minorities:
        return _without_surname(rng, sex, ethnicity)
    if family is None:
        surnames, heights = _surnames()
        family = rng.choices(surnames, cum_weights=heights)[0]
    given = _given(rng, sex, birth_year)
    return Name(family[0], given, family[1], read(given))


def sibling(rng: Random, name: Name, other: Name) -> Name:
    """Return a name that begins like the other one, as those of twins do; never the same name."""
    if len(other.given) != 2 or len(name.given) < 1 or name.family != other.family:
        return name
    last = name.given[-1] if name.given[-1] != other.given[-1] else rng.choice("安宁平乐")
    given = other.given[0] + last
    return Name(name.family, given, name.family_pinyin, read(given))


def read(text: str) -> str:
    """Return the pinyin of the characters of a given name."""
    readings = book().readings
    return "".join(readings[character] for character in text)


def _without_surname(rng: Random, sex: str, ethnicity: str) -> Name:
    """Draw a name of a people without surnames: Uighurs add their father's after a dot, Tibetans another given name."""
    given = book().minorities[ethnicity]
    first = rng.choice(given[sex])
    second = rng.choice(given["male"] if ethnicity == "05" else given[sex])
    dot = "·" if ethnicity == "05" else ""
    return Name("", f"{first[0]}{dot}{second[0]}", "", f"{first[1]}{second[1]}")


def _given(rng: Random, sex: str, birth_year: int) -> str:
    era = next(era for era in book().eras if birth_year < era.until)
    characters = era.male if sex == "male" else era.female
    second = rng.choice(characters.second)
    if rng.random() < era.single:
        return second
    first = rng.choice(characters.first)
    return first + second if first != second else second
