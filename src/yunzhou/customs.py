"""What is assumed of households: their kinds, and how often people marry, move, have children and change their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions

HORIZON = 2041


class Kind(Struct, frozen=True):
    """A kind of household; `heads` are its weights by the age of the head, in steps of five years from 15 on."""

    kind: str
    heads: list[float]
    couple: bool = False
    male: float = 0.5
    children: tuple[int, int] = (0, 0)
    grandchildren: tuple[int, int] = (0, 0)
    grandparents: tuple[int, int] = (0, 0)
    village: float = 1.0
    town: float = 1.0


class Professions(Struct, frozen=True):
    """What people are, by age."""

    child: str
    pupil: str
    retired: str
    adult: list[str]


class Model(Struct, frozen=True):
    """The whole of households.yaml."""

    kinds: list[Kind]
    as_of: int
    partner_gap: tuple[int, int]
    mother_at_birth: tuple[int, int]
    births_per_year: list[tuple[float, float]]
    twins: float
    grown_up_leaves: int
    weddings_per_year: list[tuple[float, float]]
    moves_per_year: float
    phone_changes_per_year: float
    one_phone: float
    renames_per_year: float
    ethnicities: list[tuple[str, str, float]]
    professions: Professions


@cache
def model() -> Model:
    """Return what is assumed of households."""
    return assumptions.read("households.yaml", Model)


def days(rng: Random, rate: float) -> Iterator[date]:
    """Yield the days on which something of that yearly rate happens."""
    for year in range(model().as_of, HORIZON):
        if rng.random() < rate:
            yield date(year, 1, 1) + timedelta(days=int(rng.random() * 365))
