"""Right resources of about a kilobyte, as hospitals send them; nobody in them is real."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

PATIENT: Json = {
    "resourceType": "Patient",
    "id": "li-na",
    "meta": {"profile": ["http://kangyun.org/fhir/StructureDefinition/resident"]},
    "extension": [
        {"url": "http://kangyun.org/fhir/StructureDefinition/ethnicity", "valueCode": "01"},
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "云州市"}},
    ],
    "identifier": [
        {"use": "official", "system": "urn:oid:2.16.156.10011.1.3", "value": "990102198503071234"},
        {
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
            "system": "urn:oid:2.16.156.99001.1",
            "value": "00012345",
            "period": {"start": "2019-03-01", "end": "2029-03-01"},
            "assigner": {"reference": "Organization/yz-first", "display": "云州市第一人民医院"},
        },
    ],
    "active": True,
    "name": [{"use": "official", "text": "李娜", "family": "李", "given": ["娜"]}],
    "telecom": [{"system": "phone", "value": "19900001234", "use": "mobile", "rank": 1}],
    "gender": "female",
    "birthDate": "1985-03-07",
    "address": [
        {"use": "home", "text": "云州市东城区和平路1号", "city": "云州市", "district": "东城区", "country": "CN"}
    ],
    "maritalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]},
    "contact": [{"name": {"text": "王强"}, "telecom": [{"system": "phone", "value": "19900005678"}]}],
    "managingOrganization": {"reference": "Organization/yz-first"},
}

OBSERVATION: Json = {
    "resourceType": "Observation",
    "identifier": [{"system": "urn:oid:2.16.156.99001.5", "value": "LIS-2024-000123-1"}],
    "status": "final",
    "category": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"}], "text": "葡萄糖"},
    "subject": {"reference": "Patient/li-na", "display": "李娜"},
    "encounter": {"reference": "Encounter/e1"},
    "effectiveDateTime": "2024-05-06T08:30:00+08:00",
    "issued": "2024-05-06T10:12:33.000+08:00",
    "performer": [{"reference": "Organization/yz-first"}],
    "valueQuantity": {"value": 6.1, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    "interpretation": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "N"}]}
    ],
    "referenceRange": [
        {
            "low": {"value": 3.9, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
            "high": {"value": 6.1, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        }
    ],
}

BLOOD_PRESSURE: Json = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "subject": {"reference": "Patient/li-na"},
    "effectivePeriod": {"start": "2024-05-06T08:30:00+08:00", "end": "2024-05-06T08:31:00+08:00"},
    "component": [
        {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}, "valueQuantity": {"value": 128}},
        {"code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]}, "valueQuantity": {"value": 82}},
    ],
}

CONDITION: Json = {
    "resourceType": "Condition",
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]
    },
    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}], "text": "原发性高血压"},
    "subject": {"reference": "Patient/li-na"},
    "onsetDateTime": "2020",
    "abatementDateTime": "2024-01",
    "recordedDate": "2024-02-29",
}

MEDICATION_REQUEST: Json = {
    "resourceType": "MedicationRequest",
    "contained": [{"resourceType": "Medication", "id": "med", "code": {"text": "硝苯地平控释片"}}],
    "status": "active",
    "intent": "order",
    "medicationReference": {"reference": "#med"},
    "subject": {"reference": "urn:uuid:5d9ea9c5-6e1f-4b8b-8a86-000000000001"},
    "authoredOn": "2024-05-06",
    "requester": {"reference": "https://example.org/fhir/Practitioner/dr-wang/_history/2"},
    "dosageInstruction": [
        {
            "text": "每日一次，每次一片",
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "片"}}],
        }
    ],
}

ORGANIZATION: Json = {
    "resourceType": "Organization",
    "text": {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p class="x">云州市&nbsp;<b>第一</b>人民医院</p></div>',
    },
    "name": "云州市第一人民医院",
    "telecom": [{"system": "phone", "value": "0990-1234567", "use": "work"}],
}

BUNDLE: Json = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:5d9ea9c5-6e1f-4b8b-8a86-000000000001",
            "resource": PATIENT,
            "request": {"method": "POST", "url": "Patient"},
        },
        {"resource": OBSERVATION, "request": {"method": "PUT", "url": "Observation/o1"}},
    ],
}

RESOURCES = {
    "patient": PATIENT,
    "observation": OBSERVATION,
    "blood pressure": BLOOD_PRESSURE,
    "condition": CONDITION,
    "medication request": MEDICATION_REQUEST,
    "organization": ORGANIZATION,
    "bundle": BUNDLE,
}
