"""Residents of the demonstration, of journeys and of benchmarks: in the record with a past, and able to log in by telephone."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.commons.access import Actor, Write
from kangyun.commons.access.actions import guardians
from kangyun.commons.access.actions.codes import phone_index
from kangyun.commons.access.actions.guardians import Proof
from kangyun.commons.access.queries.accounts import by_phone, sql
from kangyun.commons.population import ID_NUMBER_SYSTEM, Arrival, beside, person_of

_ICD10 = "http://hl7.org/fhir/sid/icd-10"
_CLASS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_SEEN_BEFORE = timedelta(days=40)


@dataclass(frozen=True, slots=True)
class Past:
    """A disease that a hospital has found: code (ICD-10), words, and the clinic's findings as (LOINC, words, value, unit)."""

    code: str
    text: str
    findings: tuple[tuple[str, str, float, str], ...] = ()


HYPERTENSION = Past("I10", "高血压", (("8480-6", "收缩压", 152, "mm[Hg]"), ("8462-4", "舒张压", 92, "mm[Hg]")))


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody who lives here: name, ID number (its region 99 exists nowhere), telephone, address, and what was found before."""

    name: str
    number: str
    phone: str
    address: str = ""
    past: Past | None = None
    role: str = "resident"

    @property
    def born(self) -> str:
        """The birth date that the ID number says."""
        return f"{self.number[6:10]}-{self.number[10:12]}-{self.number[12:14]}"

    @property
    def sex(self) -> str:
        """The sex that the ID number says."""
        return "male" if int(self.number[16]) % 2 else "female"


@dataclass(frozen=True, slots=True)
class Known:
    """A resident in the record: ids of the Patient at the hospital and of the Person, and the account."""

    who: Resident
    patient: str
    person: str
    account: str
    is_new: bool


async def settle(services: Services, who: Resident, hospital: str) -> Known:
    """Put a resident into the record as a patient of a hospital (id), with the past, and let the telephone log in; once."""
    handle = services.gate.system("demo")
    asked = [("identifier", f"{ID_NUMBER_SYSTEM}|{who.number}"), ("organization", f"Organization/{hospital}")]
    kept = (await handle.search("Patient", asked)).resources
    patient = kept[0] if kept else _patient(who, hospital)
    if not kept:
        history = [Write("update", one["resourceType"], one, str(one["id"])) for one in _history(who, str(patient["id"]), hospital)]
        writes = [Write("update", "Patient", patient, str(patient["id"])), *history]
        await handle.commit(writes, beside=beside([Arrival(patient, "demo", 1)]))
    person = await person_of(handle, str(patient["id"]))
    assert person is not None, "a Patient that was placed has a Person"
    return Known(who, str(patient["id"]), str(person["id"]), await bind(services, who.phone, str(person["id"])), not kept)


async def settle_all(services: Services, people: Sequence[Resident], hospital: str) -> list[Known]:
    """Several residents, one after the other, in their order."""
    return [await settle(services, one, hospital) for one in people]


def _patient(who: Resident, hospital: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient", "id": secrets.token_hex(12), "active": True, "name": [{"use": "official", "text": who.name}],
        "gender": who.sex, "birthDate": who.born, "identifier": [{"system": ID_NUMBER_SYSTEM, "value": who.number}],
        "telecom": [{"system": "phone", "value": who.phone, "use": "mobile"}],
        "managingOrganization": {"reference": f"Organization/{hospital}"},
    } | ({"address": [{"use": "home", "text": who.address}]} if who.address else {})


def _history(who: Resident, patient: str, hospital: str) -> list[dict[str, Any]]:
    """A visit at the hospital, its diagnosis and what was measured."""
    if who.past is None:
        return []
    day = (clock.now() - _SEEN_BEFORE).date().isoformat()
    subject, visit = {"reference": f"Patient/{patient}"}, secrets.token_hex(12)
    at = {"encounter": {"reference": f"Encounter/{visit}"}}
    diagnosis = {"coding": [{"system": _ICD10, "code": who.past.code, "display": who.past.text}], "text": who.past.text}
    return [
        {"resourceType": "Encounter", "id": visit, "status": "finished", "class": {"system": _CLASS, "code": "AMB"}, "subject": subject,
         "serviceProvider": {"reference": f"Organization/{hospital}"}, "period": {"start": day, "end": day}},
        {"resourceType": "Condition", "id": secrets.token_hex(12), "subject": subject, **at, "code": diagnosis, "recordedDate": day,
         "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
         "verificationStatus": {"coding": [{"system": _VERIFIED, "code": "confirmed"}]}},
        *({"resourceType": "Observation", "id": secrets.token_hex(12), "status": "final", "subject": subject, **at,
           "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": text}, "effectiveDateTime": day,
           "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}}
          for code, text, value, unit in who.past.findings),
    ]


async def bind(services: Services, phone: str, person: str) -> str:
    """An account of a resident with a telephone, bound as if the name had been proved; gives its id."""
    index = phone_index(services, phone)
    found, id_ = await by_phone(services.database, index), secrets.token_hex(12)
    async with services.database.connection() as connection:
        if found is None:
            sealed = services.keys.seal("account-phone", phone.encode(), id_.encode())
            await connection.fetchval(sql.put_account, id_, "resident", None, sealed, index, None, None, "active", clock.now())
        await connection.fetchval(sql.bind, found.id if found else id_, person)
    return found.id if found else id_


async def guard(services: Services, guardian: Known, ward: Known, clerk: Actor) -> None:
    """Let a guardian act for a ward: asked for, and attested by a clerk who has seen the paper."""
    actor = Actor(f"user/{guardian.account}", "resident", person=guardian.person, account=guardian.account, session="demo")
    number = await guardians.ask(services, actor, ward.who.name, ward.who.number, Proof("authorisation", "云州证字1号"))
    await guardians.decide(services, clerk, number, right=True)
