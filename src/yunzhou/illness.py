"""Chronic and acute illnesses: who has which since when, and what they do to the body."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance
from yunzhou.people import Person


class Control(Struct, frozen=True):
    """The share of the effects that treatment takes away, and after how many months."""

    mean: float
    spread: float
    months: float


class Chronic(Struct, frozen=True):
    """A chronic illness; the fields are explained in illnesses.yaml."""

    key: str
    code: str
    name: str
    english: str
    prevalence: list[tuple[float, float]]
    women: float
    effects: dict[str, tuple[float, float, float]]
    control: Control
    visits: float
    cares: str
    panels: dict[str, float]
    drugs: list[tuple[str, float]]


class Acute(Struct, frozen=True):
    """An acute illness."""

    key: str
    code: str
    name: str
    english: str
    rate: float
    ages: list[tuple[float, float]]
    months: list[float]
    cares: str
    panels: dict[str, float]
    drugs: list[tuple[str, float]]
    effects: dict[str, tuple[float, float]] = {}
    young: str = ""
    women: float = 1.0
    admitted: float = 0.0
    days: tuple[int, int] = (3, 7)
    emergency: float = 0.0


class Exacerbation(Struct, frozen=True):
    """An acute worsening of a chronic illness, treated on a ward."""

    rate: float
    code: str
    name: str
    english: str
    cares: str
    days: tuple[int, int]
    panels: dict[str, float]
    effects: dict[str, tuple[float, float]]
    drugs: list[tuple[str, float]]


class Pregnancy(Struct, frozen=True):
    """Antenatal visits and the birth."""

    weeks: list[int]
    code: str
    name: str
    birth_code: str
    birth_name: str
    newborn_code: str
    newborn_name: str
    days: tuple[int, int]
    panels: dict[str, float]
    effects: dict[str, tuple[float, float]]
    drugs: list[tuple[str, float]]
    cares: str


class Checkup(Struct, frozen=True):
    """The yearly examination of the elderly."""

    from_age: int
    share: float
    months: list[int]
    code: str
    name: str
    panels: list[str]


class Illnesses(Struct, frozen=True):
    """The whole of illnesses.yaml."""

    chronic: list[Chronic]
    acute: list[Acute]
    exacerbations: dict[str, Exacerbation]
    pregnancy: Pregnancy
    checkup: Checkup


@dataclass(frozen=True, slots=True)
class Course:
    """The course of one chronic illness in one person. `rises` has the untreated rise of each item."""

    illness: Chronic
    onset: date
    rises: dict[str, float]
    control: float
    wave: tuple[float, float]
    drugs: tuple[str, ...]

    def rise(self, item: str, on: date) -> float:
        """Return how much higher `item` is on that day than without the illness."""
        if item not in self.rises or on < self.onset:
            return 0.0
        years = (on - self.onset).days / 365.25
        treated = 1 - math.exp(-years * 12 / self.illness.control.months)
        period, phase = self.wave
        keeping = self.control * (1 + 0.22 * math.sin(2 * math.pi * (years / period + phase)))
        return self.rises[item] * (1 - keeping * treated) + self.illness.effects[item][2] * years


@cache
def catalogue() -> Illnesses:
    """Return all illnesses."""
    return assumptions.read("illnesses.yaml", Illnesses)


@cache
def _line(key: str) -> list[tuple[float, float]]:
    return [(0, 0.0), *next(one.prevalence for one in catalogue().chronic if one.key == key)]


def courses(rng: Random, person: Person) -> tuple[Course, ...]:
    """Return the chronic illnesses that a person has or will have, earliest first; `rng` is the stream of the person's body."""
    found = [_course(rng, person, illness) for illness in catalogue().chronic]
    return tuple(sorted((course for course in found if course), key=lambda course: course.onset))


def _course(rng: Random, person: Person, illness: Chronic) -> Course | None:
    lot = rng.random() / (illness.women if person.sex == "female" else 1.0)
    if lot > illness.prevalence[-1][1]:
        return None
    # The first point is the youngest age: whoever is below its share falls ill at about that age.
    age = chance.crossing(_line(illness.key), lot)
    if age is None or age < 18:
        return None
    onset = person.birth + timedelta(days=int(age * 365.25) + rng.randrange(200))
    rises = {item: max(0.15 * mean, rng.gauss(mean, spread)) if mean > 0 else rng.gauss(mean, spread)
             for item, (mean, spread, _) in illness.effects.items()}  # fmt: skip
    control = chance.bounded(rng, illness.control.mean, illness.control.spread, 0.1, 0.95)
    drugs = tuple(drug for drug, share in illness.drugs if rng.random() < share) or (illness.drugs[0][0],)
    return Course(illness, onset, rises, control, (rng.uniform(1.2, 2.8), rng.random()), drugs)
