"""Which vaccine doses fall due for a person in a year."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from msgspec import Struct

from yunzhou import assumptions
from yunzhou.people import Person

MONTH = 30.44
SCHEDULED = 16


class Vaccine(Struct, frozen=True):
    """A vaccine of the schedule; `doses` are ages in months, `birth` ones are given on the maternity ward."""

    code: str
    name: str
    doses: list[float]
    route: str
    birth: bool = False


class Influenza(Struct, frozen=True):
    """The yearly vaccine of the elderly."""

    code: str
    name: str
    from_age: int
    share: float
    months: list[int]
    route: str


class Schedule(Struct, frozen=True):
    """The whole of vaccines.yaml."""

    vaccines: list[Vaccine]
    influenza: Influenza


@dataclass(frozen=True, slots=True)
class Due:
    """A dose that falls due; `number` counts from 1."""

    code: str
    name: str
    route: str
    number: int


def due(person: Person, year: int, rng: Random) -> Iterator[tuple[date, Due]]:
    """Yield the doses of a year with the day on which they are given, some days late."""
    schedule = assumptions.read("vaccines.yaml", Schedule)
    # Whoever is older than the schedule gets none of it.
    for vaccine in schedule.vaccines if year - person.birth.year < SCHEDULED else ():
        for number, months in enumerate(vaccine.doses, 1):
            # Doses of one age are given together, so the delay belongs to the age.
            late = 2 + int(months * 7 + person.member * 3) % 12
            day = person.birth + timedelta(days=int(months * MONTH) + late)
            if day.year == year and months:
                yield day, Due(vaccine.code, vaccine.name, vaccine.route, number)
    flu = schedule.influenza
    if year - person.birth.year < flu.from_age:
        return
    day = date(year, rng.choice(flu.months), rng.randint(1, 28))
    if person.age(day) >= flu.from_age and rng.random() < flu.share:
        yield day, Due(flu.code, flu.name, flu.route, 1)
