"""A body: the levels of its laboratory items and vital signs through the years, and what one measures of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from random import Random
from statistics import NormalDist
from typing import cast

from yunzhou import chance, illness, laboratory
from yunzhou.illness import Course
from yunzhou.laboratory import Item, Result
from yunzhou.people import Person

Effects = dict[str, tuple[float, float]]
Drawn = dict[str, float]


NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Moment:
    """A time and what it means for a body: age, how wintry it is (1 in the middle of winter, -1 of summer), the illnesses."""

    at: datetime
    day: date
    age: float
    winter: float
    courses: list[Course]


@cache
def _odd_number(key: str) -> int:
    """Return a large odd number for an item, so that a person's lots of different items are independent."""
    return Random(f"lot/{key}").getrandbits(64) | 1


class Body:
    """The body of a person: `level` is the truth of a day, `measure` what the laboratory prints."""

    def __init__(self, seed: int, person: Person) -> None:
        self.person = person
        rng = chance.stream(seed, "body", person.key)
        self._seed = rng.getrandbits(64)
        self.courses: tuple[Course, ...] = illness.courses(rng, person)
        self._lots: dict[str, float] = {}
        self._moment: Moment | None = None

    def active(self, at: datetime) -> list[Course]:
        """Return the chronic illnesses of that day."""
        return [course for course in self.courses if course.onset <= at.date()]

    def lot(self, key: str) -> float:
        """Return where this person stands among the healthy, in spreads; drawn when it is first asked for."""
        found = self._lots.get(key)
        if found is None:
            share = (self._seed * _odd_number(key) % 2**64 + 0.5) / 2**64
            found = self._lots[key] = max(-2.5, min(2.5, NORMAL.inv_cdf(share)))
        return found

    def moment(self, at: datetime) -> Moment:
        """Return what does not change between the items of one sample."""
        if self._moment is None or self._moment.at is not at:
            day = at.date()
            winter = math.cos((day.toordinal() - date(day.year, 1, 1).toordinal() - 14) / 365.25 * 2 * math.pi)
            courses = [course for course in self.courses if course.onset <= day]
            self._moment = Moment(at, day, self.person.age(day), winter, courses)
        return self._moment

    def level(self, key: str, at: datetime) -> float:
        """Return the level of an item without the noise of the day."""
        item = laboratory.catalogue().items[key]
        return self._healthy(item, key, at) + self.rise(key, at)

    def rise(self, key: str, at: datetime) -> float:
        """Return what the chronic illnesses add to an item."""
        moment = self.moment(at)
        return sum([course.rise(key, moment.day) for course in moment.courses]) if moment.courses else 0.0

    def _healthy(self, item: Item, key: str, at: datetime) -> float:
        moment = self.moment(at)
        level = item.mean + item.season * moment.winter + self.lot(key) * item.spread
        if moment.age >= 14 and self.person.sex == "female":
            level += item.women
        if moment.age < 16:
            level += item.children * (1 - moment.age / 16)
        return level + item.aging * (moment.age - 40) if moment.age >= 18 else level

    def measure(self, keys: Iterable[str], at: datetime, rng: Random, effects: Effects) -> list[Result]:
        """Measure items of one sample; `effects` are those of an acute illness, as mean and spread."""
        drawn: Drawn = {}
        found = [self._one(key, at, rng, effects, drawn) for key in keys]
        return [result for result in found if result]

    def _one(self, key: str, at: datetime, rng: Random, effects: Effects, drawn: Drawn) -> Result | None:
        item = laboratory.catalogue().items[key]
        age = self.moment(at).age
        if age < item.from_age:
            return None
        if item.words:
            return laboratory.finding(key, self._word(item, key, at, rng), at)
        value = DERIVED[item.derived](Sample(self, drawn, at, rng)) if item.derived else self._drawn(item, key, at, rng)
        if key in effects:
            value += chance.bounded(rng, *effects[key])
        drawn[key] = max(item.floor, min(item.ceiling, value))
        return laboratory.result(key, drawn[key], self.person.sex, age, at)

    def _drawn(self, item: Item, key: str, at: datetime, rng: Random) -> float:
        level = self.level(key, at)
        noise = item.noise * max(1.0, level / (item.mean or 1))
        return level + max(-2.5, min(2.5, rng.gauss(0.0, 1.0))) * noise

    def _word(self, item: Item, key: str, at: datetime, rng: Random) -> str:
        if key == "uglu" and self.level("glu", at) > 10:
            return "2+"
        if key == "constitution":
            # A constitution belongs to the person: it is drawn from the person's lot, not from the day.
            rng = Random(self.lot(key))
        return chance.weighted(rng, list(item.words.items()))


@dataclass(frozen=True, slots=True)
class Sample:
    """What a derived item is computed from: the body, and what was already drawn from the same sample."""

    body: Body
    drawn: Drawn
    at: datetime
    rng: Random


def _numbers(name: str) -> dict[str, float]:
    return cast("dict[str, float]", laboratory.catalogue().formulas[name])


def _rbc(sample: Sample) -> float:
    haemoglobin = sample.drawn.get("hgb") or sample.body.level("hgb", sample.at)
    return haemoglobin / (
        _numbers("rbc")["haemoglobin_per_cell"] + chance.bounded(sample.rng, 0, _numbers("rbc")["noise"])
    )


def _hct(sample: Sample) -> float:
    haemoglobin = sample.drawn.get("hgb") or sample.body.level("hgb", sample.at)
    return haemoglobin * _numbers("hct")["per_haemoglobin"] + chance.bounded(sample.rng, 0, _numbers("hct")["noise"])


def _lymph(sample: Sample) -> float:
    numbers = _numbers("lymph")
    neutrophils = sample.drawn.get("neut") or sample.body.level("neut", sample.at)
    return max(2.0, numbers["rest"] - neutrophils + chance.bounded(sample.rng, 0, numbers["noise"]))


def _a1c(sample: Sample) -> float:
    """Return HbA1c from the mean glucose (ADAG study); it follows the level, not the sample of the day."""
    numbers = _numbers("a1c")
    mean = sample.body.level("glu", sample.at) * numbers["mean_over_fasting"]
    return (mean + numbers["offset"]) / numbers["slope"] + chance.bounded(sample.rng, 0, numbers["noise"])


@lru_cache(maxsize=1)
def _ckd_epi() -> dict[str, tuple[float, float, float]]:
    numbers = laboratory.catalogue().formulas["ckd_epi"]
    return {sex: cast("tuple[float, float, float]", numbers[sex]) for sex in ("male", "female")}


def _egfr(sample: Sample) -> float:
    """Return the filtration rate by the CKD-EPI equation of 2021 from serum creatinine."""
    numbers = _numbers("ckd_epi")
    kappa, alpha, factor = _ckd_epi()[sample.body.person.sex]
    ratio = (sample.drawn.get("crea") or sample.body.level("crea", sample.at)) / numbers["umol_per_mg"] / kappa
    low, high = min(ratio, 1.0) ** alpha, max(ratio, 1.0) ** numbers["above"]
    return numbers["scale"] * low * high * numbers["year"] ** sample.body.person.age(sample.at.date()) * factor


def _height(sample: Sample) -> float:
    numbers = laboratory.catalogue().formulas["height"]
    mean, spread = cast("tuple[float, float]", numbers[sample.body.person.sex])
    birth, grown, lost = (cast("float", numbers[key]) for key in ("birth", "grown", "lost_per_decade_from_50"))
    age = sample.body.person.age(sample.at.date())
    adult = mean + spread * sample.body.lot("height")
    return birth + (adult - birth) * min(1.0, age / grown) ** 0.65 - lost * max(0.0, age - 50) / 10


def _bmi(sample: Sample) -> float:
    numbers = _numbers("bmi")
    age = sample.body.person.age(sample.at.date())
    adult = numbers["mean"] + numbers["spread"] * sample.body.lot("bmi") + sample.body.rise("bmi", sample.at)
    adult += numbers["drift"] * (max(18.0, min(age, 60.0)) - 40)
    grown = max(0.0, min(1.0, (age - 8) / 10))
    return numbers["child"] + (adult - numbers["child"]) * grown


def _weight(sample: Sample) -> float:
    height = sample.drawn.get("height") or _height(sample)
    noise = chance.bounded(sample.rng, 0, _numbers("bmi")["noise"])
    return (_bmi(sample) + noise) * (height / 100) ** 2


def _printed_bmi(sample: Sample) -> float:
    height = sample.drawn.get("height") or _height(sample)
    weight = sample.drawn.get("weight") or _weight(sample)
    return weight / (height / 100) ** 2


DERIVED: dict[str, Callable[[Sample], float]] = {
    "rbc": _rbc,
    "hct": _hct,
    "lymph": _lymph,
    "a1c": _a1c,
    "egfr": _egfr,
    "height": _height,
    "weight": _weight,
    "bmi": _printed_bmi,
}
