"""One synthetic resident with a life worth looking at: two hospitals, a stay, trends outside of their range, papers."""

from __future__ import annotations

import base64
from typing import Any

Node = dict[str, Any]
NAME = "陈凤兰"
NUMBER = "990101193909220269"
_LOINC = "http://loinc.org"
_PATIENT = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"}


def _entry(resource: Node, number: int) -> Node:
    return {
        "fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012d}", "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }


def _status(kind: str, code: str) -> Node:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{kind}", "code": code}]}


def _patient() -> Node:
    return {
        "resourceType": "Patient", "name": [{"use": "official", "text": NAME, "family": "陈", "given": ["凤兰"]}], "gender": "female", "birthDate": "1939-09-22",
        "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": NUMBER}],
        "telecom": [{"system": "phone", "value": "12900008457"}], "address": [{"text": "云岭省云州市云中区府前街121号"}],
    }


def _visit(number: int, period: tuple[str, str], code: str, house: str, reason: str) -> Node:
    return {
        "resourceType": "Encounter", "status": "finished", "subject": _PATIENT, "period": dict(zip(("start", "end"), period, strict=True)),
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code},
        "serviceProvider": {"display": house}, "reasonCode": [{"text": reason}], "identifier": [{"system": "urn:visits", "value": str(number)}],
    }


def _inside(visit: int) -> Node:
    return {"encounter": {"reference": f"urn:uuid:00000000-0000-4000-8000-{visit:012d}"}}


def _glucose(visit: int, when: str, value: float) -> Node:
    unit = {"unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
    return {
        "resourceType": "Observation", "status": "final", "subject": _PATIENT, "effectiveDateTime": when, **_inside(visit),
        "category": [_status("observation-category", "laboratory")],
        "code": {"text": "空腹血糖", "coding": [{"system": _LOINC, "code": "1558-6", "display": "Fasting glucose"}]},
        "valueQuantity": {"value": value, **unit}, "referenceRange": [{"low": {"value": 3.9, **unit}, "high": {"value": 6.1, **unit}}],
    }


def _paper(visit: int) -> Node:
    text = base64.b64encode("患者一般情况良好，准予出院。".encode()).decode()
    return {
        "resourceType": "DocumentReference", "status": "current", "subject": _PATIENT, "date": "2026-06-10T10:00:00+08:00",
        "type": {"text": "出院小结"}, "context": {"encounter": [_inside(visit)["encounter"]]}, "custodian": {"display": "云州市第一人民医院"},
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": text}}],
    }


def bundle() -> Node:
    """A transaction that creates the resident and everything about her."""
    visits = [
        _visit(index, (f"{year}-0{month}-05T09:00:00+08:00", f"{year}-0{month}-05T10:00:00+08:00"), "AMB", "云州市中医医院", "2型糖尿病")
        for index, (year, month) in enumerate([(2019, 3), (2022, 5), (2024, 8), (2025, 2)], 2)
    ]
    stay = _visit(6, ("2026-06-03T08:00:00+08:00", "2026-06-10T10:00:00+08:00"), "IMP", "云州市第一人民医院", "慢性阻塞性肺疾病急性加重")
    values = [_glucose(index, visit["period"]["start"], value) for index, (visit, value) in enumerate(zip(visits, (5.4, 6.8, 7.9, 8.3), strict=True), 2)]
    others: list[Node] = [
        {"resourceType": "AllergyIntolerance", "patient": _PATIENT, "code": {"text": "青霉素"}, "criticality": "high", "clinicalStatus": _status("allergyintolerance-clinical", "active"),
         "verificationStatus": _status("allergyintolerance-verification", "confirmed"), "reaction": [{"manifestation": [{"text": "皮疹"}]}]},
        {"resourceType": "Condition", "subject": _PATIENT, "code": {"text": "2型糖尿病"}, "clinicalStatus": _status("condition-clinical", "active"), "onsetDateTime": "2019-03-05", **_inside(2)},
        {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": _PATIENT, "authoredOn": "2026-06-10", **_inside(6),
         "medicationCodeableConcept": {"text": "二甲双胍片 0.5g"}, "dosageInstruction": [{"text": "口服，每次1片，每日2次"}]},
        {"resourceType": "Immunization", "status": "completed", "patient": _PATIENT, "vaccineCode": {"text": "流感疫苗"}, "occurrenceDateTime": "2025-10-01"},
        _paper(6),
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(one, number) for number, one in enumerate([_patient(), *visits, stay, *values, *others], 1)]}
