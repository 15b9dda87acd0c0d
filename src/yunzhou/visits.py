"""What happens in a visit: who sees the patient, what is measured, diagnosed, prescribed and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance, institutions, laboratory, plans
from yunzhou.body import Body
from yunzhou.households import Household
from yunzhou.institutions import Department, Doctor, Institution
from yunzhou.laboratory import Report
from yunzhou.people import Person
from yunzhou.plans import Diagnosis, Plan
from yunzhou.vaccines import Due

# What a village clinic can measure.
AT_A_CLINIC = frozenset({"vitals", "pressure", "body", "glucose"})
VITALS = ("vitals", "pressure", "body")


class Medicine(Struct, frozen=True):
    """A medicine: `dose` is quantity and unit each time, `times` a day; `group` is what allergies are to."""

    name: str
    english: str
    dose: tuple[int, str]
    times: int
    days: int
    route: str
    atc: str = ""
    local: str = ""
    group: str = ""


class Allergen(Struct, frozen=True):
    """Something that residents are allergic to; `kind` and `severity` are codes of HL7 tables 0127 and 0128."""

    code: str
    name: str
    english: str
    share: float
    reaction: str
    severity: str
    kind: str
    group: str = ""


class Pharmacy(Struct, frozen=True):
    """The whole of medicines.yaml."""

    medicines: dict[str, Medicine]
    allergens: list[Allergen]


@dataclass(frozen=True, slots=True)
class Prescription:
    """One prescribed medicine. `number` is unique in the institution."""

    number: str
    medicine: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """A move to another bed of the ward or to another ward."""

    at: datetime
    department: Department
    bed: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit or stay. `kind` is outpatient, emergency, inpatient, checkup or immunisation; `cancelled` ones never took place."""

    number: str
    person: Person
    institution: Institution
    kind: str
    department: Department
    doctor: Doctor
    bed: str
    start: datetime
    end: datetime
    diagnoses: tuple[Diagnosis, ...]
    reports: tuple[Report, ...]
    prescriptions: tuple[Prescription, ...]
    doses: tuple[Due, ...]
    transfer: Transfer | None
    cancelled: bool
    reopened: bool


class Cancelled(Struct, frozen=True):
    """Shares of the visits and of the discharges that are cancelled."""

    visits: float
    discharges: float


@cache
def pharmacy() -> Pharmacy:
    """Return medicines and allergens."""
    return assumptions.read("medicines.yaml", Pharmacy)


def allergies(seed: int, person: Person) -> list[Allergen]:
    """Return what a person is allergic to."""
    return _allergies(seed, person.key)


@lru_cache(maxsize=64)
def _allergies(seed: int, key: str) -> list[Allergen]:
    rng = chance.stream(seed, "allergy", key)
    return [allergen for allergen in pharmacy().allergens if rng.random() < allergen.share]


def of_year(
    seed: int, household: Household, body: Body, year: int, cancelled: Cancelled, *, demand: float = 1.0
) -> Iterator[Visit]:
    """Yield the visits of a person in a year in order of time."""
    for index, plan in enumerate(plans.Year(seed, household, body, year, demand=demand).plans(), 1):
        rng = chance.stream(seed, "visit", body.person.key, year, index)
        house = institutions.institution(plans.choose_institution(plan, household, rng))
        number = f"{house.letter}{body.person.key}{year % 100:02d}{index:02d}"
        yield Realised(seed, body, plan, house, number, rng=rng).visit(cancelled)


class Realised:
    """Turns one plan into a visit; `rng` is the stream of this visit."""

    def __init__(self, seed: int, body: Body, plan: Plan, house: Institution, number: str, *, rng: Random) -> None:
        self.body, self.plan, self.house, self.number, self.rng = body, plan, house, number, rng
        self.allergies = allergies(seed, body.person)
        found = house.department(plan.cares)
        self.department = found or house.departments[0]

    def visit(self, cancelled: Cancelled) -> Visit:
        """Return the visit; shares of visits and discharges are cancelled."""
        plan, rng = self.plan, self.rng
        end = self._end()
        never = rng.random() < cancelled.visits and plan.kind in {"outpatient", "inpatient"} and not plan.place
        return Visit(
            self.number, self.body.person, self.house, plan.kind, self.department,
            institutions.doctor_of(self.house.key, self.department, rng), self._bed(), plan.start, end, plan.diagnoses,
            () if never else tuple(self._reports(end)), () if never else tuple(self._prescriptions(end)), plan.doses,
            self._transfer(end), never, bool(plan.nights) and rng.random() < cancelled.discharges,
        )  # fmt: skip

    def _end(self) -> datetime:
        if self.plan.nights:
            last = self.plan.start + timedelta(days=self.plan.nights)
            return last.replace(hour=self.rng.choice([9, 10, 11, 15]), minute=self.rng.randrange(60))
        return self.plan.start + timedelta(minutes=self.rng.randint(25, 150))

    def _bed(self) -> str:
        return f"{self.rng.randint(1, 20):02d}-{self.rng.randint(1, 4)}" if self.plan.nights else ""

    def _transfer(self, end: datetime) -> Transfer | None:
        if not self.plan.nights or self.rng.random() > 0.4:
            return None
        at = self.plan.start + (end - self.plan.start) * self.rng.uniform(0.2, 0.6)
        return Transfer(at.replace(second=0, microsecond=0), self.department, f"{self.rng.randint(21, 30)}-1")

    def _reports(self, end: datetime) -> Iterator[Report]:
        wanted = [key for key, share in self.plan.panels.items() if self.rng.random() < share and self._offers(key)]
        measured: set[str] = set()
        for index, key in enumerate(wanted, 1):
            report = self._report(index, key, self.plan.start, self.plan.effects, measured)
            if report.results:
                yield report
        if self.plan.nights >= 3:
            yield from self._again(len(wanted), [key for key in wanted if key in {"cbc", "crp", "vitals"}], end)

    def _offers(self, key: str) -> bool:
        if self.house.level == "clinic":
            return key in AT_A_CLINIC
        only = laboratory.catalogue().panels[key].only
        return not only or self.house.key in only

    def _again(self, done: int, panels: list[str], end: datetime) -> Iterator[Report]:
        """Measure again on the last morning, when treatment has taken most of the illness away."""
        better = {item: (mean * 0.15, spread * 0.3) for item, (mean, spread) in self.plan.effects.items()}
        morning = end.replace(hour=6, minute=30)
        for index, key in enumerate(panels, done + 1):
            yield self._report(index, key, morning, better, set())

    def _report(
        self, index: int, key: str, at: datetime, effects: dict[str, tuple[float, float]], measured: set[str],
    ) -> Report:  # fmt: skip
        panel = laboratory.catalogue().panels[key]
        collected = at + timedelta(minutes=2 if key in VITALS else 14 + self.rng.randrange(6))
        items = [item for item in panel.items if item not in measured]
        measured.update(items)
        results = tuple(self.body.measure(items, collected, self.rng, effects))
        issued = collected + timedelta(minutes=1 + int(panel.hours * 60 * self.rng.uniform(0.6, 1.2)))
        return Report(f"{self.number}R{index}", key, collected, issued, results)

    def _prescriptions(self, end: datetime) -> Iterator[Prescription]:
        written = end - timedelta(minutes=8)
        groups = {allergen.group for allergen in self.allergies if allergen.group}
        wanted = [key for key, share in self.plan.drugs if self.rng.random() < share]
        allowed = [
            key
            for key in wanted
            if pharmacy().medicines[key].group not in groups or not pharmacy().medicines[key].group
        ]
        for index, key in enumerate(dict.fromkeys(allowed), 1):
            yield Prescription(f"{self.number}M{index}", key, written)
