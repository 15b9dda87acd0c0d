"""Counties, towns, villages and addresses of the city, and its institutions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance


class Division(Struct, frozen=True):
    """A division by its six-digit code."""

    code: str
    name: str


class Town(Struct, frozen=True):
    """A street (urban) or a town with its villages."""

    code: str
    name: str
    urban: bool
    weight: float
    settlements: list[str]
    streets: list[str] = []


class County(Struct, frozen=True):
    """A county or district of the city."""

    code: str
    name: str
    zip: str
    towns: list[Town]


class Map(Struct, frozen=True):
    """The whole of places.yaml."""

    province: Division
    city: Division
    counties: list[County]


@dataclass(frozen=True, slots=True)
class Place:
    """An address. `division` is the twelve-digit code of the village or committee."""

    county: str
    county_name: str
    zip: str
    division: str
    line: str
    kind: str

    @property
    def text(self) -> str:
        """The address as one writes it in China, from large to small."""
        return f"{city().province.name}{city().city.name}{self.county_name}{self.line}"


@cache
def city() -> Map:
    """Return the map of the city."""
    return assumptions.read("places.yaml", Map)


def draw(rng: Random) -> Place:
    """Draw an address."""
    county, town = chance.weighted(rng, [((c, t), t.weight) for c in city().counties for t in c.towns])
    index = rng.randrange(len(town.settlements))
    division = f"{county.code}{town.code}{index if town.urban else 100 + index:03d}"
    return Place(county.code, county.name, county.zip, division, _line(rng, town, index), _kind(county, town))


def _line(rng: Random, town: Town, settlement: int) -> str:
    if town.streets:
        return f"{town.name}{rng.choice(town.streets)}{rng.randint(1, 180)}号{rng.randint(1, 6)}单元{rng.randint(1, 6)}0{rng.randint(1, 4)}室"
    return f"{town.name}{town.settlements[settlement]}{rng.randint(1, 220)}号"


def _kind(county: County, town: Town) -> str:
    """Say how far the township hospital is: it stands in the only county without a city hospital."""
    if town.urban and county is city().counties[0]:
        return "urban"
    return "near" if not town.urban else "rural"
