"""Each of the 20 documents of WS/T 483: built from a record, taken in again by our own intake, it says the same."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from kangyun.commons.exchange.decisions.cda.building import build, rows_of
from kangyun.commons.exchange.decisions.cda.codes import ELEMENTS, system_of
from kangyun.commons.exchange.decisions.cda.headings import Edition
from kangyun.commons.exchange.decisions.cda.picking import Named, Record, Row, picked
from kangyun.commons.exchange.decisions.cda.sheet import documents
from kangyun.commons.exchange.decisions.cda.translate import translate

NOW = datetime(2026, 11, 1, 4, tzinfo=UTC)
WHEN = "2026-10-30T09:30:00+08:00"
EDITION = Edition("U1", "S1", 1, "2026-11-01T12:00:00+08:00")
SUBJECT = {"reference": "Patient/p"}

PATIENT: dict[str, Any] = {
    "resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1956-03-04",
    "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": "990121195603040423", "type": {"coding": [{"code": "NNCHN"}]}}],
    "name": [{"text": "周秀兰", "family": "周", "given": ["秀兰"]}], "telecom": [{"system": "phone", "value": "12913005521"}],
    "address": [{"state": "云岭省", "city": "云州市", "district": "云溪县", "line": ["柳河镇上河村12号"]}],
    "maritalStatus": {"coding": [{"system": "urn:oid:2.16.156.10011.2.3.3.5", "code": "20"}]},
}  # fmt: skip
VALUES: dict[str, dict[str, Any]] = {
    "PQ": {"valueQuantity": {"value": Decimal("7.50"), "unit": "mmol/L"}}, "MO": {"valueQuantity": {"value": Decimal("12.30"), "unit": "CNY"}},
    "BL": {"valueBoolean": True}, "TS": {"valueDateTime": "2026-12-01"}, "INT": {"valueInteger": 9}, "ST": {"valueString": "平稳 <好> & 无异常"},
}  # fmt: skip


def concept(code: str, system: str, words: str = "某词") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": words}], "text": words}


def sample(row: Row, number: int) -> list[dict[str, Any]]:
    """Resources that a row can tell of."""
    base: dict[str, Any] = {"id": f"r{number}", "subject": SUBJECT}
    values = system_of(str(row.element["values"])) if row.element.get("values") else "http://hl7.org/fhir/sid/icd-10"
    if row.element.get("to"):
        return []
    if row.make == "diagnosis":
        return [{**base, "resourceType": "Condition", "code": concept(f"X{number}", values), "onsetDateTime": "2020-05-01"}]
    if row.make == "allergy":
        return [{"id": f"r{number}", "resourceType": "AllergyIntolerance", "patient": SUBJECT, "code": concept("2", values, "青霉素")}]
    if row.make == "medication":
        dosage = [{"doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}], "timing": {"code": {"text": "每日一次"}}}]
        return [{**base, "resourceType": "MedicationStatement", "status": "active", "medicationCodeableConcept": {"text": "氨氯地平片"}, "dosage": dosage}]
    if row.make == "immunization":
        return [{
            "id": f"r{number}", "resourceType": "Immunization", "status": "completed", "patient": SUBJECT, "lotNumber": "L1", "occurrenceDateTime": "2026-01-10",
            "vaccineCode": concept("03", "urn:oid:2.16.156.10011.2.3.1.210", "脊灰疫苗"), "protocolApplied": [{"doseNumberPositiveInt": 2}],
        }]  # fmt: skip
    if row.make == "procedure":
        return [{**base, "resourceType": "Procedure", "status": "completed", "code": concept("47.01", "urn:oid:2.16.156.10011.2.3.3.12", "阑尾切除术"), "performedDateTime": "2019-02-03"}]
    if row.make == "family":
        relative = concept("MTH", "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "mother")
        return [{"id": f"r{number}", "resourceType": "FamilyMemberHistory", "status": "completed", "patient": SUBJECT, "relationship": relative, "condition": [{"code": concept("02", "urn:oid:2.16.156.10011.2.3.1.12", "高血压")}]}]
    if row.make == "encounter":
        return [{**base, "resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}, "period": {"start": "2021-01-02", "end": "2021-01-09"}, "reasonCode": [{"text": "肺炎"}]}]
    if row.make == "report":
        result = {**base, "resourceType": "Observation", "status": "final", "code": concept("718-7", "http://loinc.org", "血红蛋白"), "effectiveDateTime": WHEN, "valueQuantity": {"value": 131, "unit": "g/L"}}
        report = {**base, "id": f"d{number}", "resourceType": "DiagnosticReport", "status": "final", "code": concept("58410-2", "http://loinc.org", "血常规"), "effectiveDateTime": WHEN, "result": [{"reference": f"Observation/r{number}"}]}
        return [report, result]
    kind = str(row.element["type"])
    value = {"valueCodeableConcept": concept("1", values)} if kind == "CD" else VALUES[kind]
    code = {"coding": [{"system": ELEMENTS, "code": row.element["code"]}]}
    return [{**base, "resourceType": "Observation", "status": "final", "code": code, "effectiveDateTime": WHEN, **value}]


def whole(rows: list[Row], kind: str) -> Record:
    resources = [one for number, row in enumerate(rows) for one in sample(row, number)]
    resources.append({
        "resourceType": "ServiceRequest", "id": "sr", "status": "active", "intent": "order", "reasonCode": [{"text": "需进一步检查"}],
        "performer": [{"display": "市医院"}], "performerType": {"text": "心内科"},
    })  # fmt: skip
    visit: dict[str, Any] = {
        "resourceType": "Encounter", "id": "v", "status": "finished", "class": {"code": kind or "AMB"}, "reasonCode": [{"text": "头晕"}],
        "period": {"start": WHEN, "end": "2026-10-31T10:00:00+08:00"}, "identifier": [{"value": "V77"}],
        "hospitalization": {"dischargeDisposition": concept("1", "urn:oid:2.16.156.10011.2.3.1.265", "医嘱离院")},
    }  # fmt: skip
    return Record(PATIENT, resources, visit if kind else None, Named("D7", "王志远"), Named("H9", "云溪县医院"))


def told(thing: Any) -> Any:
    """What a thing says, without how it is written."""
    if not isinstance(thing, dict) or "resourceType" not in thing:
        return _words(thing)
    code = next((thing[name] for name in ("code", "vaccineCode", "medicationCodeableConcept") if name in thing), {})
    value = next((thing[name] for name in sorted(thing) if name.startswith("value")), None)
    more = [thing.get(name) for name in ("lotNumber", "occurrenceDateTime", "performedDateTime", "onsetDateTime", "period", "status")]
    conditions = [_words(one["code"]) for one in thing.get("condition", [])]
    return thing["resourceType"], _words(code), _words(value), str(more), str(conditions), len(thing.get("result", []))


def _words(value: Any) -> Any:
    if isinstance(value, dict):
        if "value" in value:
            return str(value["value"]), value.get("unit")
        coding = (value.get("coding") or [{}])[0]
        return coding.get("code"), coding.get("system")  if coding else value.get("text")
    return str(value)


@pytest.mark.parametrize("code", list(documents()))
def test_a_document_taken_in_again_says_what_the_record_says(code: str):
    rule = documents()[code]
    rows = rows_of(rule)
    record = whole(rows, str(rule.body.get("visit", "")))
    built = build(rule, record, EDITION)
    assert built.missing == ()
    paper = translate(built.xml, "X", NOW)
    assert paper.patients[0]["identifier"][0]["value"] == "990121195603040423"
    assert paper.patients[0]["name"][0]["text"] == "周秀兰"
    assert paper.about is not None
    assert paper.about.code == code
    for draft in paper.drafts:
        draft.resource["id"] = draft.settle("p")
    visit = paper.visit.resource if paper.visit else None
    again = Record(paper.patients[0], [draft.resource for draft in paper.drafts], visit, record.author, record.custodian)
    for row, before, after in zip(rows, picked(rows, record), picked(rows, again), strict=True):
        assert before, f"the sample has nothing for {row.name}"
        assert [told(one) for one in after] == [told(one) for one in before], row.name


@pytest.mark.parametrize("code", list(documents()))
def test_what_is_required_and_missing_is_told_and_marked(code: str):
    rule = documents()[code]
    visit = {"resourceType": "Encounter", "class": {"code": "AMB"}, "period": {}} if rule.body.get("visit") else None
    built = build(rule, Record({"resourceType": "Patient"}, [], visit), EDITION)
    required = [row.name for row in rows_of(rule) if row.required]
    assert [one.code for one in built.missing] == [*rule.body["header"], *required]
    space = "{urn:hl7-org:v3}"
    marked = [one.find(f"{space}code") for one in etree.fromstring(built.xml).iter(f"{space}observation") if one.find(f"{space}value[@nullFlavor='NI']") is not None]
    assert sorted(str(one.get("code")) for one in marked if one is not None) == sorted(row.name for row in rows_of(rule) if row.required and row.element)


def test_all_twenty_are_there_in_the_order_of_the_standard():
    assert [int(rule.body["part"]) for rule in documents().values()] == list(range(1, 21))
