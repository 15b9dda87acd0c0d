"""A resident comes in by every way; then a thief of the database, or of the whole folder but its keys, reads nothing of him.

Looked for are a number, a telephone and an address, in every column of every table, in every file of the data folder outside
of its keys, and in the log; as text, as hexadecimal digits and in base64.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from kangyun.base.database.embedded import EmbeddedServer
from tests.journeys.test_a_lab_result_reaches_the_record import send
from tests.serving import Server, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SYSTEM = "urn:oid:2.16.156.10011.1.3"
# Two residents: what the second way brings must not be covered by what the first has hidden.
ID = {"v2": "990121195603040423", "cda": "990121196005060015", "sheet": "990121197208080029", "fhir": "990121198811110039"}
PHONE = {"v2": "13955512671", "cda": "13955512672", "sheet": "13955512673", "fhir": "13955512674"}
VILLAGE = {"v2": "石榴崖村", "cda": "枣花坪村", "sheet": "柿子沟村", "fhir": "核桃湾村"}

HEADER = ["档案编号", "姓名", "性别", "出生日期", "身份证号", "联系电话", "现住址", "民族"]

DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <realmCode code="CN"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/>
 <id root="2.16.156.10011.1.1" extension="S1.1"/>
 <code code="C0002" codeSystem="2.16.156.10011.2.4" codeSystemName="卫生信息共享文档规范编码体系"/>
 <title>门诊病历</title><effectiveTime value="20260301093000"/>
 <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="zh-CN"/>
 <setId root="2.16.156.10011.1.1" extension="S1"/><versionNumber value="1"/>
 <recordTarget><patientRole classCode="PAT"><id root="2.16.156.10011.1.11" extension="M901"/>
  <addr use="H"><houseNumber>12号</houseNumber><streetName>{village}</streetName><township>柳河镇</township><county>云溪县</county><city>云州市</city><state>云岭省</state></addr>
  <telecom value="{phone}"/>
  <patient classCode="PSN"><id root="2.16.156.10011.1.3" extension="{id}"/><name>钱大山</name>
   <administrativeGenderCode code="1" codeSystem="2.16.156.10011.2.3.3.4" displayName="男性"/><birthTime value="19600506"/></patient>
 </patientRole></recordTarget>
 <author><time value="20260301093000"/><assignedAuthor><id root="2.16.156.10011.1.7" extension="D7"/><assignedPerson><name>王志远</name></assignedPerson></assignedAuthor></author>
 <custodian><assignedCustodian><representedCustodianOrganization><id root="2.16.156.10011.1.5" extension="H9"/><name>云溪县医院</name></representedCustodianOrganization></assignedCustodian></custodian>
 <component><structuredBody><component><section><code code="10154-3" codeSystem="2.16.840.1.113883.6.1"/><text>家住{village}，电话{phone}</text></section></component></structuredBody></component>
</ClinicalDocument>"""


def by_hl7(http: httpx.Client, server: Server) -> None:
    """Admitted, changed, refused."""
    pid = (f"PID|1||F90001^^^YZFH&2.16.156.10011.99.1&ISO^MR~{ID['v2']}^^^MOPS&2.16.156.10011.1.3&ISO^NNCHN||周^秀兰^^^^^L^I||19560304|F|||"
           f"{VILLAGE['v2']}12号^^云州市^云岭省^990121^CHN^H||{PHONE['v2']}")
    nk1 = f"NK1|1|周^小明^^^^^L^I|SON|{VILLAGE['v2']}12号^^云州市^云岭省^990121^CHN^H|{PHONE['v2']}"
    head = "MSH|^~\\&|HIS|YZFH|KANGYUN|YUNZHOU|2026112208{:02}00+0800||ADT^{}^ADT_A01|HID{}|P|2.5|||AL|NE|CHN|UNICODE UTF-8"
    for minute, kind in enumerate(("A01", "A08", "A04")):
        where = "PV1|1|I|内科^1^1||||||||||||||||V901|||||||||||||||||||||||||20261122080000+0800"
        text = "\r".join([head.format(minute, kind, minute), f"EVN|{kind}|2026112208{minute:02}00+0800", pid, nk1, where]) + "\r"
        assert "MSA|AA" in send(server, text), kind
    bad = "\r".join([head.format(9, "A01", 9), "EVN|A01|20261122080900+0800", pid.replace("19560304", f"{PHONE['v2']}x"), nk1, "PV1|1|I"]) + "\r"
    assert "MSA|AA" not in send(server, bad)


def by_document(http: httpx.Client, server: Server) -> None:
    """A document, and one that is refused."""
    text = DOCUMENT.format(id=ID["cda"], phone=PHONE["cda"], village=VILLAGE["cda"]).encode()
    answer = http.post("/exchange/cda", content=text, headers={"content-type": "text/xml"})
    assert answer.status_code == 201, answer.text
    wrong = text.replace(b'birthTime value="19600506', b'birthTime value="19609906').replace(b'extension="S1', b'extension="S2')
    assert http.post("/exchange/cda", content=wrong, headers={"content-type": "text/xml"}).status_code >= 400


def by_sheet(http: httpx.Client, server: Server) -> None:
    """A row that is stored, and rows that are held for what is wrong with them."""
    good = ["99012110020100091", "孙桂花", "女", "1972-08-08", ID["sheet"], PHONE["sheet"], f"柳河镇{VILLAGE['sheet']}12号", "汉"]
    rows = [HEADER, good, [*good[:3], "2072-99-08", *good[4:]], [*good[:5], f"{PHONE['sheet']}{PHONE['sheet']}", *good[6:]], [*good[:4], f"{ID['sheet']}9", *good[5:]]]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    answer = http.post("/exchange/tables", params={"sender": "C901"}, content=out.getvalue().encode("utf-8-sig"))
    assert answer.status_code in {201, 422}, answer.text


def by_fhir(http: httpx.Client, server: Server) -> None:
    """Created, found, changed, deleted; as resources of their own, inside of others, and in free text."""
    number, phone, village = {"system": SYSTEM, "value": ID["fhir"]}, PHONE["fhir"], VILLAGE["fhir"]
    telecom, address = [{"system": "phone", "value": phone}], [{"text": f"云州市柳河镇{village}12号", "city": "云州市", "line": [f"{village}12号"]}]
    whole: dict[str, Any] = {"resourceType": "Patient", "identifier": [number], "name": [{"text": "赵永福"}], "gender": "male", "birthDate": "1988-11-11",
                             "telecom": telecom, "address": address, "contact": [{"telecom": telecom, "address": address[0]}]}
    asked = {"if-none-exist": f"identifier={SYSTEM}|{ID['fhir']}"}
    made = http.post("/fhir/Patient", json=whole, headers=asked)
    assert made.status_code == 201, made.text
    assert http.post("/fhir/Patient", json=whole, headers=asked).status_code == 200
    id_ = made.json()["id"]
    about = {"subject": {"reference": f"Patient/{id_}", "identifier": number, "display": "赵永福"}}
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    others: list[dict[str, Any]] = [
        {"resourceType": "RelatedPerson", "patient": about["subject"], "telecom": telecom, "address": address, "identifier": [number]},
        {"resourceType": "Practitioner", "identifier": [number], "telecom": telecom},
        {"resourceType": "Coverage", "status": "active", "beneficiary": about["subject"], "payor": [{"display": "x"}], "subscriberId": ID["fhir"]},
        {"resourceType": "Observation", "status": "final", "code": code, **about, "note": [{"text": f"回电{phone}，住{village}"}]},
        {"resourceType": "Condition", **about, "contained": [{**whole, "id": "p"}], "asserter": {"reference": "#p"}},
        {"resourceType": "DocumentReference", "status": "current", **about, "content": [
            {"attachment": {"contentType": "text/plain", "data": base64.b64encode(f"{ID['fhir']} {phone} {village}".encode()).decode()}}]},
        {"resourceType": "Task", "status": "requested", "intent": "order", "for": about["subject"], "description": f"请联系{phone}"},
    ]
    entries = [{"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in others]
    answer = http.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text
    assert http.put(f"/fhir/Patient/{id_}", json={**whole, "id": id_, "active": True}).status_code == 200
    for query in (f"identifier={SYSTEM}|{ID['fhir']}", f"phone={phone}", f"address={village}", f"address:contains={village[1:]}", f"_sort=birthdate&_count=1&identifier={ID['fhir']}"):
        assert http.get(f"/fhir/Patient?{query}").json()["total"] == 1, query
        assert http.post("/fhir/Patient/_search", content=query, headers={"content-type": "application/x-www-form-urlencoded"}).status_code == 200
    match = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": whole}]}
    assert http.post("/fhir/Patient/$match", json=match).status_code == 200
    assert http.post("/fhir/Patient", json={**whole, "birthDate": phone}).status_code == 422
    assert http.get(f"/fhir/Patient/{id_}/_history/1").status_code == 200


@pytest.fixture(scope="module")
def told(server: Server) -> Server:
    """The platform after everything was brought and what follows from it has been done."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for way in (by_hl7, by_document, by_sheet, by_fhir):
            way(http, server)
    asyncio.run(_settled(server))
    return server


async def _settled(server: Server) -> None:
    """Wait until all reactions and waiting jobs are through."""
    connection = await asyncpg.connect(EmbeddedServer(server.data / "postgres").dsn())
    end = time.monotonic() + 60
    while time.monotonic() < end:
        behind = await connection.fetchval("SELECT count(*) FROM reaction_cursor WHERE after < (SELECT max(seq) FROM change)")
        waiting = await connection.fetchval("SELECT count(*) FROM job WHERE state = 'waiting' AND due <= clock_timestamp()")
        if not behind and not waiting:
            break
        await asyncio.sleep(0.2)
    await connection.close()


def marks() -> dict[str, list[bytes]]:
    """What must not be found, by a name that a failing test may print."""
    found: dict[str, list[bytes]] = {}
    for kind, values in (("number", ID), ("telephone", PHONE), ("village", VILLAGE)):
        for way, text in values.items():
            found[f"{kind} by {way}"] = [text.encode(), text.encode().hex().encode(), *_base64(text.encode())]
    return found


def _base64(text: bytes) -> Iterator[bytes]:
    """The text inside of base64, wherever it begins."""
    for before in range(3):
        first = (before * 8 + 5) // 6
        whole = base64.b64encode(b"\0" * before + text)
        yield whole[first : len(whole) - 4 if (before + len(text)) % 3 else len(whole)]


def seen(text: bytes) -> list[str]:
    return [name for name, forms in marks().items() if any(form in text for form in forms)]


def test_the_residents_came_in(told: Server) -> None:
    with httpx.Client(base_url=told.url, timeout=60) as http:
        for way, number in ID.items():
            found = http.get("/fhir/Patient", params={"identifier": f"{SYSTEM}|{number}"}).json()
            assert found["total"] >= 1, way
            assert VILLAGE[way] in str(found), way


async def test_no_column_of_any_table_tells(told: Server) -> None:
    connection = await asyncpg.connect(EmbeddedServer(told.data / "postgres").dsn())
    tables = [row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]
    found: list[str] = []
    rows = 0
    for table in tables:
        columns = [row[0] for row in await connection.fetch("SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1", table)]
        for column in columns:
            for row in await connection.fetch(f'SELECT "{column}"::text FROM "{table}" WHERE "{column}" IS NOT NULL'):
                rows += 1
                found += [f"{table}.{column}: {name}" for name in seen(row[0].encode())]
    await connection.close()
    assert rows > 1000
    assert "number by v2" in seen(f"x{ID['v2']}".encode())
    assert "number by v2" in seen(base64.b64encode(f"xy{ID['v2']}z".encode()))
    assert sorted(set(found)) == []


def test_no_file_of_the_data_folder_tells(told: Server) -> None:
    found = [f"{path.relative_to(told.data)}: {name}" for path in _files(told.data) for name in seen(path.read_bytes())]
    assert sorted(set(found)) == []
    assert seen(told.log.read_bytes()) == []


def _files(data: Path) -> list[Path]:
    return [path for path in data.rglob("*") if path.is_file() and not path.is_symlink() and "keys" not in path.relative_to(data).parts]


def test_the_resident_is_still_found_after_the_key_was_changed(told: Server) -> None:
    run("keys", "rotate", "record-identity", "--data", told.data)
    run("keys", "rotate", "population-identity", "--data", told.data)
    end = time.monotonic() + 120
    while run("keys", "retire", "record-identity", "--data", told.data, check=False).returncode and time.monotonic() < end:
        time.sleep(1)
    assert "1 version" in run("keys", "list", "--data", told.data).stdout.split("record-identity")[1].splitlines()[0]
    with httpx.Client(base_url=told.url, timeout=60) as http:
        for way, number in ID.items():
            assert http.get("/fhir/Patient", params={"identifier": f"{SYSTEM}|{number}"}).json()["total"] >= 1, way
        by_fhir_again = http.get("/fhir/Patient", params={"phone": PHONE["fhir"]}).json()["entry"][0]["resource"]
        assert by_fhir_again["address"][0]["line"] == [f"{VILLAGE['fhir']}12号"]
