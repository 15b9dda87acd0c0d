"""Households: who lives together, where, with which telephone numbers, and what life has in store for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import accumulate
from random import Random

from yunzhou import chance
from yunzhou.customs import Kind, days, model
from yunzhou.members import Members
from yunzhou.people import Person
from yunzhou.places import Place, Region, Settlement, address

FIRST = date(1900, 1, 1)
# Cities of different seeds number their households in different blocks, so that they never claim each other's record numbers.
BLOCKS, BLOCK = 5, 2_000_000


@dataclass(frozen=True, slots=True)
class Household:
    """People of one address. `moves` and `changes` begin with the state from the first day on; dates ascend.

    `one_phone`: all have the number of the first. `home` is where the household is counted, wherever it moves.
    """

    number: int
    home: Settlement
    people: tuple[Person, ...]
    moves: tuple[tuple[date, Place], ...]
    changes: tuple[tuple[date, int], ...]
    one_phone: bool = False

    def place(self, on: date) -> Place:
        """Return the address of that day."""
        if len(self.moves) == 1:
            return self.moves[0][1]
        return next(place for since, place in reversed(self.moves) if since <= on)

    def phone(self, person: Person, on: date) -> str:
        """Return the telephone number of that day; children have their mother's, or that of the first of the house."""
        owner = (person.mother or 1) if person.role == "child" and person.age(on) < 16 else person.member
        owner = 1 if self.one_phone else owner
        generation = next(number for since, number in reversed(self.changes) if since <= on)
        return f"129{(self.number * 97 + owner * 7 + generation * 1_000_003) * 7919 % 100_000_000:08d}"

    def born(self, on: date) -> list[Person]:
        """Return the people who live there on that day."""
        return [person for person in self.people if person.alive(on)]

    def member(self, number: int) -> Person:
        """Return the person of that member number."""
        return self.people[number - 1]


def of_city(seed: int, region: Region) -> Iterator[Household]:
    """Yield all households, settlement by settlement."""
    for settlement in region.settlements:
        yield from of_settlement(seed, region, settlement)


def of_settlement(seed: int, region: Region, settlement: Settlement) -> Iterator[Household]:
    """Yield the households of a settlement until its people live in them at the beginning; each is drawn on its own."""
    left = settlement.people
    start = date(model().as_of, 1, 1)
    for index in range(settlement.first, settlement.first + settlement.numbers):
        if not left:
            return
        household = draw(seed, region, settlement, index)
        # The last ones are chosen to fit, so that a city has the people that it was asked for.
        size = len(household.born(start))
        if size <= left:
            left -= size
            yield household


def draw(seed: int, region: Region, settlement: Settlement, index: int) -> Household:
    """Draw one household of a settlement; `index` is its number in the city."""
    rng = chance.stream(seed, "household", index)
    kind, head = _kind(rng, settlement)
    moves = [(FIRST, address(rng, settlement)), *((day, region.draw(rng)) for day in days(rng, model().moves_per_year))]
    phones = [(FIRST, 0), *((day, turn) for turn, day in enumerate(days(rng, model().phone_changes_per_year), 1))]
    one_phone = settlement.kind == "village" and rng.random() < model().one_phone
    number = seed % BLOCKS * BLOCK + index
    people = Members(rng, number, kind, moves[0][1]).all(head)
    return Household(number, settlement, people, tuple(moves), tuple(phones), one_phone)


def _kind(rng: Random, settlement: Settlement) -> tuple[Kind, int]:
    """Draw the kind of a household and the age of its head."""
    choices, heights = _kinds(settlement.kind == "village")
    kind, band = rng.choices(choices, cum_weights=heights)[0]
    return kind, 15 + band * 5 + int(rng.random() * 5)


@cache
def _kinds(village: bool) -> tuple[list[tuple[Kind, int]], list[float]]:
    found: list[tuple[Kind, int]] = []
    weights: list[float] = []
    for kind in model().kinds:
        for band, weight in enumerate(kind.heads):
            found.append((kind, band))
            weights.append(weight * (kind.village if village else kind.town))
    return found, list(accumulate(weights))
