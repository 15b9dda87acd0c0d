"""The doctor's pages over an in-memory record."""

from __future__ import annotations

import base64
import re
from typing import Any

import httpx
import pytest

from kangyun.base import clock
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


def long_life(months: int) -> list[Node]:
    """A visit with its report every month, the newest in this month."""
    now, found = clock.now(), list[Node]()
    for number in range(months):
        year, month = divmod(now.year * 12 + now.month - 1 - number, 12)
        when, subject = f"{year}-{month + 1:02d}-01", {"reference": "Patient/3"}
        found.append({"resourceType": "Encounter", "id": f"v{number}", "subject": subject, "class": {"code": "AMB"}, "period": {"start": when}, "reasonCode": [{"text": f"复诊{number}号"}],
                      "serviceProvider": {"display": "乡镇卫生院"}})
        found.append({"resourceType": "DiagnosticReport", "id": f"r{number}", "subject": subject, "effectiveDateTime": when, "code": {"text": f"血常规{number}号"}, "conclusion": "正常"})
    return found


async def test_of_a_long_life_the_page_reads_the_latest_years_and_the_rest_follows() -> None:
    async with client_of(app_over([*RECORD, *long_life(120)])) as client:
        page = (await client.get("/clinician/residents/3", headers=ZH)).text
        assert "复诊0号" in page
        assert "复诊100号" not in page
        assert 'hx-get="/clinician/residents/3?part=timeline"' in page
        assert 'hx-get="/clinician/residents/3?part=papers"' in page
        life = (await client.get("/clinician/residents/3?part=timeline", headers=ZH)).text
        assert 'chip-count">240<' in life
        papers = (await client.get("/clinician/residents/3?part=papers", headers=ZH)).text
        assert 'card-count">120<' in papers


async def test_a_long_life_is_read_without_scripts_too() -> None:
    async with client_of(app_over([*RECORD, *long_life(120)])) as client:
        page = (await client.get("/clinician/residents/3", headers=ZH)).text
        [whole] = set(re.findall(r'<a href="(/clinician/residents/3\?kind=)"', page))
        [older] = re.findall(r'class="button button-wide" href="([^"]+)"', page)
        assert 'chip-count">240<' in (await client.get(whole, headers=ZH)).text
        seen, steps = page, 0
        while "复诊119号" not in seen and steps < 12:
            seen, steps = (await client.get(older.replace("&amp;", "&"), headers=ZH)).text, steps + 1
            older = next(iter(re.findall(r'class="button button-wide" href="([^"]+)"', seen)), "")
        assert "复诊119号" in seen


async def test_a_short_life_stands_on_the_page_at_once() -> None:
    async with client_of(app_over([*RECORD, *long_life(6)])) as client:
        page = (await client.get("/clinician/residents/3", headers=ZH)).text
    assert '?part=timeline"' not in page
    assert "6" in re.findall(r'card-count">(\d+)<', page)


async def test_that_something_is_withheld_is_said_without_saying_what() -> None:
    told, plain = (await get("/clinician/residents/2")).text, (await get("/clinician/residents/3")).text
    assert "部分内容未显示" in told
    assert 'action="/access/emergency"' in told
    assert 'href="/access/emergency?' not in told, "nothing about people stands in addresses"
    assert "部分内容未显示" not in plain


async def test_whoever_finds_nobody_is_offered_the_emergency() -> None:
    assert 'href="/access/emergency"' in (await search("没有", "")).text
