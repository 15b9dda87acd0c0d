"""FHIR R4 resources of the city and the transaction bundles in which they travel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from yunzhou.cards import Card
from yunzhou.institutions import NATIONAL_ID, ROOT, Doctor, Institution
from yunzhou.places import city
from yunzhou.plans import CHINA, Diagnosis
from yunzhou.truth import urn
from yunzhou.visits import Medicine, Visit

Json = dict[str, object]

TERMS = "http://terminology.hl7.org/CodeSystem"
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
CLASSES = {"outpatient": "AMB", "emergency": "EMER", "inpatient": "IMP", "checkup": "AMB", "immunisation": "AMB"}


def instant(at: datetime) -> str:
    """Return a time of day in China."""
    return at.astimezone(CHINA).isoformat(timespec="seconds")


def coding(system: str, code: str, display: str = "") -> Json:
    """Return a Coding."""
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(text: str, *codings: Json) -> Json:
    """Return a CodeableConcept."""
    return {"coding": list(codings), "text": text} if codings else {"text": text}


def term(table: str, code: str) -> Json:
    """Return a concept of an HL7 terminology table."""
    return {"coding": [coding(f"{TERMS}/{table}", code)]}


def _urn(name: str) -> str:
    """Return a name-based identifier in the shape of UUID version 5, as a URN."""
    text = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    return f"urn:uuid:{text[:8]}-{text[8:12]}-5{text[13:16]}-a{text[17:20]}-{text[20:32]}"


@dataclass(slots=True)
class Bundle:
    """A transaction in the making: every entry is created unless its identifier is there already."""

    entries: list[Json] = field(default_factory=list)

    def add(self, resource: Json, system: str, value: str) -> str:
        """Add a resource under its business identifier; return the reference to it."""
        url = _urn(f"{resource['resourceType']}/{system}|{value}")
        resource.setdefault("identifier", [{"system": system, "value": value}])
        request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": f"identifier={system}|{value}"}
        self.entries.append({"fullUrl": url, "resource": resource, "request": request})
        return url

    def json(self) -> Json:
        """Return the bundle."""
        return {"resourceType": "Bundle", "type": "transaction", "entry": self.entries}


def patient_identity(card: Card, house: Institution) -> tuple[str, str]:
    """Return the identifier by which a resident is looked up: the record number, since every institution keeps its own Patient."""
    return urn(house.oid), card.record


def _typed(code: str, use: str, system: str, value: str) -> Json:
    return {"use": use, "type": term("v2-0203", code), "system": system, "value": value}


# By which an institution names itself; HL7 v2 has the same name in MSH-4.
INSTITUTIONS = urn(ROOT)


def organization(house: Institution) -> Json:
    """Return Organization; whoever knows the institution already keeps it as it is."""
    return {"resourceType": "Organization", "active": True, "name": house.name, "identifier": [{"system": INSTITUTIONS, "value": house.mnemonic}]}


def patient(card: Card, house: Institution, keeper: str) -> Json:
    """Return Patient, kept by an Organization."""
    national = [_typed("NNCHN", "official", urn(NATIONAL_ID), card.id_number)] if card.id_number else []
    # FHIR forbids empty lists: who has no telephone has no telecom.
    telecom = {"telecom": [{"system": "phone", "value": card.phone, "use": "mobile"}]} if card.phone else {}
    return {
        "resourceType": "Patient", "identifier": [*national, _typed("MR", "usual", urn(house.oid), card.record)],
        "active": True, "name": _names(card), **telecom, "gender": card.sex,
        "birthDate": card.birth.isoformat(), "address": [_address(card)],
        "managingOrganization": {"reference": keeper, "display": house.name},
        **({"deceasedDateTime": card.death.isoformat()} if card.death else {}),
    }  # fmt: skip


def _names(card: Card) -> list[Json]:
    name = card.name
    if card.latin:
        return [{"use": "official", "text": f"{name.given_pinyin} {name.family_pinyin}".strip()}]
    family = {"family": name.family} if name.family else {}
    return [{"use": "official", "text": name.text, **family, "given": [name.given]}]


def _address(card: Card) -> Json:
    area = city()
    return {
        "use": "home", "text": card.address, "line": [card.line], "city": area.city.name,
        "district": card.place.county_name, "state": area.province.name, "postalCode": card.place.zip, "country": "CN",
    }  # fmt: skip


def practitioner(doctor: Doctor, house: Institution) -> Json:
    """Return a logical reference to a doctor."""
    return {"identifier": {"system": urn(house.system("staff")), "value": doctor.number}, "display": doctor.name.text}


def encounter(visit: Visit, subject: str, keeper: str) -> Json:
    """Return Encounter of a finished visit at an Organization."""
    reasons = [diagnosis_code(diagnosis) for diagnosis in visit.diagnoses[:1]]
    return {
        "resourceType": "Encounter", "status": "finished", "class": coding(f"{TERMS}/v3-ActCode", CLASSES[visit.kind]),
        "serviceType": {"text": visit.department.name}, "subject": {"reference": subject},
        "participant": [{"individual": practitioner(visit.doctor, visit.institution)}],
        "period": {"start": instant(visit.start), "end": instant(visit.end)},
        "serviceProvider": {"reference": keeper, "display": visit.institution.name}, **({"reasonCode": reasons} if reasons else {}),
    }  # fmt: skip


def diagnosis_code(diagnosis: Diagnosis) -> Json:
    """Return the concept of a diagnosis."""
    return concept(diagnosis.name, coding("http://hl7.org/fhir/sid/icd-10", diagnosis.code, diagnosis.english))


def condition(diagnosis: Diagnosis, visit: Visit, subject: str, encounter: str) -> Json:
    """Return Condition: a problem that stays, or a diagnosis of the visit."""
    category = "problem-list-item" if diagnosis.chronic else "encounter-diagnosis"
    return {
        "resourceType": "Condition", "clinicalStatus": term("condition-clinical", "active" if diagnosis.chronic else "resolved"),
        "verificationStatus": term("condition-ver-status", "confirmed"), "category": [term("condition-category", category)],
        "code": diagnosis_code(diagnosis), "subject": {"reference": subject}, "encounter": {"reference": encounter},
        "recordedDate": instant(visit.start),
    }  # fmt: skip


def medicine_code(medicine: Medicine, house: Institution) -> Json:
    """Return the concept of a medicine: ATC, or the local code of a Chinese patent medicine."""
    if medicine.atc:
        return concept(medicine.name, coding("http://www.whocc.no/atc", medicine.atc, medicine.english))
    return concept(medicine.name, coding(urn(house.system("item")), medicine.local, medicine.english))


def medication_request(medicine: Medicine, visit: Visit, written: datetime, subject: str, encounter: str) -> Json:
    """Return MedicationRequest of one medicine."""
    quantity, unit = medicine.dose
    total = quantity * medicine.times * medicine.days
    return {
        "resourceType": "MedicationRequest", "status": "active" if medicine.days > 14 else "completed", "intent": "order",
        "medicationCodeableConcept": medicine_code(medicine, visit.institution), "subject": {"reference": subject},
        "encounter": {"reference": encounter}, "authoredOn": instant(written),
        "requester": practitioner(visit.doctor, visit.institution),
        "dosageInstruction": [{
            "text": f"{medicine.route}，每次{quantity:g}{unit}，每日{medicine.times}次",
            "timing": {"repeat": {"frequency": medicine.times, "period": 1, "periodUnit": "d"}},
            "route": {"text": medicine.route}, "doseAndRate": [{"doseQuantity": {"value": quantity, "unit": unit}}],
        }],
        "dispenseRequest": {
            "quantity": {"value": total, "unit": unit},
            "expectedSupplyDuration": {"value": medicine.days, "unit": "天", "system": UCUM, "code": "d"},
        },
    }  # fmt: skip
