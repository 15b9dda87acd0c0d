"""Counties, towns, villages and addresses of the city, cut to the number of its people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product
from random import Random

from msgspec import Struct

from yunzhou import assumptions

# Households are numbered with seven digits; a settlement gets as many numbers as it could need, some for those that would be too many in the end.
SMALLEST_HOUSEHOLD, SPARE = 1.7, 24
VILLAGES_AT = 100


class Division(Struct, frozen=True):
    """A division by its six-digit code."""

    code: str
    name: str


class County(Struct, frozen=True):
    """A county: its seat is urban, its towns are not."""

    code: str
    name: str
    zip: str
    seat: str = ""
    seat_streets: list[str] = []
    seat_committees: list[str] = []


class Street(Struct, frozen=True):
    """A street office of the city district."""

    code: str
    name: str
    streets: list[str]
    committees: list[str]


class Full(Struct, frozen=True):
    """How many of each a full city has."""

    people: int
    towns: int
    villages: int
    committees: int
    villages_per_town: int


class Map(Struct, frozen=True):
    """The whole of places.yaml."""

    province: Division
    city: Division
    townspeople: float
    full: Full
    district: County
    streets: list[Street]
    more_committees: list[str]
    counties: list[County]
    towns: list[str]
    village_stems: list[str]
    village_roots: list[str]
    first_villages: dict[str, list[str]]
    choice: dict[str, list[float]]


@dataclass(frozen=True, slots=True, eq=False)
class Settlement:
    """A village or a residents' committee; one object for each of a region, so identity is equality.

    `kind` is urban, seat or village; `town` numbers the towns from 0 (-1: no town), `village` those of a town; `county` numbers
    the counties from 0 (-1: the city district). `people` will live here, in households with `numbers` numbers from `first` on.
    """

    code: str
    name: str
    town_name: str
    kind: str
    area: County
    county: int
    town: int
    village: int
    streets: tuple[str, ...]
    people: int = 0
    first: int = 0
    numbers: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """An address."""

    settlement: Settlement
    line: str

    @property
    def county(self) -> str:
        """The six-digit code of the county."""
        return self.settlement.area.code

    @property
    def county_name(self) -> str:
        """The name of the county."""
        return self.settlement.area.name

    @property
    def zip(self) -> str:
        """The postal code."""
        return self.settlement.area.zip

    @property
    def division(self) -> str:
        """The twelve-digit code of the village or committee."""
        return self.settlement.code

    @property
    def kind(self) -> str:
        """Urban, seat or village."""
        return self.settlement.kind

    @property
    def text(self) -> str:
        """The address as one writes it in China, from large to small."""
        return f"{_prefix()}{self.settlement.area.name}{self.line}"


@dataclass(frozen=True, slots=True)
class Region:
    """The settlements in which the people of a city live, and how many in each."""

    settlements: tuple[Settlement, ...]
    heights: tuple[int, ...]

    def draw(self, rng: Random) -> Place:
        """Draw an address anywhere in the city."""
        return address(rng, rng.choices(self.settlements, cum_weights=self.heights)[0])


@cache
def city() -> Map:
    """Return the map of the city."""
    return assumptions.read("places.yaml", Map)


@cache
def _prefix() -> str:
    return f"{city().province.name}{city().city.name}"


def region(people: int, villages: int = 0) -> Region:
    """Return the city of so many people; `villages` if there shall be another number of them than usual."""
    return _region(people, villages)


@cache
def _region(people: int, villages: int) -> Region:
    full = city().full
    scale = min(1.0, math.sqrt(people / full.people))
    villages = villages or max(6, round(full.villages * scale))
    towns = max(2, round(full.towns * min(1.0, villages / full.villages)), math.ceil(villages / full.villages_per_town))
    rural = [village(number % towns, number // towns) for number in range(villages)]
    urban = _urban(max(3, round(full.committees * scale)), min(towns, len(city().counties)))
    shares = [city().townspeople / len(urban)] * len(urban) + [(1 - city().townspeople) / villages] * villages
    ordered = [*urban, *sorted(rural, key=lambda place: (place.town, place.village))]
    return _peopled(ordered, [people * share for share in shares])


def _peopled(settlements: list[Settlement], shares: list[float]) -> Region:
    """Give each settlement whole people, so that all of them are the wanted number."""
    tops = [round(top) for top in accumulate(shares)]
    found: list[Settlement] = []
    first = 1
    for place, top, below in zip(settlements, tops, [0, *tops], strict=False):
        number = top - below
        numbers = math.ceil(number / SMALLEST_HOUSEHOLD) + SPARE
        found.append(_with(place, number, first, numbers))
        first += numbers
    return Region(tuple(found), tuple(tops))


def _with(place: Settlement, people: int, first: int, numbers: int) -> Settlement:
    return Settlement(
        place.code, place.name, place.town_name, place.kind, place.area, place.county, place.town, place.village,
        place.streets, people, first, numbers,
    )  # fmt: skip


def _urban(number: int, counties: int) -> list[Settlement]:
    """Two thirds of the committees are of the city district, the others of the county seats."""
    seats = max(1, number // 3)
    streets = [_committee(index) for index in range(number - seats)]
    return [*streets, *(_seat(index % counties, index // counties) for index in range(seats))]


def _committee(index: int) -> Settlement:
    offices = city().streets
    street, turn = offices[index % len(offices)], index // len(offices)
    name = _committee_name(street.committees, turn)
    area = city().district
    code = f"{area.code}{street.code}{turn:03d}"
    return Settlement(code, f"{name}社区", street.name, "urban", area, -1, -1, -1, tuple(street.streets))


def _seat(county: int, turn: int) -> Settlement:
    area = city().counties[county]
    name = _committee_name(area.seat_committees, turn)
    return Settlement(f"{area.code}100{turn:03d}", f"{name}社区", area.seat, "seat", area, county, -1, -1,
                      tuple(area.seat_streets))  # fmt: skip


def _committee_name(first: list[str], turn: int) -> str:
    names = [*first, *city().more_committees]
    again = turn // len(names)
    return names[turn % len(names)] + ("" if not again else "一二三四五六七八九"[again - 1])


@cache
def town_name(town: int) -> str:
    """Return the name of a town by its number; the list once more, as townships, when it is used up."""
    names = city().towns
    turn, index = divmod(town, len(names))
    return names[index] + ("镇" if not turn else f"{'东西南北中'[turn - 1]}乡")


@cache
def village(town: int, number: int) -> Settlement:
    """Return a village by its number in its town, still without people."""
    county = town % len(city().counties)
    area = city().counties[county]
    code = f"{area.code}{101 + town // len(city().counties):03d}{VILLAGES_AT + number:03d}"
    return Settlement(code, _village_names(town)[number], town_name(town), "village", area, county, town, number, ())


@cache
def _village_names(town: int) -> list[str]:
    first = city().first_villages.get(city().towns[town % len(city().towns)], [])
    made = [stem + root for root, stem in product(city().village_roots, city().village_stems)]
    # Every town begins elsewhere in the list, so that neighbours have other villages.
    start = town * 17 % len(made)
    rest = [name for name in [*made[start:], *made[:start]] if name not in first]
    return [f"{name}村" for name in [*first, *rest]]


def address(rng: Random, settlement: Settlement) -> Place:
    """Draw an address in a settlement."""
    if settlement.streets:
        street, lot = rng.choice(settlement.streets), rng.randrange(180 * 6 * 6 * 4)
        lot, number = divmod(lot, 180)
        lot, entrance = divmod(lot, 6)
        floor, door = divmod(lot, 4)
        line = f"{settlement.town_name}{street}{number + 1}号{entrance + 1}单元{floor + 1}0{door + 1}室"
    else:
        number = rng.randrange(220)
        line = f"{settlement.town_name}{settlement.name}{number // 28 + 1}组{number + 1}号"
    return Place(settlement, line)
