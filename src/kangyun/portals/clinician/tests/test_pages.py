"""The doctor's pages over an in-memory record."""

from __future__ import annotations

import base64
import re
from typing import Any

import httpx
import pytest

from kangyun.base.web.tests.client import client_of
from kangyun.portals.clinician.tests.twin import app_over, synthea

Node = dict[str, Any]
ZH = {"accept": "text/html", "accept-language": "zh"}


def paper(id_: str, kind: str, content: bytes, patient: str = "1") -> Node:
    attachment = {"contentType": kind, "title": "小结", "data": base64.b64encode(content).decode()}
    return {
        "resourceType": "DocumentReference", "id": id_, "status": "current", "subject": {"reference": f"Patient/{patient}"},
        "type": {"text": "出院小结"}, "date": "2026-01-01", "content": [{"attachment": attachment}],
    }


RECORD: list[Node] = [
    {"resourceType": "Patient", "id": "1", "name": [{"text": "李<b>娜"}], "gender": "female", "birthDate": "1953-01-02",
     "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": "990101195301020022"}]},
    {"resourceType": "Patient", "id": "2", "name": [{"text": "王强"}], "telecom": [{"system": "phone", "value": "12900000000"}]},
    {"resourceType": "Patient", "id": "3", "name": [{"text": "无病"}]},
    paper("t", "text/plain", "平稳<script>".encode()), paper("p", "application/pdf", b"%PDF-1.4"), paper("h", "text/html", b"<script>alert(1)</script>"),
    paper("other", "text/plain", b"secret", "2"),
    {"resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "Patient/1"}, "code": {"text": "青霉素"}, "criticality": "high"},
]


async def get(address: str, **headers: str) -> httpx.Response:
    async with client_of(app_over(RECORD)) as client:
        return await client.get(address, headers=ZH | headers)


async def search(text: str, part: str = "?part=found") -> httpx.Response:
    async with client_of(app_over(RECORD)) as client:
        found = re.search(r'name="csrf" content="(\w+)"', (await client.get("/clinician/", headers=ZH)).text)
        assert found
        return await client.post(f"/clinician/{part}", data={"q": text, "csrf": found[1]}, headers=ZH)


async def test_a_name_finds_and_a_whole_number_finds() -> None:
    for text in ("王", "12900000000"):
        answer = await search(text)
        assert 'href="/clinician/residents/2"' in answer.text
        assert 'href="/clinician/residents/1"' not in answer.text
        assert "<html" not in answer.text


async def test_nobody_found_says_what_to_do() -> None:
    assert "请换一种写法" in (await search("没有", "")).text


async def test_identifiers_are_masked_everywhere() -> None:
    for address in ("/clinician/", "/clinician/residents/1", "/clinician/residents/1/results"):
        text = (await get(address)).text
        assert "990101195301020022" not in text
        assert "990********0022" in text


async def test_the_banner_names_the_person_and_the_severe_allergy() -> None:
    text = (await get("/clinician/residents/1")).text
    assert "李&lt;b&gt;娜" in text
    assert "badge-red" in text
    assert "过敏：青霉素" in text


async def test_residents_seen_are_remembered_by_id_only() -> None:
    async with client_of(app_over(RECORD)) as client:
        answer = await client.get("/clinician/residents/2", headers=ZH)
        assert "recent=2;" in answer.headers["set-cookie"] or any("recent=2;" in one for one in answer.headers.get_list("set-cookie"))
        assert "最近查看" in (await client.get("/clinician/", headers=ZH)).text


async def test_an_empty_record_says_so() -> None:
    text = (await get("/clinician/residents/3")).text
    assert "没有符合的记录" in text
    assert "没有记录不等于不过敏" in text


@pytest.mark.parametrize("address", ["/clinician/residents/9", "/clinician/residents/1/documents/DocumentReference/other", "/clinician/residents/1/documents/Patient/1",
                                     "/clinician/residents/1/documents/DocumentReference/t/7", "/clinician/residents/1/results?code=no|such"])
async def test_what_is_not_there_is_a_page_that_says_so(address: str) -> None:
    answer = await get(address)
    assert answer.status_code == 404
    assert "没有" in answer.text


async def test_a_text_document_is_shown_in_place_and_escaped() -> None:
    text = (await get("/clinician/residents/1/documents/DocumentReference/t")).text
    assert "平稳&lt;script&gt;" in text


async def test_a_pdf_opens_and_anything_active_is_only_downloaded() -> None:
    pdf = await get("/clinician/residents/1/documents/DocumentReference/p/0")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["content-disposition"].startswith("inline")
    page = await get("/clinician/residents/1/documents/DocumentReference/h/0")
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith("attachment")


async def test_every_synthetic_life_can_be_read_in_both_languages() -> None:
    resources = synthea()
    if not resources:
        pytest.skip("outside test material synthea is not beside this checkout")
    async with client_of(app_over(resources)) as client:
        for patient in (one for one in resources if one["resourceType"] == "Patient"):
            for query in ("", "?lang=en", "?part=trends", "?part=older&before=2010", "?kind=result"):
                answer = await client.get(f"/clinician/residents/{patient['id']}{query}", headers=ZH)
                assert answer.status_code == 200, query
