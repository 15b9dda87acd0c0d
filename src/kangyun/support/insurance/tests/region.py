"""A small region with an insurer: a hospital, a village clinic, a retired woman with hypertension, the insurer's simulator."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from kangyun.app.services import Services
from kangyun.base.simulators import listening
from kangyun.commons.access import Actor, Handle, Write
from kangyun.commons.population import ID_NUMBER_SYSTEM, register
from kangyun.support import institutions
from kangyun.support.institutions import Institution
from kangyun.support.insurance.gateways.insurer import KEY, Insurer
from kangyun.support.insurance.gateways.insurer_simulator import Simulator
from kangyun.support.insurance.model import Bill, Insured, Line

RETIRED = Insured("M1001", "", "990100", "employee", "retired", chronic=("I10",))
FARMER = Insured("M1002", "", "990100", "resident", "adult")
DAY = date(2026, 6, 1)
TABLETS = Line("XC08CAA148A001", "苯磺酸氨氯地平片", 2, 5600, "B", 1000, category="drug", days=28, atc="C08CA01", day="2026-06-01")
VISIT = Line("110200005", "专家门诊诊察费", 1, 5800, "A", category="service", day="2026-06-01")


def id_number(number: int, born: str = "19580312", sex: int = 2) -> str:
    """A well-formed identity number of the made-up region."""
    body = f"990101{born}{number % 50 * 2 + 100 + (sex == 1):03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(a) * b for a, b in zip(body, weights, strict=True)) % 11]


@dataclass
class Region:
    """Ids of what there is."""

    services: Services
    simulator: Simulator
    hospital: str
    clinic: str
    insurer: str
    woman: str
    man: str

    @property
    def platform(self) -> Handle:
        return self.services.gate.system("test")

    def bill(self, *lines: Line, patient: str = "", place: str = "", **more: Any) -> Bill:
        said: dict[str, Any] = {"diagnoses": ("I10",), **more}
        return Bill(patient or self.woman, place or self.hospital, said.pop("on", DAY), lines or (TABLETS, VISIT), **said)

    def actor(self, role: str, institution: str = "", **more: Any) -> Handle:
        return self.services.gate.open(Actor(f"user/{role}", role, institution or None, account=role, **more))


@contextmanager
def region_of(services: Services) -> Generator[tuple[Services, Simulator]]:
    """The simulator listening, and services that ask it; `make` builds the region."""
    simulator = Simulator(services.keys.public(KEY)[0], lateness=0.6)
    with listening(simulator.app) as url:
        yield replace(services, insurer=Insurer(url, services.keys, simulator.key, patience=0.4)), simulator


async def build(services: Services, simulator: Simulator) -> Region:
    """Put institutions and people into the record."""
    operator = services.gate.open(Actor("local", "operator"))
    hospital = await institutions.add(services, operator, Institution("云州市第一人民医院", "hospital", "91350100M000100Y43"))
    clinic = await institutions.add(services, operator, Institution("柳河村卫生室", "village_clinic", parent=hospital.id))
    insurer = await institutions.add(services, operator, Institution("云州市医疗保障中心", "insurer", "91440300708461136T"))
    woman = await person(services, hospital.id, "周秀兰", "female", id_number(1))
    man = await person(services, hospital.id, "李大山", "male", id_number(2, "19800101", 1), born="1980-01-01")
    simulator.people |= {id_number(1): RETIRED, id_number(2, "19800101", 1): FARMER}
    return Region(services, simulator, hospital.id, clinic.id, insurer.id, woman, man)


async def person(services: Services, institution: str, name: str, sex: str, number: str, *, born: str = "1958-03-12") -> str:
    """A resident who is registered at an institution; returns the Patient's id."""
    patient = {
        "resourceType": "Patient", "name": [{"text": name, "family": name[0], "given": [name[1:]]}], "gender": sex, "birthDate": born,
        "identifier": [{"system": ID_NUMBER_SYSTEM, "value": number}], "managingOrganization": {"reference": f"Organization/{institution}"}}
    return await register(services.gate.system("test"), patient, "test")


async def put(region: Region, *resources: dict[str, Any]) -> None:
    """Write resources with their ids."""
    await region.platform.commit([Write("update", one["resourceType"], one, id=one["id"]) for one in resources])
