"""The institutions of the city: their departments, staff, languages and habits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance, names

ROOT = "2.16.156.10011.99"
NATIONAL_ID = "2.16.156.10011.1.3"


class Department(Struct, frozen=True):
    """A department and the kinds of visits that it takes."""

    code: str
    name: str
    cares: list[str]


class Habits(Struct, frozen=True):
    """How a hospital writes HL7 v2; each habit is explained in the README."""

    national_id: str = "pid3"
    authority: bool = True
    name: str = "parts"
    codes: str = "hl7"
    address: str = "parts"
    phone: int = 12
    zone: bool = True
    dash: str = "-"
    arrows: float = 0.0
    orders: bool = True
    local_first: bool = False
    diagnosis_system: bool = True


class Institution(Struct, frozen=True):
    """An institution. Its identifiers are numbered below `oid`."""

    key: int
    letter: str
    mnemonic: str
    name: str
    english: str
    speaks: str
    version: str
    charset: str
    encoding: str
    county: str
    staff: int
    departments: list[Department]
    habits: Habits = Habits()

    @property
    def oid(self) -> str:
        """The root of the identifiers of this institution."""
        return f"{ROOT}.{self.key}"

    def system(self, kind: str) -> str:
        """Return the OID of one kind of its identifiers (see the table of the README)."""
        return f"{self.oid}.{KINDS[kind]}"

    def department(self, cares: str) -> Department | None:
        """Return the department that takes such a visit."""
        return next((d for d in self.departments if cares in d.cares), None)


KINDS = {
    "visit": 1,
    "order": 2,
    "report": 3,
    "document": 4,
    "prescription": 5,
    "condition": 6,
    "allergy": 7,
    "immunisation": 8,
    "item": 9,
    "staff": 10,
}


class Directory(Struct, frozen=True):
    """The whole of institutions.yaml."""

    institutions: list[Institution]
    choice: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Doctor:
    """A member of the staff. `number` is unique in the institution."""

    number: str
    name: names.Name


@cache
def directory() -> Directory:
    """Return all institutions."""
    return assumptions.read("institutions.yaml", Directory)


def institution(key: int) -> Institution:
    """Return the institution of a key."""
    return directory().institutions[key - 1]


@cache
def staff(key: int) -> tuple[Doctor, ...]:
    """Return the doctors of an institution; they do not depend on the seed."""
    house = institution(key)
    return tuple(_doctor(house.letter, key, number) for number in range(1, house.staff + 1))


def _doctor(letter: str, key: int, number: int) -> Doctor:
    rng = chance.stream("staff", key, number)
    sex = rng.choice(["male", "female"])
    return Doctor(f"{letter}{1000 + number}", names.draw(rng, sex, rng.randint(1962, 1996)))


def doctor_of(key: int, department: Department, rng: Random) -> Doctor:
    """Draw a doctor; each department has its own part of the staff."""
    doctors = staff(key)
    places = institution(key).departments
    start = [place.code for place in places].index(department.code)
    return rng.choice(doctors[start :: len(places)])
