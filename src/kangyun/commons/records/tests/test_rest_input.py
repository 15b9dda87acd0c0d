"""Bodies that are no resource: each is refused with an OperationOutcome that names the fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.fhir import FHIR_JSON, bundle, create, entry, found, ids, observation, patient, refused

BRACKETS = b'{"resourceType":"Patient","name":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
DEEP = b'{"resourceType":"Patient","extension":' + b'[{"url":"urn:x","extension":' * 5000 + b"[]" + b"}]" * 5000 + b"}"
CHINESE = '{"resourceType":"Patient","name":[{"text":"欧阳娜娜"}]}'


def unreadable() -> list[tuple[str, bytes, str]]:
    """What is sent, and the diagnostics of the refusal."""
    return [
        ("empty", b"", "fhir.json-empty"),
        ("blank", b" \n\t", "fhir.json-empty"),
        ("cut", b'{"resourceType":"Patient","name":[{"fam', "fhir.json-syntax"),
        ("comma", b'{"resourceType":"Patient",}', "fhir.json-syntax"),
        ("text", b"hello", "fhir.json-syntax"),
        ("two", b'{"resourceType":"Patient"}{"resourceType":"Patient"}', "fhir.json-syntax"),
        ("list", b"[]", "fhir.json-object"),
        ("string", b'"Patient"', "fhir.json-object"),
        ("null", b"null", "fhir.json-object"),
        ("NaN", b'{"resourceType":"Patient","x":NaN}', "fhir.json"),
        ("brackets", BRACKETS, "fhir.json-depth"),
        ("deep", DEEP, "fhir.json-depth"),
        ("gbk", CHINESE.encode("gbk"), "fhir.json-encoding"),
        ("gb18030", CHINESE.replace("娜", "𠮷").encode("gb18030"), "fhir.json-encoding"),
        ("utf-16", CHINESE.encode("utf-16"), "fhir.json-encoding"),
        ("utf-16-be", CHINESE.encode("utf-16-be"), "fhir.json-encoding"),
        ("latin-1", '{"resourceType":"Patient","name":[{"text":"é"}]}'.encode("latin-1"), "fhir.json-encoding"),
        ("twice", b'{"resourceType":"Patient","gender":"male","gender":"female"}', "fhir.json-duplicate"),
        ("twice inside", b'{"resourceType":"Patient","name":[{"text":"a","text":"b"}]}', "fhir.json-duplicate"),
        ("long number", b'{"resourceType":"Patient","x":' + b"9" * 100_000 + b"}", "fhir.json-number"),
        ("nul byte", b'{"resourceType":"Patient","name":[{"text":"a\x00b"}]}', "fhir.json-syntax"),
        ("surrogate", b'{"resourceType":"Patient","name":[{"text":"\\ud800"}]}', "fhir.json"),
        ("xml", b'<Patient xmlns="http://hl7.org/fhir"/>', "fhir.json-syntax"),
    ]


@pytest.mark.parametrize(("body", "told"), [row[1:] for row in unreadable()], ids=[row[0] for row in unreadable()])
@pytest.mark.parametrize("address", ["Patient", "", "Patient/$validate"])
async def test_what_is_not_json_is_named(api: httpx.AsyncClient, address: str, body: bytes, told: str) -> None:
    issue = refused(await api.post(f"/fhir/{address}".rstrip("/"), content=body, headers=FHIR_JSON), 400)
    assert issue["diagnostics"].startswith(told)


@pytest.mark.parametrize("text", [
    '"name":[{"text":"a\\u0000b"}]', '"name":[{"text":"\\u0007"}]', '"name":[]', '"name":[{}]', '"name":{"text":"a"}', '"name":null',
    '"name":[null]', '"gender":""', '"active":"true"', '"active":1', '"birthDate":20200101', '"multipleBirthInteger":1.5',
    '"multipleBirthInteger":99999999999', '"id":"a b"', '"unknown":1', '"_unknown":{}', '"name":[{"text":["a"]}]', '"":1',
    '"contained":[{"resourceType":"Nonsense"}]', '"contained":[{"resourceType":"Patient"}]', '"contained":"x"', '"meta":7', '"meta":[]',
    '"meta":{"tag":7}', '"meta":{"lastUpdated":7}', '"extension":[{}]', '"text":{"status":"generated","div":"<script>x</script>"}',
    '"text":{"status":"generated","div":"not xml"}', '"deceasedBoolean":true,"deceasedDateTime":"2020"', '"implicitRules":7',
    '"managingOrganization":{"reference":7}', '"managingOrganization":{"reference":"Patient/1"}', '"language":["zh"]',
    '"maritalStatus":{"coding":[{"system":"\\u0000"}]}',
])
async def test_what_is_json_but_no_resource_names_its_element(api: httpx.AsyncClient, text: str) -> None:
    response = await api.post("/fhir/Patient", content=f'{{"resourceType":"Patient",{text}}}'.encode(), headers=FHIR_JSON)
    issue = refused(response, response.status_code if response.status_code in {400, 422} else 422)
    assert issue["expression"][0].startswith("Patient") or response.status_code == 400


async def test_a_byte_order_mark_is_passed_over(api: httpx.AsyncClient) -> None:
    response = await api.post("/fhir/Patient", content=b"\xef\xbb\xbf" + CHINESE.encode(), headers=FHIR_JSON)
    assert response.status_code == 201
    assert response.json()["name"][0]["text"] == "欧阳娜娜"


async def test_a_body_that_is_too_large_is_413(api: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 100_000

    for address in ("Patient", "", "Patient/$validate"):
        refused(await api.post(f"/fhir/{address}".rstrip("/"), content=endless(), headers=FHIR_JSON), 413, "too-long")
    refused(await api.post("/fhir/Patient", content=b" " * 8_000_001, headers=FHIR_JSON), 413, "too-long")
    refused(await api.put("/fhir/Patient/1", content=b"", headers=FHIR_JSON | {"content-length": "999999999999"}), 413)
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused(await api.post("/fhir/Patient/_search", content=b"a" * 8_000_001, headers=form), 413)


async def test_a_body_that_drips_is_408(api: httpx.AsyncClient) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" "
            await asyncio.sleep(0.05)

    refused(await api.post("/fhir/Patient", content=dripping(), headers=FHIR_JSON), 408, "timeout")


async def test_references_in_circles_and_to_oneself_are_stored_and_followed_once(api: httpx.AsyncClient) -> None:
    link = {"type": "seealso"}
    for own, other in (("circle-a", "circle-b"), ("circle-b", "circle-a"), ("circle-c", "circle-c")):
        body = patient(id=own, link=[{"other": {"reference": f"Patient/{other}"}, **link}])
        assert (await api.put(f"/fhir/Patient/{own}", json=body)).status_code == 201
    seen = ids(await api.get("/fhir/Patient?_id=circle-a&_include:iterate=Patient:link"))
    assert sorted(seen) == ["circle-a", "circle-b"]
    assert ids(await api.get("/fhir/Patient?_id=circle-c&_include:iterate=Patient:link&_revinclude:iterate=Patient:link")) == ["circle-c"]
    assert "circle-c" in ids(await api.get("/fhir/Patient/circle-c/$everything"))
    own = '{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","partOf":{"reference":"#o"}}]}'
    response = await api.post("/fhir/Patient", content=own.encode(), headers=FHIR_JSON)
    assert response.status_code in {201, 422}


async def test_two_new_resources_may_point_at_each_other(api: httpx.AsyncClient) -> None:
    a, b = "urn:uuid:aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "urn:uuid:bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
    response = await api.post("/fhir", json=bundle(
        "transaction",
        entry("POST", "Patient", patient(link=[{"other": {"reference": b}, "type": "seealso"}]), fullUrl=a),
        entry("POST", "Patient", patient(link=[{"other": {"reference": a}, "type": "seealso"}]), fullUrl=b),
    ))
    places = ["/".join(e["response"]["location"].split("/")[-4:-2]) for e in found(response)["entry"]]
    assert found(await api.get(f"/fhir/{places[0]}"))["link"][0]["other"]["reference"] == places[1]


@pytest.mark.timeout(180)
async def test_ten_thousand_entries_are_one_transaction(api: httpx.AsyncClient) -> None:
    basic = {"resourceType": "Basic", "code": {"coding": [{"system": "urn:test", "code": "many"}]}}
    entries = [entry("POST", "Basic", basic) for _ in range(10_000)]
    answer = await api.post("/fhir", content=json.dumps(bundle("transaction", *entries)).encode(), headers=FHIR_JSON, timeout=150)
    assert len(found(answer)["entry"]) == 10_000
    assert found(await api.get("/fhir/Basic?code=urn:test|many&_summary=count"))["total"] == 10_000
    entries[9_999]["resource"] = {"resourceType": "Basic"}
    issue = refused(await api.post("/fhir", json=bundle("transaction", *entries), timeout=150), 422)
    assert issue["expression"][0].startswith("Bundle.entry[9999].resource")
    assert found(await api.get("/fhir/Basic?code=urn:test|many&_summary=count"))["total"] == 10_000


async def test_long_texts_and_long_words_can_be_stored(api: httpx.AsyncClient) -> None:
    for text in ("长" * 200_000, "a" * 500_000, "word " * 50_000, "'\\'\\ \\\\ '' {} \" ,", "🏥" * 1000):
        stored = await create(api, patient(name=[{"text": text}], identifier=[{"system": "urn:long", "value": text[:5000]}]))
        assert found(await api.get(f"/fhir/Patient/{stored['id']}"))["name"][0]["text"] == text
    person = (await create(api, patient()))["id"]
    many = ",".join(f'{{"system":"urn:x","code":"c{n}"}}' for n in range(3000))
    refused_or_stored = await api.post(
        "/fhir/Observation", content=observation(person, category=f'[{{"coding":[{many}]}}]').encode(), headers=FHIR_JSON)
    assert refused_or_stored.status_code in {201, 422}


@pytest.mark.parametrize("path", [
    "/fhir/%2e%2e/%2e%2e/etc/passwd", "/fhir/Patient/%00", "/fhir/Patient/" + "a" * 20_000, "/fhir//Patient",
    "/fhir/Patient//", "/fhir/Patient/1/_history/%00", "/fhir/Patient/%ff%fe", "/fhir/Patient/a%252fb", "/fhir/Patient;x=1/1", "/fhir/%24x",
    "/fhir/Patient/1%0d%0aset-cookie:x", "/fhir/" + "a/" * 500, "/fhir/Patient/%F0%9F%8F%A5", "/fhir/Patient/1/$everything%00",
])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_path_tricks_are_no_address(api: httpx.AsyncClient, method: str, path: str) -> None:
    body = patient(id="1") if method in {"PUT", "POST"} else None
    response = await api.request(method, httpx.URL(f"http://kangyun.test{path}"), json=body)
    assert response.status_code in {400, 404, 405, 412}, response.text
    assert response.headers["content-type"].startswith(("application/fhir+json", "text/html"))
