"""Who goes where, when and why: the visits of a person in a year, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cache, lru_cache
from itertools import accumulate
from random import Random

from yunzhou import chance, illness, institutions, places
from yunzhou.body import Body
from yunzhou.households import Household
from yunzhou.illness import Acute, Course, Exacerbation
from yunzhou.people import Person
from yunzhou.places import Settlement
from yunzhou.vaccines import Due, due

CHINA = timezone(timedelta(hours=8))
MONTHS = range(1, 13)
NEVER = date(2999, 1, 1)
Drugs = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis of a visit; `chronic` ones stay on the list of problems."""

    code: str
    name: str
    english: str
    chronic: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A visit that will happen. `panels` and `drugs` carry their chance, `effects` the mean and spread of an acute illness.

    `place` is maternity or township where one does not choose.
    """

    kind: str
    cares: str
    start: datetime
    diagnoses: tuple[Diagnosis, ...]
    panels: dict[str, float] = field(default_factory=dict)
    effects: dict[str, tuple[float, float]] = field(default_factory=dict)
    drugs: Drugs = ()
    nights: int = 0
    place: str = ""
    doses: tuple[Due, ...] = ()


class Year:
    """The plans of one person in one calendar year; `demand` is the share of the visits that the systems know of."""

    def __init__(self, seed: int, household: Household, body: Body, year: int, rng: Random | None = None, *, demand: float = 1.0) -> None:
        self.household, self.body, self.year, self.demand = household, body, year, demand
        self.person: Person = body.person
        self.rng = rng or chance.stream(seed, "year", self.person.key, year)

    def plans(self) -> list[Plan]:
        """Return the plans in order of time, without those that fall into another stay."""
        found = [
            *self._chronic(),
            *self._acute(),
            *self._worse(),
            *self._pregnancy(),
            *self._checkup(),
            *self._birth(),
            *self._doses(),
        ]
        there = datetime.combine(self.person.joined or self.person.birth, datetime.min.time(), CHINA)
        gone = datetime.combine(self.person.death or NEVER, datetime.min.time(), CHINA)
        # Nobody but the maternity ward sees a child before it is registered with its own ID number.
        known = datetime.combine(self.person.birth, datetime.min.time(), CHINA) + timedelta(days=32)
        wanted = [plan for plan in found if there <= plan.start < gone and (plan.start >= known or plan.cares == "birth")]
        return list(_apart(iter(sorted(wanted, key=lambda plan: plan.start))))

    def _day(self, month: int | None = None) -> date:
        if month:
            return date(self.year, month, 1) + timedelta(days=self.rng.randrange(28))
        return date(self.year, 1, 1) + timedelta(days=self.rng.randrange(365))

    def _chronic(self) -> Iterator[Plan]:
        courses = [course for course in self.body.courses if course.onset.year <= self.year]
        if not courses:
            return
        rates = sorted((course.illness.visits for course in courses), reverse=True)
        number = chance.count(self.rng, (rates[0] + 0.3 * sum(rates[1:])) * self.demand)
        for index in range(number):
            day = date(self.year, 1, 1) + timedelta(days=int((index + self.rng.uniform(0.1, 0.9)) * 365 / number))
            present = [course for course in courses if course.onset <= day]
            if present:
                yield self.follow_up(present, day)

    def follow_up(self, courses: list[Course], day: date) -> Plan:
        """Plan a visit of the chronically ill; not every illness is looked at every time."""
        main = self.rng.choice(courses)
        seen = [course for course in courses if course is main or self.rng.random() < 0.6]
        panels = {key: share for course in reversed(seen) for key, share in course.illness.panels.items()}
        drugs = dict.fromkeys((drug for course in seen for drug in course.drugs), 0.9)
        return Plan("outpatient", main.illness.cares, clinic_hour(self.rng, day),
                    tuple(chronic_diagnosis(course) for course in [main, *(c for c in seen if c is not main)]),
                    panels, {}, tuple(drugs.items()))  # fmt: skip

    def _acute(self) -> Iterator[Plan]:
        age = self.person.age(date(self.year, 7, 1))
        sicknesses, heights = _sicknesses(max(0, int(age)), self.person.sex)
        for _ in range(chance.count(self.rng, heights[-1] * self.demand)):
            yield self.episode(self.rng.choices(sicknesses, cum_weights=heights)[0], age)

    def episode(self, sickness: Acute, age: float) -> Plan:
        """Plan the visit or stay of an acute illness in its season."""
        month = self.rng.choices(MONTHS, sickness.months)[0]
        day = self._day(month)
        admitted, urgent = self.rng.random() < sickness.admitted, self.rng.random() < sickness.emergency
        kind = "inpatient" if admitted else "emergency" if urgent else "outpatient"
        start = any_hour(self.rng, day) if urgent else clinic_hour(self.rng, day)
        cares = sickness.young if sickness.young and age < 14 else sickness.cares
        return Plan(kind, "emergency" if kind == "emergency" else cares, start,
                    (Diagnosis(sickness.code, sickness.name, sickness.english), *self._comorbid(start)),
                    sickness.panels, sickness.effects, tuple(sickness.drugs),
                    self.rng.randint(*sickness.days) if admitted else 0)  # fmt: skip

    def _comorbid(self, at: datetime) -> tuple[Diagnosis, ...]:
        return tuple(chronic_diagnosis(course) for course in self.body.active(at) if self.rng.random() < 0.4)

    def _worse(self) -> Iterator[Plan]:
        for course in self.body.courses:
            worse = illness.catalogue().exacerbations.get(course.illness.key)
            if worse and course.onset.year < self.year and self.rng.random() < worse.rate * self.demand:
                yield self._exacerbation(worse)

    def _exacerbation(self, worse: Exacerbation) -> Plan:
        start = any_hour(self.rng, self._day())
        diagnosis = Diagnosis(worse.code, worse.name, worse.english)
        return Plan("inpatient", worse.cares, start, (diagnosis, *self._comorbid(start)), worse.panels, worse.effects,
                    tuple(worse.drugs), self.rng.randint(*worse.days))  # fmt: skip

    def _pregnancy(self) -> Iterator[Plan]:
        model = illness.catalogue().pregnancy
        for child in self.household.people:
            if child.mother != self.person.member or not self.year <= child.birth.year <= self.year + 1:
                continue
            conceived = child.birth - timedelta(weeks=39)
            for week in model.weeks:
                day = conceived + timedelta(weeks=week, days=self.rng.randrange(6))
                if day.year == self.year and day < child.birth:
                    diagnosis = Diagnosis(model.code, model.name, "Supervision of normal pregnancy")
                    yield Plan("outpatient", model.cares, clinic_hour(self.rng, day), (diagnosis,), model.panels,
                               model.effects, tuple(model.drugs), place="maternity")  # fmt: skip
            if child.birth.year == self.year:
                yield self._delivery(child)

    def _delivery(self, child: Person) -> Plan:
        model = illness.catalogue().pregnancy
        diagnosis = Diagnosis(model.birth_code, model.birth_name, "Spontaneous delivery")
        start = birth_hour(child) - timedelta(hours=self.rng.randint(3, 14))
        return Plan("inpatient", model.cares, start, (diagnosis,), {"cbc": 1.0, "vitals": 1.0}, model.effects,
                    (), self.rng.randint(*model.days), place="maternity")  # fmt: skip

    def _birth(self) -> Iterator[Plan]:
        model = illness.catalogue().pregnancy
        if self.person.birth.year == self.year and self.person.mother:
            diagnosis = Diagnosis(model.newborn_code, model.newborn_name, "Singleton, born in hospital")
            yield Plan(
                "inpatient", "birth", birth_hour(self.person), (diagnosis,), {"body": 1.0}, nights=3, place="maternity"
            )

    def _doses(self) -> Iterator[Plan]:
        days: dict[date, list[Due]] = {}
        for day, dose in due(self.person, self.year, self.rng):
            if self.household.place(day).kind != "urban" and self.person.alive(day):
                days.setdefault(day, []).append(dose)
        for day, doses in days.items():
            yield Plan(
                "immunisation", "immunisation", clinic_hour(self.rng, day), (), place="township", doses=tuple(doses)
            )

    def _checkup(self) -> Iterator[Plan]:
        model = illness.catalogue().checkup
        if self.year - self.person.birth.year < model.from_age:
            return
        start = clinic_hour(self.rng, self._day(self.rng.choice(model.months)))
        away = self.household.place(start.date()).kind == "urban"
        if self.person.age(start.date()) < model.from_age or self.rng.random() > model.share * (0.5 if away else 1.0):
            return
        diagnosis = Diagnosis(model.code, model.name, "General medical examination")
        yield Plan("checkup", "general" if away else "checkup", start, (diagnosis,), dict.fromkeys(model.panels, 1.0),
                   place="maternity" if away else "township")  # fmt: skip


def chronic_diagnosis(course: Course) -> Diagnosis:
    """Return the diagnosis of a chronic illness."""
    return Diagnosis(course.illness.code, course.illness.name, course.illness.english, chronic=True)


def clinic_hour(rng: Random, day: date) -> datetime:
    """Draw a time of the morning or the afternoon clinic."""
    hour = rng.choice([8, 8, 9, 9, 10, 10, 14, 15, 16])
    return datetime(day.year, day.month, day.day, hour, rng.randrange(60), tzinfo=CHINA)


def any_hour(rng: Random, day: date) -> datetime:
    """Draw any time of the day."""
    return datetime(day.year, day.month, day.day, rng.randrange(24), rng.randrange(60), tzinfo=CHINA)


def birth_hour(child: Person) -> datetime:
    """Return when a child was born; mother's and child's plans agree on it."""
    rng = chance.stream("birth", child.key)
    return any_hour(rng, child.birth)


def choose_institution(plan: Plan, household: Household, rng: Random) -> int:
    """Say where a visit takes place: where people of that address go, and where such a department is."""
    home = household.place(plan.start.date()).settlement
    if plan.place == "maternity":
        return 1 if home.kind == "urban" else institutions.county_key(home.county)
    if plan.place == "township":
        return institutions.town_key(home.town if home.town >= 0 else home.county)
    ladder = _ladder(home, wards=bool(plan.nights), cares=plan.cares)
    return rng.choices(ladder[0], cum_weights=ladder[1])[0]


@lru_cache(maxsize=20_000)
def _ladder(home: Settlement, *, wards: bool, cares: str) -> tuple[list[int], list[float]]:
    """Return the institutions that people of a settlement go to, with rising weights."""
    village, town = home.kind == "village", home.town if home.town >= 0 else home.county
    steps = [
        institutions.clinic_key(home) if village and not wards else 0,
        institutions.town_key(town) if town >= 0 and not wards else 0,
        institutions.county_key(home.county) if home.county >= 0 else 0, 1, 2,
    ]  # fmt: skip
    shares = places.city().choice[home.kind]
    able = [(key, share) for key, share in zip(steps, shares, strict=True)
            if key and share and institutions.institution(key).department(cares)]  # fmt: skip
    return [key for key, _ in able], list(accumulate(share for _, share in able))


@cache
def _sicknesses(age: int, sex: str) -> tuple[list[Acute], list[float]]:
    """Return the acute illnesses with the sum of their yearly rates at an age up to each."""
    found = illness.catalogue().acute
    rates = [one.rate * _factor(one.ages, age) * (one.women if sex == "female" else 1.0) for one in found]
    return found, list(accumulate(rates))


def _factor(ages: list[tuple[float, float]], age: float) -> float:
    return next((factor for below, factor in ages if age < below), 0.0)


def _apart(plans: Iterator[Plan]) -> Iterator[Plan]:
    """Drop what falls into a stay or on the same day as another visit."""
    free = datetime(1900, 1, 1, tzinfo=CHINA)
    for plan in plans:
        if plan.start >= free or (plan.place and plan.nights):
            yield plan
            free = plan.start + timedelta(days=plan.nights + 1)
