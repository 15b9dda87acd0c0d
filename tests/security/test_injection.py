"""What people type stays what they typed: no SQL, no template, no header, no markup, no field that they may not set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from kangyun.base.web import forms
from tests.security.world import World, address, pages

BROWSER = {"accept": "text/html"}
SQL = [
    "'", "''", '"', "\\", "\\'", "';--", "' OR '1'='1", "') OR ('1'='1", "'; DROP TABLE resource; --", "1; SELECT pg_sleep(30)", "%", "_", "%%", "$1",
    "$$x$$", "E'\\x41'", "' UNION SELECT secret FROM entry --", "/*", "*/", "||'a'", "\u02bc OR 1=1", "1e309", "NaN", "-1", "99999999999999999999", "{}", "[]",
    "\\0", "(", "*", "?", "a:b", "a|b", "|", "a,b", "a\\,b", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "\u0001", "\x00", "+", "&", "#",
]  # fmt: skip
TEMPLATE = ["{{7*7}}", "{% for x in range(9) %}y{% endfor %}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{0.__class__}", "{n}", "%(n)s", "%s%n", "__import__('os')"]
MARKUP = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'onmouseover='x", "</textarea><b>", "<!--", "]]>", "javascript:alert(1)"]
CRLF = ["x\r\nX-Evil: 1", "x\nX-Evil: 1", "x\rX-Evil: 1", "x\u560d\u560aX-Evil: 1", "x%0d%0aX-Evil: 1", "x\r\n\r\n<html>"]
READ = [entry for entry in pages() if "GET" in (entry.methods or ())]
WRITTEN = [entry for entry in pages() if "POST" in (entry.methods or ())]
QUERY = ("q", "name", "sender", "state", "reason", "kind", "number", "page", "before", "from", "to", "month", "part", "next", "lang", "patient", "encounter", "format")
FORM = (*QUERY, "id", "act", "text", "code", "login", "password", "person", "account", "role", "maps", "networks", "phone", "address", "born", "sex")


async def found(api: httpx.AsyncClient, query: Sequence[tuple[str, str]], type_: str = "Patient") -> httpx.Response:
    return await api.get(f"/fhir/{type_}", params=list(query))


@pytest.mark.parametrize("payload", SQL)
async def test_a_search_takes_a_value_literally(payload: str, api: httpx.AsyncClient, world: World) -> None:
    del world
    escaped = re.sub(r"([\\,$|])", r"\\\1", payload)
    if payload.isprintable():
        body = {"resourceType": "Patient", "name": [{"family": f"Q{payload}Z"}], "identifier": [{"system": "urn:sql", "value": f"v{payload}"}]}
        made = await api.post("/fhir/Patient", json=body)
        assert made.status_code in {201, 422}, made.text
        if made.status_code == 201:
            for query in ([("family:exact", f"Q{escaped}Z")], [("identifier", f"urn:sql|v{escaped}")]):
                answer = await found(api, query)
                assert answer.status_code == 200, answer.text
                assert made.json()["id"] in [entry["resource"]["id"] for entry in answer.json().get("entry", [])], query
    for query in (
        [("name", escaped)], [("identifier", escaped)], [("_id", payload)], [("birthdate", payload)], [("_sort", payload)], [("_lastUpdated", payload)],
        [("general-practitioner", payload)], [("_has:Observation:patient:code", payload)], [("address:contains", escaped)], [("_count", payload)],
        [(payload or "x", "1")], [("_include", payload)], [("_elements", payload)], [("_summary", payload)], [("_cursor", payload)], [("_total", payload)],
    ):  # fmt: skip
        answer = await found(api, query)
        assert answer.status_code in {200, 400, 404}, (query, answer.status_code, answer.text[:300])
        if answer.status_code == 200 and query[0][0] in {"identifier", "_id"}:
            ids = {entry["resource"]["id"] for entry in answer.json().get("entry", [])}
            assert "marked" not in ids, query


@pytest.mark.parametrize("payload", SQL)
async def test_values_chains_and_history_take_it_literally_too(payload: str, api: httpx.AsyncClient, world: World) -> None:
    del world
    for query in (
        [("subject:Patient.name", payload)], [("value-quantity", payload)], [("code", payload)], [("code-value-quantity", payload)], [("date", payload)],
        [("subject", payload)], [("_has:Provenance:target:agent", payload)], [("combo-code-value-quantity", f"8480-6${payload}")],
    ):  # fmt: skip
        answer = await found(api, query, "Observation")
        assert answer.status_code in {200, 400, 404}, (query, answer.text[:300])
    for path in (f"/fhir/Patient/{quote(payload, safe='')}", f"/fhir/{quote(payload, safe='')}/marked", f"/fhir/Patient/marked/_history/{quote(payload, safe='')}"):
        assert (await api.get(path)).status_code in {400, 404}, path
    for name in ("_since", "_at", "_count", "_before"):
        answer = await api.get("/fhir/Patient/marked/_history", params={name: payload})
        assert answer.status_code in {200, 400}, (name, answer.text[:300])


@pytest.mark.parametrize("entry", READ, ids=lambda entry: entry.path)
async def test_no_parameter_of_a_page_breaks_it_or_comes_back_as_code(entry: Any, api: httpx.AsyncClient, world: World) -> None:
    for payload in ("' OR '1'='1", "\\", "99999999999999999999", "\x00", TEMPLATE[0], MARKUP[0] + MARKUP[1], CRLF[0]):
        answer = await api.get(address(entry, world), params=dict.fromkeys(QUERY, payload), headers=BROWSER)
        harmless(answer, payload)


@pytest.mark.parametrize("entry", [entry for entry in READ if "{" in entry.path and "static" not in entry.path], ids=lambda entry: entry.path)
async def test_no_part_of_an_address_breaks_a_page(entry: Any, api: httpx.AsyncClient, world: World) -> None:
    for payload in ("'", "%00", "..%2f..%2fetc%2fpasswd", "%0d%0aX-Evil:%201", quote(TEMPLATE[0]), quote(MARKUP[1], safe=""), "99999999999999999999", "-1", "x" * 3000):
        path = re.sub(r"\{\w+(:\w+)?\}", lambda _, payload=payload: payload, entry.path)
        harmless(await api.get(path, headers=BROWSER), payload)


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.path)
async def test_no_field_of_a_form_breaks_it_or_comes_back_as_code(entry: Any, api: httpx.AsyncClient, world: World) -> None:
    await api.get("/", headers=BROWSER)
    token = forms.token_for(str(api.cookies[forms.COOKIE]))
    for payload in ("' OR '1'='1", "\\", "99999999999999999999", "\x00", TEMPLATE[0], MARKUP[0] + MARKUP[1], CRLF[0]):
        fields = {**dict.fromkeys(FORM, payload), forms.FIELD: token}
        harmless(await api.post(address(entry, world), data=fields, headers=BROWSER), payload)


def harmless(answer: httpx.Response, payload: str) -> None:
    """No bug, no header of the caller's, nothing worked out, nothing that a browser would run."""
    assert answer.status_code < 500, (payload, answer.text[:500])
    assert "x-evil" not in answer.headers
    assert all("\r" not in value and "\n" not in value for value in answer.headers.values())
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        if payload == TEMPLATE[0]:
            assert not re.search(r"(?<![\d.:/-])49(?![\d.:/-])", re.sub(r"<[^>]*>", "", answer.text).replace(payload, ""))


@pytest.mark.parametrize("payload", [*TEMPLATE, *MARKUP])
async def test_a_name_in_the_record_is_shown_as_it_is_written(payload: str, api: httpx.AsyncClient) -> None:
    body = {
        "resourceType": "Patient", "name": [{"text": payload}], "gender": "male", "birthDate": "1950-01-01", "address": [{"text": payload}],
        "contact": [{"name": {"text": payload}}], "telecom": [{"system": "phone", "value": payload}],
    }
    made = await api.post("/fhir/Patient", json=body)
    assert made.status_code == 201, made.text
    page = await api.get(f"/clinician/residents/{made.json()['id']}", headers={**BROWSER, "accept-language": "en"})
    assert page.status_code == 200
    from markupsafe import escape

    assert str(escape(payload)) in page.text
    harmless(page, payload)


@pytest.mark.parametrize("payload", CRLF)
async def test_no_title_of_a_file_makes_a_header(payload: str, api: httpx.AsyncClient, world: World) -> None:
    del world
    attachment = {"contentType": "text/html\r\nX-Evil: 1", "title": payload, "data": "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="}
    for kind in ("text/html", "image/svg+xml", "text/plain", "application/pdf"):
        body = {
            "resourceType": "DocumentReference", "status": "current", "subject": {"reference": "Patient/marked"},
            "content": [{"attachment": {**attachment, "contentType": kind}}],
        }
        made = await api.post("/fhir/DocumentReference", json=body)
        assert made.status_code in {201, 422}, made.text
        if made.status_code == 201:
            answer = await api.get(f"/clinician/residents/marked/documents/DocumentReference/{made.json()['id']}/0", headers=BROWSER)
            assert answer.status_code == 200
            assert "x-evil" not in answer.headers
            assert "script-src" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            if kind in {"text/html", "image/svg+xml"}:
                assert answer.headers["content-type"] == "application/octet-stream"
                assert answer.headers["content-disposition"].startswith("attachment;")


async def test_a_host_that_is_invented_makes_no_header_and_no_address_of_a_public_server(api: httpx.AsyncClient, world: World) -> None:
    del world
    answer = await api.get("/login?next=//evil.example", headers={**BROWSER, "host": "evil.example"})
    assert "//evil.example" not in answer.headers.get("location", "")
    assert 'action="//' not in answer.text
    assert 'href="http://evil.example' not in answer.text


async def test_who_writes_sets_neither_version_nor_time_nor_number(api: httpx.AsyncClient, world: World) -> None:
    del world
    body = {
        "resourceType": "Basic", "id": "mine", "code": {"text": "x"},
        "meta": {"versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z", "source": "urn:me"},
    }
    made = await api.post("/fhir/Basic", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["id"] != "mine"
    assert made.json()["meta"]["versionId"] == "1"
    assert not made.json()["meta"]["lastUpdated"].startswith("1999")
    updated = await api.put("/fhir/Basic/mine", json=body)
    assert updated.json()["meta"]["versionId"] == "1"
    assert not updated.json()["meta"]["lastUpdated"].startswith("1999")
