"""The story of a household in messages: registrations, visits, merges and faults, in order of time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from random import Random

from yunzhou import bundles, cards, cda, chance, faults, institutions, rows, visits
from yunzhou.body import Body
from yunzhou.cards import Card
from yunzhou.hospital import Hospital
from yunzhou.households import Household
from yunzhou.institutions import Institution
from yunzhou.messages import Message
from yunzhou.people import Person
from yunzhou.truth import urn
from yunzhou.visits import Allergen, Visit

DESK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is told: from the first instant to before the last; `faults` scales the share of wrong messages.

    `demand` is the share of the visits of which the systems know, births, immunisations and check-ups aside.
    """

    since: datetime
    until: datetime
    faults: float = 1.0
    demand: float = 1.0


@dataclass(slots=True)
class Desk:
    """The registration desk of one hospital for one person."""

    last: Card | None = None
    duplicate: str = ""
    merge_at: datetime | None = None


def of_household(seed: int, household: Household, window: Window) -> list[Message]:
    """Return the messages of a household in order of time."""
    tellers = [Told(seed, household, person, window) for person in household.people]
    told = [message for teller in tellers for message in teller.messages()]
    told += _register(tellers, household, window)
    told = [message for message in told if window.since <= message.at < window.until]
    return sorted(told, key=lambda message: message.at)


def _register(tellers: list[Told], household: Household, window: Window) -> Iterator[Message]:
    """Yield the rows of the village's register, as it stood when the history begins."""
    if household.home.kind == "village":
        house = institutions.institution(institutions.clinic_key(household.home))
        for teller in tellers:
            alive = teller.person.alive(window.since.date())
            row = rows.register(household, teller.body, house, window.since) if alive else None
            if row:
                yield row


@dataclass
class Told:
    """Tells the story of one person; `turn` makes the control ids of what is told now others than of what was told before."""

    seed: int
    household: Household
    person: Person
    window: Window
    known: dict[tuple[str, str], None] = field(default_factory=dict)
    desks: dict[int, Desk] = field(default_factory=dict)
    turn: str = ""

    @cached_property
    def body(self) -> Body:
        """The body of the person."""
        return Body(self.seed, self.person)

    def messages(self) -> Iterator[Message]:
        """Yield all messages, wrong ones included; nearly in order of time."""
        rng: Random | None = None
        for message in self._right():
            if message.transport == "mllp":
                rng = rng or chance.stream(self.seed, "faults", self.person.key)
                wrong = faults.before(message, institutions.institution(message.institution), rng, self.window.faults)
                if wrong:
                    yield wrong
            yield message

    def _right(self) -> Iterator[Message]:
        if self.person.death and self.person.death < self.window.since.date():
            return
        body = self.body
        for year in range(self.window.since.year, (self.window.until - timedelta(seconds=1)).year + 1):
            if year < self.person.birth.year:
                continue
            for visit in visits.of_year(self.seed, self.household, body, year, faults.habits().cancelled, demand=self.window.demand):
                if self.window.since + DESK <= visit.start < self.window.until:
                    yield from self.visit(visit)
        for key, desk in self.desks.items():
            yield from self._merge(Hospital(institutions.institution(key), self.turn), desk)

    def visit(self, visit: Visit) -> Iterator[Message]:
        """Yield the messages of one visit, the registration before it included."""
        allergies = visits.allergies(self.seed, self.person)
        if visit.institution.speaks != "hl7":
            if not visit.cancelled:
                card = self._card(visit)
                yield from WRITERS[visit.institution.speaks](visit, card, allergies, self._seen(card, visit.institution))
            return
        hospital = Hospital(visit.institution, self.turn)
        card = yield from self._arrive(hospital, visit)
        yield from hospital.visited(visit, card, allergies)
        prescribed = bundles.prescriptions(visit, card)
        if prescribed:
            yield prescribed

    def _card(self, visit: Visit) -> Card:
        return cards.card(self.household, self.person, visit.institution, visit.start)

    def _seen(self, card: Card, house: Institution) -> list[tuple[str, str]]:
        """Note the record number by which an institution knows the person; return all so far."""
        self.known.setdefault((urn(house.oid), card.record))
        return list(self.known)

    def _arrive(self, hospital: Hospital, visit: Visit) -> Generator[Message, None, Card]:
        """Register at the desk what is new since the last visit; the generator returns the card of this visit."""
        house = visit.institution
        first = house.key not in self.desks
        desk = self.desks.setdefault(house.key, Desk())
        if desk.merge_at and desk.merge_at <= visit.start:
            yield from self._merge(hospital, desk)
        card = self._card(visit)
        if first and card.id_number and self._twice(house.key):
            yield self._second(hospital, desk, visit, card)
            return card.duplicate(desk.duplicate)
        yield from self._register(hospital, desk, card, visit.start - DESK)
        if card.newborn:
            at = cards.named_at(self.person)
            yield from self._register(hospital, desk, cards.card(self.household, self.person, house, at), at)
        return card

    def _register(self, hospital: Hospital, desk: Desk, card: Card, at: datetime) -> Iterator[Message]:
        """Send A28 the first time and A31 when the card is not the same any more."""
        if desk.last is None:
            yield hospital.registered(card, at, self._seen(card, hospital.house))
        elif desk.last != card:
            yield hospital.changed(card, at, self._seen(card, hospital.house))
        desk.last = card

    def _twice(self, key: int) -> bool:
        rng = chance.stream(self.seed, "twice", self.person.key, key)
        return rng.random() < faults.habits().duplicates.rate

    def _second(self, hospital: Hospital, desk: Desk, visit: Visit, card: Card) -> Message:
        """Register under another number and without ID number, to be merged later."""
        rng = chance.stream(self.seed, "merge", self.person.key, hospital.house.key)
        desk.duplicate = f"{self.person.record_number(hospital.house.letter)}D"
        desk.merge_at = visit.end + timedelta(days=rng.randint(*faults.habits().duplicates.merged_after_days))
        double = card.duplicate(desk.duplicate)
        return hospital.registered(double, visit.start - DESK, self._seen(double, hospital.house))

    def _merge(self, hospital: Hospital, desk: Desk) -> Iterator[Message]:
        if not desk.merge_at:
            return
        card = cards.card(self.household, self.person, hospital.house, desk.merge_at)
        yield from self._register(hospital, desk, card, desk.merge_at - DESK)
        yield hospital.merged(card, desk.duplicate, desk.merge_at)
        desk.merge_at = None


def _bundle(visit: Visit, card: Card, allergies: list[Allergen], known: list[tuple[str, str]]) -> Iterator[Message]:
    yield bundles.township_visit(visit, card, allergies, known)


Writer = Callable[[Visit, Card, list[Allergen], list[tuple[str, str]]], Iterator[Message]]
WRITERS: dict[str, Writer] = {"fhir": _bundle, "cda": cda.written, "sheets": rows.written}
