"""The patient summary: a valid document, one person from several institutions, nothing that leads outside."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from kangyun.base.fhir import validation
from kangyun.commons.population.decisions import summary

MOMENT = "2026-11-22T08:00:00.000Z"


def who() -> dict[str, Any]:
    return {
        "resourceType": "Person", "id": "p1", "name": [{"text": "周秀兰"}], "gender": "female", "birthDate": "1956-03-04",
        "link": [{"target": {"reference": "Patient/a"}}, {"target": {"reference": "Patient/b"}}],
    }


def condition(id_: str, patient: str, text: str, status: str = "active", date: str = "2026-01-01") -> dict[str, Any]:
    coding = [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": status}]
    return {
        "resourceType": "Condition", "id": id_, "subject": {"reference": f"Patient/{patient}"}, "code": {"text": text},
        "clinicalStatus": {"coding": coding}, "recordedDate": date, "encounter": {"reference": "Encounter/secret-7"},
        "recorder": {"reference": "Practitioner/9", "display": "王医生"}, "meta": {"versionId": "3", "lastUpdated": MOMENT},
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_document_is_valid_and_complete_in_itself(language: str) -> None:
    told = [condition("c1", "a", "高血压"), condition("c2", "b", "2型糖尿病"), condition("c3", "b", "高血压", date="2026-05-01")]
    bundle = summary.document(who(), told, language, MOMENT)
    assert validation.validate(bundle) == []
    text = json.dumps(bundle, ensure_ascii=False)
    assert "Patient/a" not in text
    assert "secret-7" not in text
    assert "王医生" in text
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    assert len(urls) == len(bundle["entry"])
    assert set(references(bundle)) <= urls
    assert bundle["entry"][0]["resource"]["resourceType"] == "Composition"


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["reference"]] if isinstance(node.get("reference"), str) else []
    return own + [found for item in node.values() for found in references(item)]


def test_a_problem_of_two_institutions_stands_once_and_a_resolved_one_not_at_all() -> None:
    told = [
        condition("old", "a", "高血压", date="2025-01-01"), condition("new", "b", "高血压"), condition("gone", "b", "肺炎", "resolved"),
    ]
    assert [one["id"] for one in summary.chosen(told)["11450-4"]] == ["new"]


def test_needed_sections_say_that_nothing_is_known() -> None:
    bundle = summary.document(who(), [], "en", MOMENT)
    assert validation.validate(bundle) == []
    sections = bundle["entry"][0]["resource"]["section"]
    assert [one["code"]["coding"][0]["code"] for one in sections] == ["11450-4", "48765-2", "10160-0"]
    codes = {
        coding["code"] for entry in bundle["entry"]
        for concept in (entry["resource"].get("code"), entry["resource"].get("medicationCodeableConcept"))
        for coding in (concept or {}).get("coding", [])
    }
    assert codes == {"no-problem-info", "no-allergy-info", "no-medication-info"}


async def test_the_operation_gives_the_document_over_http(api: httpx.AsyncClient) -> None:
    patient = (await api.post("/fhir/Patient", json={"resourceType": "Patient", "name": [{"text": "周秀兰"}], "birthDate": "1956-03-04"})).json()
    one = condition("x", patient["id"], "高血压")
    del one["id"], one["encounter"], one["recorder"], one["meta"]
    assert (await api.post("/fhir/Condition", json=one)).status_code == 201
    answer = await api.get(f"/fhir/Patient/{patient['id']}/$summary", headers={"accept-language": "en"})
    assert answer.status_code == 200
    bundle = answer.json()
    assert bundle["type"] == "document"
    assert bundle["entry"][0]["resource"]["title"] == "International Patient Summary"
    assert "高血压" in answer.text
    posted = await api.post(f"/fhir/Patient/{patient['id']}/$summary", headers={"accept-language": "zh"})
    assert posted.json()["entry"][0]["resource"]["title"] == "国际患者摘要"
    assert (await api.get("/fhir/Patient/nobody/$summary")).status_code == 404
