"""A hospital that speaks HL7 v2: the ADT and ORU messages of registrations, visits, reports and summaries."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from yunzhou import chance, documents, hl7, truth
from yunzhou.cards import Card
from yunzhou.hl7 import segment
from yunzhou.institutions import Institution
from yunzhou.laboratory import Report
from yunzhou.messages import Fact, Message
from yunzhou.segments import Pen
from yunzhou.visits import Allergen, Visit

SUMMARY = ("18842-5", "CYXJ", "出院小结")


class Hospital:
    """Writes the messages of one hospital.

    `turn` is part of the control ids of registrations, which have no visit's number; empty in a history, where each happens once.
    """

    def __init__(self, house: Institution, turn: str = "") -> None:
        self.house, self.pen, self.turn = house, Pen(house), turn

    def message(
        self, event: str, control: str, at: datetime, card: Card, segments: list[str], *, facts: list[Fact] | None = None,
        results: Callable[[], list[Fact]] | None = None,
    ) -> Message:  # fmt: skip
        """Join a message: MSH, EVN (for ADT), PID and the given segments."""
        kind, code = event.split("^")
        application = "HIS" if kind == "ADT" else "LIS"
        first = [hl7.header(self.house, event, control, at, application)]
        if kind == "ADT":
            first.append(self.pen.event(code, at))
        body = hl7.encode([*first, self.pen.patient(card), *segments], self.house)
        return Message(control, self.house.key, "mllp", at, card.person.household, body, event, facts=facts or [],
                       results=results)  # fmt: skip

    def registered(self, card: Card, at: datetime, known: list[tuple[str, str]]) -> Message:
        """Return A28: the first registration. `known` are the record numbers of the resident so far."""
        return self._registration("A28", f"{card.record}A28{self.turn}", card, at, known)

    def changed(self, card: Card, at: datetime, known: list[tuple[str, str]]) -> Message:
        """Return A31: address, telephone, name or ID number are new."""
        return self._registration("A31", f"{card.record}A31{self.turn or format(at, '%y%m%d')}", card, at, known)

    def _registration(
        self, event: str, control: str, card: Card, at: datetime, known: list[tuple[str, str]]
    ) -> Message:
        empty_visit = [segment("PV1", {1: "1", 2: "N"})] if self.house.habits.orders else []
        segments = [*self.pen.relative(card), *empty_visit]
        return self.message(f"ADT^{event}", control, at, card, segments, facts=[truth.resident(card, known)])

    def merged(self, card: Card, gone: str, at: datetime) -> Message:
        """Return A40: the registration `gone` becomes part of the card's."""
        fact = truth.merge(card.person, self.house.oid, card.record, gone)
        return self.message("ADT^A40", f"{gone}A40{self.turn}", at, card, [self.pen.merged(gone)], facts=[fact])

    def visited(self, visit: Visit, card: Card, allergies: list[Allergen]) -> Iterator[Message]:
        """Yield the messages of a visit, in order of time only within each part."""
        opening = "A01" if visit.kind == "inpatient" else "A04"
        yield self._event(opening, visit, card, visit.start, [self.pen.visit(visit)], status="in-progress")
        if visit.cancelled:
            at = visit.start + timedelta(minutes=20)
            yield self._event("A11", visit, card, at, [self.pen.visit(visit)], status="cancelled")
            return
        yield from (
            self._stay(visit, card, allergies) if visit.kind == "inpatient" else self._short(visit, card, allergies)
        )
        yield from (self.reported(visit, card, report) for report in visit.reports)

    def _event(
        self, code: str, visit: Visit, card: Card, at: datetime, segments: list[str], *, status: str, again: str = ""
    ) -> Message:
        return self.message(
            f"ADT^{code}", f"{visit.number}{code}{again}", at, card, segments, facts=[truth.visit(visit, status)]
        )

    def _short(self, visit: Visit, card: Card, allergies: list[Allergen]) -> Iterator[Message]:
        segments = [self.pen.visit(visit, ended=visit.end), *self._clinical(visit, allergies, "W", visit.end)]
        message = self._event("A08", visit, card, visit.end, segments, status="finished")
        message.facts.extend(self._clinical_facts(visit, allergies))
        yield message

    def _stay(self, visit: Visit, card: Card, allergies: list[Allergen]) -> Iterator[Message]:
        early = visit.start + timedelta(hours=2)
        message = self._event("A08", visit, card, early, [
            self.pen.visit(visit), *self._clinical(visit, allergies, "A", early)], status="in-progress")  # fmt: skip
        message.facts.extend(self._clinical_facts(visit, allergies))
        yield message
        if visit.transfer:
            segments = [self.pen.visit(visit, moved=True)]
            yield self._event("A02", visit, card, visit.transfer.at, segments, status="in-progress")
        yield from self._discharge(visit, card)

    def _discharge(self, visit: Visit, card: Card) -> Iterator[Message]:
        yield self._leave(visit, card, visit.end)
        if visit.reopened:
            back = visit.end + timedelta(minutes=50)
            yield self._event("A13", visit, card, back, [self.pen.visit(visit, moved=True)], status="in-progress")
            yield self._leave(visit, card, visit.end + timedelta(hours=4), "B")
        yield self._summary(visit, card, visit.end + timedelta(hours=5))

    def _leave(self, visit: Visit, card: Card, at: datetime, again: str = "") -> Message:
        diagnoses = self._clinical(visit, [], "F", at)
        segments = [self.pen.visit(visit, ended=at, moved=True), *diagnoses]
        return self._event("A03", visit, card, at, segments, status="finished", again=again)

    def _clinical(self, visit: Visit, allergies: list[Allergen], kind: str, at: datetime) -> list[str]:
        written = [
            self.pen.diagnosis(number, diagnosis, kind, at) for number, diagnosis in enumerate(visit.diagnoses, 1)
        ]
        # AL1 stands before DG1 in the message structure of A01 (HL7 v2.5 3.3.1).
        return [*(self.pen.allergy(number, allergen) for number, allergen in enumerate(allergies, 1)), *written]

    def _clinical_facts(self, visit: Visit, allergies: list[Allergen]) -> list[Fact]:
        return [*truth.diagnoses(visit), *(truth.allergy(visit.person, allergen) for allergen in allergies)]

    def reported(self, visit: Visit, card: Card, report: Report) -> Message:
        """Return ORU with the results of one panel."""
        share = self.house.habits.arrows
        arrows = share > 0 and chance.stream("arrows", report.number).random() < share
        results = [self.pen.result(number, result, arrows=arrows) for number, result in enumerate(report.results, 1)]
        request = self.pen.request(visit, report.number, self.pen.panel(report), report.collected, report.issued)
        segments = [self.pen.visit(visit), *request, *results]
        return self.message("ORU^R01", report.number, report.issued, card, segments,
                            results=partial(truth.results, visit, report))  # fmt: skip

    def _summary(self, visit: Visit, card: Card, at: datetime) -> Message:
        """Return ORU with the discharge summary: its lines as text and the page as PDF."""
        lines, code = documents.discharge_summary(visit), self.pen.coded(*SUMMARY)
        number = f"{visit.number}S1"
        texts = [
            segment("OBX", {1: str(index), 2: "TX", 3: code, 4: str(index), 5: hl7.escape(line), 11: "F"})
            for index, line in enumerate(lines, 1)
        ]
        data = f"^application^pdf^Base64^{base64.b64encode(documents.pdf(lines)).decode()}"
        page = segment("OBX", {1: str(len(lines) + 1), 2: "ED", 3: code, 4: "1", 5: data, 11: "F"})
        request = self.pen.request(visit, number, code, at, at, kind="document")
        fact = truth.document(visit, number, SUMMARY[2])
        segments = [self.pen.visit(visit, ended=visit.end, moved=True), *request, *texts, page]
        return self.message("ORU^R01", number, at, card, segments, facts=[fact])
