"""Households: who lives together, where, with which telephone numbers, and which children will be born."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance, names, people, places
from yunzhou.people import Person
from yunzhou.places import Place

HORIZON = 2041
# Cities of different seeds number their households in different blocks, so that they never claim each other's record numbers.
BLOCKS, BLOCK = 20, 500_000


class Kind(Struct, frozen=True):
    """A kind of household: ages of its head, and how many children and grandparents live there."""

    kind: str
    weight: float
    head: tuple[int, int]
    couple: bool = False
    children: tuple[int, int] = (0, 0)
    grandparents: tuple[int, int] = (0, 0)


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
    grown_up_leaves: int
    moves_per_year: float
    phone_changes_per_year: float
    ethnicities: list[tuple[str, str, float]]
    professions: Professions


@dataclass(frozen=True, slots=True)
class Household:
    """People of one address. `moves` and `changes` begin with the state from the first day on; dates ascend."""

    number: int
    people: tuple[Person, ...]
    moves: tuple[tuple[date, Place], ...]
    changes: tuple[tuple[date, int], ...]

    def place(self, on: date) -> Place:
        """Return the address of that day."""
        return next(place for since, place in reversed(self.moves) if since <= on)

    def phone(self, person: Person, on: date) -> str:
        """Return the telephone number of that day; children have their mother's."""
        owner = person.mother if person.mother and person.age(on) < 16 else person.member
        generation = next(number for since, number in reversed(self.changes) if since <= on)
        return f"129{(self.number * 97 + owner * 7 + generation * 1_000_003) * 7919 % 100_000_000:08d}"

    def born(self, on: date) -> list[Person]:
        """Return the people who are alive on that day."""
        return [person for person in self.people if person.birth <= on]

    def member(self, number: int) -> Person:
        """Return the person of that member number."""
        return self.people[number - 1]


@cache
def _model() -> Model:
    return assumptions.read("households.yaml", Model)


def population(seed: int, residents: int) -> Iterator[Household]:
    """Yield households until so many residents live in the city at the beginning; each is drawn on its own."""
    index = living = 0
    while living < residents:
        index += 1
        household = draw(seed, index)
        living += len(household.born(date(_model().as_of, 1, 1)))
        yield household


def draw(seed: int, index: int) -> Household:
    """Draw one household; `index` counts from 1."""
    rng = chance.stream(seed, "household", index)
    number = seed % BLOCKS * BLOCK + index
    kind = chance.weighted(rng, [(kind, kind.weight) for kind in _model().kinds])
    first = date(1900, 1, 1)
    moves = [(first, places.draw(rng)), *((day, places.draw(rng)) for day in _days(rng, _model().moves_per_year))]
    phones = [(first, 0), *((day, index) for index, day in enumerate(_days(rng, _model().phone_changes_per_year), 1))]
    members = _Members(rng, number, kind, moves[0][1]).all()
    return Household(number, members, tuple(moves), tuple(phones))


def _days(rng: Random, rate: float) -> Iterator[date]:
    for year in range(_model().as_of, HORIZON):
        if rng.random() < rate:
            yield date(year, 1, 1) + timedelta(days=rng.randrange(365))


class _Members:
    """Draws the people of one household one after the other."""

    def __init__(self, rng: Random, number: int, kind: Kind, place: Place) -> None:
        self.rng, self.number, self.kind, self.place = rng, number, kind, place
        self.people: list[Person] = []
        self.ethnicity = chance.weighted(rng, [((code, name), weight) for code, name, weight in _model().ethnicities])

    def all(self) -> tuple[Person, ...]:
        age = self.rng.randint(*self.kind.head)
        if not self.kind.couple:
            self._add("elder" if self.kind.kind == "elder_alone" else "head", self.rng.choice(["male", "female"]), age)
        else:
            self._couple(age)
        return tuple(self.people)

    def _couple(self, age: int) -> None:
        husband = self._add("husband", "male", age + self.rng.randint(*_model().partner_gap))
        wife = self._add("wife", "female", age)
        self.people[0] = replace(husband, partner=2)
        self.people[1] = replace(wife, partner=1)
        for _ in range(self.rng.randint(*self.kind.children)):
            self._child(age)
        self._grandparents(_model().as_of - husband.birth.year)
        self._births()

    def _child(self, mother_age: int) -> None:
        age = mother_age - self.rng.randint(*_model().mother_at_birth)
        if 0 < age < _model().grown_up_leaves and len(self.people) < 6:
            self._add("child", self.rng.choice(["male", "female"]), age, mother=2, family=self._family())

    def _grandparents(self, father_age: int) -> None:
        wanted = self.rng.randint(*self.kind.grandparents)
        age = father_age + self.rng.randint(22, 31)
        if not wanted:
            return
        she = self._add("grandmother", "female", age)
        if wanted > 1:
            he = self._add("grandfather", "male", age + self.rng.randint(0, 4), family=self._family())
            self.people[-2:] = [replace(she, partner=he.member), replace(he, partner=she.member)]

    def _births(self) -> None:
        """Plan the births of the coming decades, so that a year can be drawn without the years before it."""
        wife, last = self.people[1], _model().as_of - 1
        for year in range(_model().as_of, HORIZON):
            rate = chance.line(_model().births_per_year, wife.age(date(year, 7, 1)))
            if self.rng.random() < rate and year - last > 2 and len(self.people) < 8:
                day = date(year, 1, 1) + timedelta(days=self.rng.randrange(365))
                self._person("child", self.rng.choice(["male", "female"]), day, 2, self._family())
                last = year

    def _family(self) -> tuple[str, str]:
        name = self.people[0].name
        return name.family, name.family_pinyin

    def _add(
        self,
        role: str,
        sex: str,
        age: int,
        mother: int = 0,
        family: tuple[str, str] | None = None,
    ) -> Person:
        birth = date(_model().as_of - age - 1, 1, 1) + timedelta(days=self.rng.randrange(365))
        return self._person(role, sex, birth, mother, family)

    def _person(self, role: str, sex: str, birth: date, mother: int, family: tuple[str, str] | None) -> Person:
        name = names.draw(self.rng, sex, birth.year, family)
        number = people.id_number(self.place.county, birth, sex, self.rng)
        profession = _profession(self.rng, birth, sex)
        person = Person(
            self.number,
            len(self.people) + 1,
            role,
            name,
            sex,
            birth,
            number,
            self.ethnicity,
            profession,
            mother,
        )
        self.people.append(person)
        return person


def _profession(rng: Random, birth: date, sex: str) -> str:
    model, age = _model(), _model().as_of - birth.year
    if age < 6:
        return model.professions.child
    if age < 19:
        return model.professions.pupil
    if age > (60 if sex == "male" else 55):
        return model.professions.retired
    return rng.choice(model.professions.adult)
