"""How old people are and how long they live: the population pyramid and the table of deaths."""

from __future__ import annotations

import math
from bisect import bisect_left
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance

OLDEST = 130


class Pyramid(Struct, frozen=True):
    """The whole of pyramid.yaml: people by age group as men and women, and deaths by age."""

    ages: dict[int, tuple[float, float]]
    deaths: dict[str, list[tuple[float, float]]]


@cache
def pyramid() -> Pyramid:
    """Return the pyramid and the deaths."""
    return assumptions.read("pyramid.yaml", Pyramid)


@cache
def _hazards(sex: str) -> list[float]:
    """Return the sum of the deaths per year up to each age."""
    points = [(age, math.log(rate)) for age, rate in pyramid().deaths[sex]]
    yearly = [math.exp(chance.line(points, age + 0.5)) for age in range(OLDEST)]
    return [0.0, *accumulate(yearly)]


def death(rng: Random, sex: str, birth: date, alive_on: date) -> date | None:
    """Draw the day of death of somebody who is alive on a day; None if it lies beyond the table."""
    hazards = _hazards(sex)
    age = max(0, (alive_on - birth).days / 365.25)
    whole = int(age)
    lived = hazards[whole] + (hazards[whole + 1] - hazards[whole]) * (age - whole)
    aim = lived - math.log(1.0 - rng.random())
    if aim >= hazards[-1]:
        return None
    year = bisect_left(hazards, aim) - 1
    share = (aim - hazards[year]) / (hazards[year + 1] - hazards[year])
    return max(alive_on, birth) + timedelta(days=int((year + share - age) * 365.25) + 1)
