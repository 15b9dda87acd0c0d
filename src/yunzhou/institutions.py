"""The institutions of the city: their departments, staff, languages and habits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance, names, places

FIRST_COUNTY, FIRST_TOWN, FIRST_CLINIC = 4, 10, 200
LETTERS = {"county": "H", "township": "T", "clinic": "C"}
ENGLISH = {"county": "County Hospital", "township": "Township Hospital", "clinic": "Village Clinic"}
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
    """An institution. Its identifiers are numbered below `oid`; `level` is city, county, township or clinic."""

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
    desk: str = "good"
    level: str = "city"

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


class System(Struct, frozen=True):
    """A kind of computer system: what it speaks, and its habits."""

    speaks: str
    version: str
    charset: str
    encoding: str
    desk: str
    habits: Habits = Habits()


class Directory(Struct, frozen=True):
    """The whole of institutions.yaml."""

    institutions: list[Institution]
    systems: dict[str, System]
    counties: list[str]
    townships: list[str]
    county_departments: list[Department]
    clinic_departments: list[Department]
    staff: dict[str, int]


@dataclass(frozen=True, slots=True)
class Doctor:
    """A member of the staff. `number` is unique in the institution."""

    number: str
    name: names.Name


@cache
def directory() -> Directory:
    """Return what institutions.yaml says."""
    return assumptions.read("institutions.yaml", Directory)


@cache
def institution(key: int) -> Institution:
    """Return the institution of a key; keys mean the same in cities of every size."""
    if key < FIRST_COUNTY:
        return directory().institutions[key - 1]
    if key < FIRST_TOWN:
        return _county_hospital(key)
    return _township_hospital(key) if key < FIRST_CLINIC else _clinic(key)


def county_key(county: int) -> int:
    """Return the key of the hospital of a county."""
    return FIRST_COUNTY + county


def town_key(town: int) -> int:
    """Return the key of a township hospital."""
    return FIRST_TOWN + town if town else 3


def clinic_key(settlement: places.Settlement) -> int:
    """Return the key of the clinic of a village."""
    return FIRST_CLINIC + settlement.town * 100 + settlement.village


def keys(region: places.Region) -> list[int]:
    """Return the keys of all institutions of a city."""
    villages = [place for place in region.settlements if place.kind == "village"]
    counties = {county_key(place.county) for place in region.settlements if place.county >= 0}
    towns = {town_key(place.town) for place in villages}
    return sorted({1, 2, *counties, *towns, *(clinic_key(place) for place in villages)})


def _county_hospital(key: int) -> Institution:
    index = key - FIRST_COUNTY
    county, said = places.city().counties[index], directory()
    return _build(key, "county", f"{county.name}人民医院", county.code, said.counties[index])


def _township_hospital(key: int) -> Institution:
    town, said = key - FIRST_TOWN, directory()
    area, name = places.village(town, 0).area, places.town_name(town)
    system = said.townships[town % len(said.townships)]
    return _build(key, "township", f"{area.name}{name}卫生院", area.code, system)


def _clinic(key: int) -> Institution:
    place = places.village(*divmod(key - FIRST_CLINIC, 100))
    name = f"{place.area.name}{place.town_name}{place.name}卫生室"
    return _build(key, "clinic", name, place.area.code, "clinic_sheets")


def _build(key: int, level: str, name: str, county: str, system: str) -> Institution:
    said = directory()
    departments = {"county": said.county_departments, "township": said.institutions[2].departments, "clinic": said.clinic_departments}[level]
    letter = LETTERS[level]
    kind = said.systems[system]
    width = 2 if level == "county" else 4
    return Institution(
        key, letter, f"YZ{letter}{key:0{width}d}", name, f"{ENGLISH[level]} {key}", kind.speaks, kind.version, kind.charset,
        kind.encoding, county, said.staff[level], departments, kind.habits, kind.desk, level,
    )  # fmt: skip


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
