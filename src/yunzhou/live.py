"""The city of today: visits that begin now, go on without end, and hurry a little so that something is always to be seen."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from yunzhou import chance, faults, illness, institutions, plans
from yunzhou.body import Body
from yunzhou.city import City
from yunzhou.households import Household
from yunzhou.messages import Message
from yunzhou.people import Person
from yunzhou.plans import CHINA, Plan, Year
from yunzhou.story import Told
from yunzhou.visits import Realised, Visit

HURRY = 40
BEGINS_EVERY = timedelta(seconds=9)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Today:
    """Lets visits begin and hands out the messages that fall due; `clock` gives the time, so that tests need not wait."""

    def __init__(self, city: City, clock: Callable[[], datetime]) -> None:
        self.seed, self.history, self.clock = city.seed, city.window, clock
        self.homes = list(city.households())
        self.rng = chance.stream(city.seed, "live", clock().isoformat())
        self._told: dict[str, Told] = {}
        self._seen: dict[str, datetime] = {}
        self._agenda: list[tuple[datetime, int, Message]] = []
        self._number = 0
        # From now on: what began earlier may have been told by a run before this one.
        self._next = clock()

    def due(self) -> list[Message]:
        """Return the messages whose time has come, earliest first."""
        now = self.clock()
        while self._next <= now:
            self._begin(self._next)
            self._next += BEGINS_EVERY * self.rng.uniform(0.5, 1.5)
        found: list[Message] = []
        while self._agenda and self._agenda[0][0] <= now:
            found.append(heapq.heappop(self._agenda)[2])
        return found

    def _begin(self, at: datetime) -> None:
        home, person = self._somebody(at)
        self._seen[person.key] = at
        for message in self._visit(home, person, at):
            self._number += 1
            heapq.heappush(self._agenda, (message.at, self._number, message))

    def _somebody(self, at: datetime) -> tuple[Household, Person]:
        """Choose a resident who was not seen in the last hours, if there is one."""
        longest = timedelta(hours=6)
        while True:
            home = self.rng.choice(self.homes)
            living = [person for person in home.born(at.date()) if person.birth < at.date() - timedelta(days=40)]
            if not living:
                continue
            person = self.rng.choice(living)
            if at - self._seen.get(person.key, self.history.since) > longest:
                return home, person
            longest *= 0.8

    def _desks(self, home: Household, person: Person) -> Told:
        """Tell the history of the resident again, once, so that the desks know who is registered."""
        if person.key not in self._told:
            told = Told(self.seed, home, person, self.history)
            for _ in told.messages():
                pass
            self._told[person.key] = told
        return self._told[person.key]

    def _visit(self, home: Household, person: Person, at: datetime) -> Iterator[Message]:
        body = Body(self.seed, person)
        plan = self._plan(home, body, at)
        house = institutions.institution(plans.choose_institution(plan, home, self.rng))
        turn, desks = _short(at), self._desks(home, person)
        number = f"{house.letter}{person.key}L{turn}"
        visit = Realised(self.seed, body, plan, house, number, rng=self.rng).visit(faults.habits().cancelled)
        # A run after this one tells the history anew and knows nothing of who was registered today.
        desks.turn = turn
        yield from desks.visit(hurried(visit))

    def _plan(self, home: Household, body: Body, at: datetime) -> Plan:
        year = Year(self.seed, home, body, at.year, self.rng)
        present = body.active(at)
        if present and self.rng.random() < 0.55:
            return replace(year.follow_up(present, at.date()), start=at)
        age = body.person.age(at.date())
        common = [(sickness, sickness.months[at.month - 1] * sickness.rate) for sickness in illness.catalogue().acute]
        return replace(year.episode(chance.weighted(self.rng, common), age), start=at)


def hurried(visit: Visit) -> Visit:
    """Return the visit with all its times nearer to its beginning."""

    def soon(at: datetime) -> datetime:
        return (visit.start + (at - visit.start) / HURRY).replace(microsecond=0)

    reports = tuple(
        replace(report, collected=soon(report.collected), issued=soon(report.issued),
                results=tuple(replace(result, at=soon(result.at)) for result in report.results))
        for report in visit.reports
    )  # fmt: skip
    prescriptions = tuple(
        replace(prescription, written=soon(prescription.written)) for prescription in visit.prescriptions
    )
    transfer = replace(visit.transfer, at=soon(visit.transfer.at)) if visit.transfer else None
    return replace(visit, end=soon(visit.end), reports=reports, prescriptions=prescriptions, transfer=transfer)


def _short(at: datetime) -> str:
    """Return the second as six digits to the base of 36, so that control ids stay short and never come again."""
    seconds, text = int(at.timestamp()) - int(datetime(2020, 1, 1, tzinfo=CHINA).timestamp()), ""
    for _ in range(6):
        seconds, digit = divmod(seconds, 36)
        text = DIGITS[digit] + text
    return text
