"""The people of a household, drawn one after the other, with births, weddings, new names and deaths to come."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random

from yunzhou import chance, demography, names, people
from yunzhou.customs import HORIZON, Kind, days, model
from yunzhou.names import Name
from yunzhou.people import Person
from yunzhou.places import Place

Family = tuple[str, str]
YEARS = 18


class Members:
    """Draws the people of one household."""

    def __init__(self, rng: Random, number: int, kind: Kind, place: Place) -> None:
        self.rng, self.number, self.kind, self.place = rng, number, kind, place
        self.people: list[Person] = []
        code, name = chance.weighted(rng, [((code, name), weight) for code, name, weight in model().ethnicities])
        self.ethnicity = (code, name)
        self.start = date(model().as_of, 1, 1)

    def all(self, age: int) -> tuple[Person, ...]:
        """Draw everybody; `age` is that of the head, of the wife of a couple."""
        if self.kind.couple:
            self._couple(age)
        else:
            self._alone(age)
        return tuple(self._renamed(person) for person in self.people)

    def _alone(self, age: int) -> None:
        sex = "male" if self.rng.random() < self.kind.male else "female"
        head = self._aged("elder" if self.kind.kind == "elder_alone" else "head", sex, age)
        if age < YEARS * 3:
            self._wedding(head)

    def _couple(self, age: int) -> None:
        husband = self._aged("husband", "male", age + self.rng.randint(*model().partner_gap))
        wife = self._aged("wife", "female", age)
        self.people[0], self.people[1] = replace(husband, partner=2), replace(wife, partner=1)
        for _ in range(self.rng.randint(*self.kind.children)):
            self._child(age, 2)
        for _ in range(self.rng.randint(*self.kind.grandchildren)):
            self._child(age - self.rng.randint(21, 30), 0)
        self._grandparents(model().as_of - husband.birth.year)
        self._births(wife, model().as_of)

    def _wedding(self, head: Person) -> None:
        """Let a single person marry one day; the partner moves in from elsewhere."""
        points = model().weddings_per_year
        for year in range(model().as_of, HORIZON):
            if self.rng.random() < chance.line(points, year - head.birth.year):
                day = date(year, 1, 1) + timedelta(days=int(self.rng.random() * 365))
                self._marry(head, day)
                return

    def _marry(self, head: Person, day: date) -> None:
        woman = head.sex == "male"
        gap = self.rng.randint(*model().partner_gap)
        birth = head.birth + timedelta(days=int((gap if woman else -gap) * 365.25) + self.rng.randrange(-90, 90))
        partner = self._person("partner", "female" if woman else "male", birth, 0, None)
        self.people[0] = replace(head, partner=2, wed=day)
        self.people[1] = replace(partner, partner=1, wed=day, joined=day)

    def _child(self, mother_age: int, mother: int) -> None:
        """Add a child that lives at home, with a twin once in a while."""
        first, last = model().mother_at_birth
        age = mother_age - first - int((self.rng.random() + self.rng.random()) / 2 * (last - first + 1))
        if 0 <= age < model().grown_up_leaves and len(self.people) < 6:
            self._born(self._day(age), mother)

    def _born(self, day: date, mother: int) -> None:
        child = self._person("child", self._child_sex(), day, mother, self._family())
        if self.rng.random() < model().twins:
            twin = self._person("child", self._child_sex(), day, mother, self._family())
            self.people[-1] = replace(twin, name=names.sibling(self.rng, twin.name, child.name))

    def _child_sex(self) -> str:
        return "male" if self.rng.random() < 0.525 else "female"

    def _grandparents(self, father_age: int) -> None:
        wanted = self.rng.randint(*self.kind.grandparents)
        age = father_age + self.rng.randint(22, 31)
        if not wanted:
            return
        she = self._aged("grandmother", "female", age)
        if wanted > 1:
            he = self._aged("grandfather", "male", age + self.rng.randint(0, 4), self._family())
            self.people[-2:] = [replace(she, partner=he.member), replace(he, partner=she.member)]

    def _births(self, wife: Person, since: int) -> None:
        """Plan the births of the coming decades, so that a year can be drawn without the years before it."""
        last = since - 1
        if wife.birth.year < since - 45:
            return
        for year in range(since, HORIZON):
            age = year + 0.5 - wife.birth.year
            if age > 45:
                return
            rate = chance.line(model().births_per_year, age)
            if self.rng.random() < rate and year - last > 2 and len(self.people) < 7:
                self._born(date(year, 1, 1) + timedelta(days=int(self.rng.random() * 365)), 2)
                last = year

    def _family(self) -> Family:
        name = self.people[0].name
        return name.family, name.family_pinyin

    def _aged(self, role: str, sex: str, age: int, family: Family | None = None) -> Person:
        return self._person(role, sex, self._day(age), 0, family)

    def _day(self, age: int) -> date:
        return date(model().as_of - age - 1, 1, 1) + timedelta(days=int(self.rng.random() * 365))

    def _person(self, role: str, sex: str, birth: date, mother: int, family: Family | None) -> Person:
        name = names.draw(self.rng, sex, birth.year, family, self.ethnicity[0])
        number = people.id_number(self.place.county, birth, sex, self.rng)
        death = demography.death(self.rng, sex, birth, max(birth, self.start))
        person = Person(
            self.number, len(self.people) + 1, role, name, sex, birth, number, self.ethnicity,
            _profession(self.rng, birth, sex), mother, 0, death,
            key=f"{self.number:07d}{len(self.people) + 1}",
        )  # fmt: skip
        self.people.append(person)
        return person

    def _renamed(self, person: Person) -> Person:
        """Give some people another name one day: children mostly, and after a remarriage of the mother."""
        rate = model().renames_per_year * (4 if person.role == "child" else 1)
        if self.rng.random() > rate * (HORIZON - model().as_of):
            return person
        day = next(days(self.rng, 0.1), None)
        if day is None or day <= person.birth:
            return person
        old = person.name
        new = names.draw(self.rng, person.sex, person.birth.year, (old.family, old.family_pinyin))
        return replace(person, renames=((day, Name(old.family, new.given, old.family_pinyin, new.given_pinyin)),))


def _profession(rng: Random, birth: date, sex: str) -> str:
    said, age = model().professions, model().as_of - birth.year
    if age < 6:
        return said.child
    if age < 19:
        return said.pupil
    if age > (60 if sex == "male" else 55):
        return said.retired
    return rng.choice(said.adult)
