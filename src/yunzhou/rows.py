"""What a village clinic notes in its spreadsheets: one row for a resident, a visit or a follow-up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random

import msgspec

from yunzhou import cards, chance, truth
from yunzhou.body import Body
from yunzhou.cards import Card
from yunzhou.households import Household
from yunzhou.institutions import Institution
from yunzhou.messages import Fact, Message
from yunzhou.plans import CHINA
from yunzhou.visits import Allergen, Visit, pharmacy

Row = dict[str, str]
BLOOD = (("A", 28), ("B", 25), ("O", 31), ("AB", 9), ("不详", 7))
FOLLOWED = {"I10": "高血压", "E11.9": "2型糖尿病", "J44.9": "慢阻肺", "I25.1": "冠心病"}
RELATIONS = {
    "head": "户主", "husband": "户主", "elder": "户主", "wife": "配偶", "partner": "配偶", "child": "子女", "grandmother": "父母",
    "grandfather": "父母",
}  # fmt: skip
# In spreads above the mean: four of a hundred residents.
UNREGISTERED = 1.75


def written(visit: Visit, card: Card, allergies: list[Allergen], known: list[tuple[str, str]]) -> Iterator[Message]:
    """Yield the row of a visit, and that of the follow-up when a chronic illness was looked at."""
    del allergies
    facts: list[Fact] = [truth.resident(card, known), truth.row(visit, "visits")]
    row = {**_person(card, visit.start.date()), **_visit(visit), **_measured(visit)}
    yield message("visits", visit.number, visit.institution, card, visit.end, row=row, facts=facts)
    followed = [diagnosis for diagnosis in visit.diagnoses if diagnosis.code in FOLLOWED and diagnosis.chronic]
    if followed:
        main = followed[0]
        again = visit.start.astimezone(CHINA).date() + timedelta(days=90)
        row = {**row, "diagnosis": FOLLOWED[main.code], "icd": main.code, "next": again.isoformat()}
        yield message("followup", f"{visit.number}F", visit.institution, card, visit.end, row=row, facts=[])


def register(household: Household, body: Body, house: Institution, at: datetime) -> Message | None:
    """Return the row of the register of residents; None for the few who have none."""
    person = body.person
    if body.lot("register") > UNREGISTERED:
        return None
    card, day = cards.card(household, person, house, at), at.date()
    courses = body.active(at)
    row = {
        **_person(card, day), "head": household.people[0].name.text, "relation": RELATIONS[person.role],
        "village": card.place.settlement.name, "blood": chance.weighted(Random(body.lot("blood")), BLOOD),
        "history": "、".join(course.illness.name for course in courses),
    }  # fmt: skip
    facts = [truth.resident(card, [(truth.urn(house.oid), card.record)])]
    return message("register", f"{card.record}G", house, card, at, row=row, facts=facts)


def message(kind: str, number: str, house: Institution, card: Card, at: datetime, *, row: Row, facts: list[Fact]) -> Message:
    """Return a row as a message; the sheet in which it stands is made later."""
    body = msgspec.json.encode({key: value for key, value in row.items() if value})
    return Message(number, house.key, "sheet", at, card.person.household, body, kind, facts=facts)


def _person(card: Card, on: date) -> Row:
    person = card.person
    return {
        "record": card.record, "name": card.name.text, "sex": card.sex, "birth": card.birth.isoformat(),
        "id": card.id_number, "phone": card.phone, "address": card.address, "ethnicity": person.ethnicity[1],
        "marriage": card.marriage, "contact": card.contact.name.text if card.contact else "",
        "contact_phone": card.contact_phone, "age": str(int(person.age(on))),
    }  # fmt: skip


def _visit(visit: Visit) -> Row:
    medicines = pharmacy().medicines
    first = visit.diagnoses[0] if visit.diagnoses else None
    drugs = "；".join(medicines[prescription.medicine].name for prescription in visit.prescriptions)
    return {
        "date": visit.start.astimezone(CHINA).date().isoformat(), "doctor": visit.doctor.name.text, "drugs": drugs,
        "diagnosis": first.name if first else "", "icd": first.code if first else "",
        "complaint": f"{first.name}就诊" if first else "",
    }  # fmt: skip


def _measured(visit: Visit) -> Row:
    values = {result.item: result.value for report in visit.reports for result in report.results}
    found = {field: values.get(item, "") for field, item in MEASURES.items()}
    if found["sbp"] and found["dbp"]:
        found["pressure"] = f"{found['sbp']}/{found['dbp']}"
    return found


MEASURES = {"sbp": "sbp", "dbp": "dbp", "pulse": "pulse", "temp": "temp", "glucose": "glu", "weight": "weight"}
