"""What an institution knows about a person on a day: record number, name, ID number, address, telephone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from yunzhou import chance, slips
from yunzhou.households import Household
from yunzhou.institutions import Institution
from yunzhou.names import Name
from yunzhou.people import Person
from yunzhou.places import Place
from yunzhou.plans import CHINA

NEWBORN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Card:
    """The registration of a person, slips of the desk included. `id_number` is empty while the institution does not know it.

    `line` is the address within the county, `address` the whole of it as the desk wrote it; `latin`: the name is in pinyin only.
    """

    person: Person
    record: str
    id_number: str
    name: Name
    place: Place
    phone: str
    mother_record: str
    contact: Person | None
    contact_phone: str
    sex: str
    birth: date
    line: str
    address: str
    newborn: bool
    marriage: str
    latin: bool = False
    death: date | None = None

    def duplicate(self, record: str) -> Card:
        """Return a second registration of the same person, made without the ID number."""
        return replace(self, record=record, id_number="")


def card(household: Household, person: Person, house: Institution, at: datetime) -> Card:
    """Return what the institution knows at that time; a desk makes the same slips with a person each time."""
    day = at.astimezone(CHINA).date()
    form = slips.fill(chance.stream("desk", person.key, house.key), house.desk, household, person, day)
    mother = household.member(person.mother) if person.mother else None
    contact = household.member(person.partner) if person.marriage(day) == "married" else mother
    newborn = mother is not None and at < named_at(person)
    return Card(
        person, person.record_number(house.letter), "" if newborn else form.id_number,
        newborn_name(person, mother) if newborn and mother else form.name, form.place, form.phone,
        mother.record_number(house.letter) if mother else "", contact,
        household.phone(contact, day) if contact else "", form.sex, person.birth if newborn else form.birth, form.line,
        form.address, newborn, person.marriage(day), form.latin,
        person.death if person.death and person.death <= day else None,
    )  # fmt: skip


def named_at(person: Person) -> datetime:
    """Return when a newborn is registered with name and ID number."""
    return datetime.combine(person.birth + timedelta(days=NEWBORN_DAYS), time(10, 0), CHINA)


def newborn_name(person: Person, mother: Person) -> Name:
    """Return the name on the maternity ward: "son (or daughter) of" the mother."""
    suffix, pinyin = ("之子", "ZHIZI") if person.sex == "male" else ("之女", "ZHINV")
    name = mother.name
    return Name(name.family, name.given + suffix, name.family_pinyin, name.given_pinyin + pinyin)
