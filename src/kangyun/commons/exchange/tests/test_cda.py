from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.commons.access import Handle
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import Intake, joining
from kangyun.commons.exchange.decisions.cda.translate import translate
from kangyun.commons.exchange.model import Fault, Outcome

DATA = Path(__file__).resolve().parents[6] / "shared" / "data" / "ccda"
NOW = datetime(2026, 11, 1, 4, tzinfo=UTC)
ID = "990121195603040423"
ELEMENTS = 'codeSystem="2.16.156.10011.2.2.1" codeSystemName="卫生信息数据元目录"'

HEADER = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <realmCode code="CN"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/>
 <id root="2.16.156.10011.1.1" extension="{id}"/>
 <code code="{code}" codeSystem="2.16.156.10011.2.4" codeSystemName="卫生信息共享文档规范编码体系"/>
 <title>文档</title><effectiveTime value="20260301093000"/>
 <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="zh-CN"/>
 <setId root="2.16.156.10011.1.1" extension="{set}"/><versionNumber value="{version}"/>
 <recordTarget><patientRole classCode="PAT">
  {numbers}
  <addr use="H"><houseNumber>12号</houseNumber><streetName>上河村</streetName><township>柳河镇</township><county>云溪县</county><city>云州市</city><state>云岭省</state></addr>
  <telecom value="12913005521"/>
  <patient classCode="PSN"><id root="2.16.156.10011.1.3" extension="{person}"/><name>周秀兰</name>
   <administrativeGenderCode code="2" codeSystem="2.16.156.10011.2.3.3.4" displayName="女性"/>
   <birthTime value="19560304"/>
   <maritalStatusCode code="20" codeSystem="2.16.156.10011.2.3.3.5" displayName="已婚"/>
   <ethnicGroupCode code="01" codeSystem="2.16.156.10011.2.3.3.3" displayName="汉族"/></patient>
 </patientRole></recordTarget>
 <author><time value="20260301093000"/><assignedAuthor><id root="2.16.156.10011.1.7" extension="D7"/><assignedPerson><name>王志远</name></assignedPerson></assignedAuthor></author>
 <custodian><assignedCustodian><representedCustodianOrganization><id root="2.16.156.10011.1.5" extension="H9"/><name>云溪县医院</name></representedCustodianOrganization></assignedCustodian></custodian>
 {more}
 <component><structuredBody>{sections}</structuredBody></component>
</ClinicalDocument>"""


def document(*sections: str, code: str = "C0002", id_: str = "D1", version: int = 1, numbers: str = "", person: str = ID, more: str = "") -> bytes:
    """A national document; without numbers the outpatient number is M1."""
    numbers = numbers or '<id root="2.16.156.10011.1.11" extension="M1"/>'
    return HEADER.format(
        id=f"{id_}.{version}", set=id_, code=code, version=version, numbers=numbers, person=person, sections="".join(sections), more=more
    ).encode()


def section(code: str, *entries: str, text: str = "") -> str:
    inside = "".join(f"<entry>{one}</entry>" for one in entries)
    return f'<component><section><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><text>{text}</text>{inside}</section></component>'


def stated(element: str, value: str, more: str = "") -> str:
    return f'<observation classCode="OBS" moodCode="EVN"><code code="{element}" {ELEMENTS}/>{more}{value}</observation>'


def pq(value: str, unit: str) -> str:
    return f'<value xsi:type="PQ" value="{value}" unit="{unit}"/>'


def cd(code: str, display: str, system: str = "2.16.156.10011.2.3.3.11") -> str:
    return f'<value xsi:type="CD" code="{code}" displayName="{display}" codeSystem="{system}"/>'


SIGNS = section("8716-3", stated("DE04.10.186.00", pq("36.8", "℃")), '<organizer classCode="BATTERY" moodCode="EVN"><statusCode/><component>'
                + stated("DE04.10.174.00", pq("152", "mmHg")) + "</component><component>" + stated("DE04.10.176.00", pq("96", "mmHg")) + "</component></organizer>")
DIAGNOSES = section("29548-5", stated("DE05.01.025.00", '<value xsi:type="ST">原发性高血压</value>'), stated("DE05.01.024.00", cd("I10.x00", "原发性高血压")))


class House:
    def __init__(self, services: Services) -> None:
        joining.forget()
        self.services = services
        self.handle: Handle = services.gate.system("test")
        self.intake = Intake(services.database, services.gate, services.keys)

    async def send(self, body: bytes) -> Outcome:
        return await self.intake.take_file(body, "folder", "cda", "CDA")

    async def one(self, type_: str, **query: str) -> dict[str, Any]:
        found = await self.all(type_, **query)
        assert len(found) == 1, [one["id"] for one in found]
        return found[0]

    async def all(self, type_: str, **query: str) -> list[dict[str, Any]]:
        return (await self.handle.search(type_, list(query.items()))).resources


@pytest.fixture
async def house(services: Services) -> AsyncGenerator[House]:
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, resource, span, history, change, commit_once, identity, candidate")
    yield House(services)
    joining.forget()


def samples() -> list[Path]:
    return sorted(DATA.glob("*.ccda")) if DATA.exists() else []


@pytest.mark.skipif(not samples(), reason="the outside C-CDA samples are not beside this checkout")
async def test_real_american_documents_are_stored_and_one_with_an_impossible_date_is_refused_by_its_place(house: House):
    found: dict[str, Outcome] = {}
    for path in samples():
        # All samples of one guide name the same document; each is sent as one of its own.
        name = f'extension="{path.stem}"'.encode()
        body = path.read_bytes().replace(b'extension="sTT988"', name).replace(b'extension="TT988"', name)
        found[path.stem] = await house.send(body)
    refused = {name: one.reason for name, one in found.items() if one.state != "stored"}
    assert len(refused) == 1, refused
    [(name, reason)] = refused.items()
    assert name == "Transfer_Summary"
    assert reason is not None
    assert (reason.key, reason.place) == (
        "exchange.bad-time",
        "/ClinicalDocument/component/structuredBody/component[2]/section/entry/organizer/component/observation/participant[1]/time/@value",
    )
    mended = (DATA / "Transfer_Summary.ccda").read_bytes().replace(b'"20013103"', b'"20130331"').replace(b'"200130', b'"20130').replace(b'"201102019"', b'"20110219"').replace(b'low value="421927004"', b'low value="20130311"')
    outcome = await house.send(mended)
    assert outcome.state == "stored", outcome.reason
    types = Counter(one["resourceType"] for one in await house.handle.everything(str(outcome.patient)))
    assert types.keys() >= {
        "Consent", "Coverage", "Device", "DeviceUseStatement", "AllergyIntolerance", "Condition", "Encounter", "FamilyMemberHistory", "Goal", "Immunization", "MedicationStatement",
        "Observation", "Procedure", "ServiceRequest", "Composition", "DocumentReference", "DiagnosticReport",
    }


async def test_an_outpatient_record_becomes_a_visit_with_signs_and_one_diagnosis(house: House):
    outcome = await house.send(document(SIGNS, DIAGNOSES))
    assert outcome.state == "stored", outcome.reason
    patient = await house.one("Patient", identifier=ID)
    assert (patient["name"][0]["family"], patient["gender"], patient["birthDate"]) == ("周", "female", "1956-03-04")
    assert patient["address"][0]["text"] == "云岭省云州市云溪县柳河镇上河村12号"
    visit = await house.one("Encounter", patient=patient["id"])
    assert (visit["status"], visit["class"]["code"]) == ("finished", "AMB")
    diagnosis = await house.one("Condition", patient=patient["id"])
    assert diagnosis["code"]["coding"][0] == {"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10.x00", "display": "原发性高血压"}
    assert diagnosis["encounter"]["reference"] == f"Encounter/{visit['id']}"
    pressure = await house.one("Observation", code="http://loinc.org|8480-6")
    assert (str(pressure["valueQuantity"]["value"]), pressure["valueQuantity"]["code"]) == ("152", "mm[Hg]")
    assert pressure["code"]["coding"][0]["code"] == "DE04.10.174.00"
    assert pressure["encounter"]["reference"] == f"Encounter/{visit['id']}"
    whole = await house.one("Composition", patient=patient["id"])
    assert whole["type"]["coding"][0] == {"system": "urn:oid:2.16.156.10011.2.4", "code": "C0002", "display": "门急诊病历"}
    assert {"reference": f"Observation/{pressure['id']}"} in whole["section"][0]["entry"]
    trace = await house.one("Provenance", target=f"Composition/{whole['id']}")
    assert trace["entity"][0]["what"]["identifier"]["value"] == str(outcome.message_id)


async def test_the_original_is_kept_to_the_letter(house: House):
    body = document(SIGNS)
    await house.send(body)
    entry = await house.one("DocumentReference")
    attachment = entry["content"][0]["attachment"]
    binary = await house.handle.read("Binary", attachment["url"].partition("/")[2])
    assert binary is not None
    assert base64.b64decode(binary["data"]) == body
    assert attachment["size"] == len(body)


async def test_a_document_comes_twice_and_is_stored_once(house: House):
    body = document(SIGNS)
    assert (await house.send(body)).state == "stored"
    assert (await house.send(body)).state == "duplicate"
    assert len(await house.all("Observation")) == 3
    other = body.replace("12号".encode(), "13号".encode())
    refused = await house.send(other)
    assert refused.reason is not None
    assert (refused.state, refused.reason.key, refused.reason.place) == ("quarantined", "exchange.document-id-reused", "/ClinicalDocument/id")


async def test_a_new_version_replaces_what_the_old_one_said(house: House):
    await house.send(document(SIGNS, DIAGNOSES))
    mended = SIGNS.replace('value="152"', 'value="142"').replace(stated("DE04.10.186.00", pq("36.8", "℃")), "")
    outcome = await house.send(document(mended, DIAGNOSES, version=2))
    assert outcome.state == "stored", outcome.reason
    [pressure] = await house.all("Observation", code="8480-6", status="final")
    assert str(pressure["valueQuantity"]["value"]) == "142"
    assert len(await house.handle.history("Observation", pressure["id"])) == 2
    [temperature] = await house.all("Observation", code="8310-5")
    assert temperature["status"] == "entered-in-error"
    entries = {one["status"]: one for one in await house.all("DocumentReference")}
    assert entries.keys() == {"current", "superseded"}
    assert entries["current"]["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{entries['superseded']['id']}"
    assert len(await house.all("Composition")) == 1


async def test_an_old_version_that_comes_late_changes_nothing(house: House):
    await house.send(document(SIGNS, version=2))
    outcome = await house.send(document(SIGNS.replace('value="152"', 'value="199"'), version=1))
    assert outcome.state == "stored", outcome.reason
    pressure = await house.one("Observation", code="8480-6")
    assert str(pressure["valueQuantity"]["value"]) == "152"
    assert sorted(one["status"] for one in await house.all("DocumentReference")) == ["current", "superseded"]


async def test_a_document_that_replaces_another_by_name_supersedes_it(house: House):
    await house.send(document(SIGNS, id_="A"))
    related = '<relatedDocument typeCode="RPLC"><parentDocument><id root="2.16.156.10011.1.1" extension="A.1"/></parentDocument></relatedDocument>'
    await house.send(document(SIGNS, id_="B", more=related))
    assert sorted(one["status"] for one in await house.all("DocumentReference")) == ["current", "superseded"]


async def test_narrative_without_codes_is_kept_readable_and_harmless(house: House):
    words = '<paragraph>头晕 &lt;3天&gt;</paragraph><list><item>口服<content styleCode="Bold">降压药</content></item></list><renderMultiMedia referencedObject="x"/>'
    await house.send(document(section("10164-2", text=words)))
    whole = await house.one("Composition")
    assert whole["section"][0]["text"]["div"] == (
        '<div xmlns="http://www.w3.org/1999/xhtml"><p>头晕 &lt;3天&gt;</p><ul><li>口服<span>降压药</span></li></ul></div>'
    )


async def test_vaccinations_of_two_documents_are_one(house: House):
    vaccine = (
        '<substanceAdministration classCode="SBADM" moodCode="EVN"><effectiveTime value="20260110"/><repeatNumber value="2"/><consumable><manufacturedProduct>'
        '<manufacturedMaterial><code code="03" displayName="脊髓灰质炎疫苗" codeSystem="2.16.156.10011.2.3.1.210"/><lotNumberText>L77</lotNumberText></manufacturedMaterial>'
        "<manufacturerOrganization><name>某厂</name></manufacturerOrganization></manufacturedProduct></consumable></substanceAdministration>"
    )
    await house.send(document(section("11369-6", vaccine), code="HSDB03.01"))
    await house.send(document(section("11369-6", vaccine), code="HSDC00.01", id_="D2"))
    given = await house.one("Immunization")
    assert (given["lotNumber"], given["occurrenceDateTime"], given["protocolApplied"][0]["doseNumberPositiveInt"]) == ("L77", "2026-01-10", 2)


@pytest.mark.parametrize(("change", "key", "place"), [
    ((b'extension="990121195603040423"', b'extension="990121195603040424"'), "exchange.bad-id-number", "/ClinicalDocument/recordTarget/patientRole/patient/id/@extension"),
    ((b'birthTime value="19560304"', b'birthTime value="19560231"'), "exchange.bad-date", "/ClinicalDocument/recordTarget/patientRole/patient/birthTime/@value"),
    ((b'value="152"', b'value="1s2"'), "exchange.bad-number", "/ClinicalDocument/component/structuredBody/component/section/entry[2]/organizer/component[1]/observation/value/@value"),
    ((b'GenderCode code="2"', b'GenderCode code="77"'), "exchange.bad-code", ""),
    ((b'<id root="2.16.156.10011.1.1" extension="D1.1"/>', b""), "exchange.missing-element", "/ClinicalDocument/id"),
])  # fmt: skip
def test_a_fault_is_told_with_its_place(change: tuple[bytes, bytes], key: str, place: str):
    body = document(SIGNS).replace("女性".encode(), b"") if key == "exchange.bad-code" else document(SIGNS)
    with pytest.raises(Fault) as caught:
        translate(body.replace(*change), "X", NOW)
    assert caught.value.key == key
    assert not place or caught.value.place == place


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(("body", "key"), [
    (LAUGHS + b"<ClinicalDocument>&c;</ClinicalDocument>", "exchange.xml-doctype"),
    (b"<!-- x --><?y?>\n" + OUTSIDE + b"<ClinicalDocument>&a;</ClinicalDocument>", "exchange.xml-doctype"),
    ((OUTSIDE + b"<ClinicalDocument>&a;</ClinicalDocument>").decode().encode("utf-16"), "exchange.xml-doctype"),
    (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><ClinicalDocument/>', "exchange.xml-doctype"),
    (b"<ClinicalDocument>&a;</ClinicalDocument>", "exchange.not-xml"),
    (b"<ClinicalDocument>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</ClinicalDocument>", None),
    (b"<ClinicalDocument>" + b"<a/>" * 300_001 + b"</ClinicalDocument>", "exchange.xml-too-much"),
    (b"<html/>", "exchange.not-cda"),
    (b"", "exchange.not-xml"),
    (b"MSH|^~\\&|", "exchange.not-xml"),
    (b'<?xml version="1.0" encoding="klingon"?><ClinicalDocument/>', "exchange.xml-charset"),
    (b'<?xml version="1.0" encoding="utf-8"?><ClinicalDocument>\xb0\xa1</ClinicalDocument>', "exchange.xml-bytes"),
])  # fmt: skip
def test_attacks_and_garbage_are_refused_with_the_true_reason(body: bytes, key: str | None):
    with pytest.raises(Fault) as caught:
        translate(body, "X", NOW)
    assert caught.value.unreadable
    assert key is None or caught.value.key == key


def test_chinese_encodings_are_read():
    body = document(SIGNS).decode().replace('encoding="UTF-8"', 'encoding="GB2312"')
    assert translate(body.encode("gb18030"), "X", NOW).patients[0]["name"][0]["text"] == "周秀兰"
    assert translate(body.replace("GB2312", "UTF-16").encode("utf-16"), "X", NOW).patients[0]["name"][0]["text"] == "周秀兰"


async def test_documents_over_http(api: httpx.AsyncClient):
    body = document(SIGNS, id_="HTTP")
    first = await api.post("/exchange/cda", content=body, headers={"content-type": "text/xml"})
    assert (first.status_code, first.json()["resourceType"]) == (201, "OperationOutcome")
    again = await api.post("/exchange/cda", content=body, headers={"content-type": "text/xml"})
    assert again.status_code == 200
    wrong = await api.post("/exchange/cda", content=body.replace(b'birthTime value="19560304', b'birthTime value="19569904'), headers={"accept-language": "en"})
    issue = wrong.json()["issue"][0]
    assert (wrong.status_code, issue["diagnostics"]) == (422, "Not a valid date.")
    assert issue["expression"] == ["/ClinicalDocument/recordTarget/patientRole/patient/birthTime/@value"]
    attack = await api.post("/exchange/cda", content=LAUGHS + b"<ClinicalDocument/>", headers={"content-type": "text/xml"})
    assert (attack.status_code, attack.json()["issue"][0]["details"]["coding"][0]["code"]) == (400, "exchange.xml-doctype")
    assert (await api.post("/exchange/cda", content=body, headers={"content-type": "image/png"})).status_code == 415


async def test_an_operation_tells_its_code_its_name_and_what_was_done_beside(house: House):
    def inside(one: str) -> str:
        return f'<entryRelationship typeCode="COMP">{one}</entryRelationship>'

    parts = [stated("DE06.00.094.00", '<value xsi:type="ST">阑尾切除术</value>'), stated("DE06.00.097.00", pq("50", "ml"))]
    operation = (
        '<procedure classCode="PROC" moodCode="EVN"><code code="47.01" codeSystem="2.16.156.10011.2.3.3.12"/><effectiveTime><low value="20260301100000"/>'
        f'<high value="20260301113000"/></effectiveTime>{"".join(map(inside, parts))}</procedure>'
    )
    outcome = await house.send(document(section("47519-4", operation), code="C0009", numbers='<id root="2.16.156.10011.1.12" extension="IP1"/>'))
    assert outcome.state == "stored", outcome.reason
    done = await house.one("Procedure")
    assert done["code"]["text"] == "阑尾切除术"
    assert done["performedPeriod"] == {"start": "2026-03-01T10:00:00+08:00", "end": "2026-03-01T11:30:00+08:00"}
    lost = await house.one("Observation")
    assert (lost["code"]["coding"][0]["code"], str(lost["valueQuantity"]["value"])) == ("DE06.00.097.00", "50")
    visit = await house.one("Encounter", identifier="IP1")
    assert visit["class"]["code"] == "IMP"


async def test_sections_without_a_body_around_them_are_read(house: House):
    body = document(SIGNS).replace(b"<component><structuredBody>", b"").replace(b"</structuredBody></component>", b"")
    assert (await house.send(body)).state == "stored"
    assert len(await house.all("Observation")) == 3


async def test_what_was_refused_waits_in_quarantine(house: House):
    await house.send(document(SIGNS, person="990121195603040424"))
    async with house.services.database.connection() as connection:
        [kept] = await queries.latest(connection, limit=1)
    assert (kept.state, kept.form) == ("quarantined", "cda")
    assert await house.all("Patient") == []


FOLLOW_UP = (
    section("随访", stated("DE06.00.108.00", cd("1", "门诊", "2.16.156.10011.2.3.1.183")), stated("DE06.00.109.00", '<value xsi:type="TS" value="20260601"/>'))
    + SIGNS
    + section("8716-3", stated("DE04.10.188.00", pq("61.5", "kg")), stated("DE04.10.206.00", pq("78", "次/min")))
    + section("生活方式", stated("DE03.00.053.00", pq("0", "支")), stated("DE03.00.054.00", pq("1", "两")))
    + section("10160-0", stated("DE06.00.027.00", cd("1", "规律", "2.16.156.10011.2.3.2.12")), stated("DE06.00.130.00", '<value xsi:type="BL" value="false"/>'))
    + section("51848-0", stated("DE05.10.066.00", cd("1", "控制满意", "2.16.156.10011.2.3.1.141")))
)


async def test_a_follow_up_that_was_taken_in_is_given_out_again(house: House, api: httpx.AsyncClient):
    outcome = await house.send(document(FOLLOW_UP, code="HSDB04.01", numbers='<id root="2.16.156.10011.1.13" extension="R1"/>'))
    assert outcome.state == "stored", outcome.reason
    patient = await house.one("Patient", identifier=ID)
    answer = await api.get("/exchange/cda/HSDB04.01", params={"patient": patient["id"]})
    assert (answer.status_code, answer.headers.get("x-missing")) == (200, None), answer.text
    again = translate(answer.content, "X", NOW)
    mine = {draft.resource["code"]["coding"][0]["code"] for draft in again.drafts if draft.type == "Observation"}
    held = {one["code"]["coding"][0]["code"] for one in await house.all("Observation")}
    assert mine == held - {"DE04.10.186.00"}
    assert again.sender.key == "H9"
    checked = await api.get("/exchange/cda/HSDB04.01", params={"patient": patient["id"], "check": "true"})
    assert checked.json()["issue"][0]["severity"] == "information"


async def test_what_a_document_requires_and_the_record_lacks_is_told(house: House, api: httpx.AsyncClient):
    await house.send(document(SIGNS, code="HSDB04.01"))
    patient = await house.one("Patient", identifier=ID)
    answer = await api.get("/exchange/cda/HSDB04.01", params={"patient": patient["id"]})
    assert answer.headers["x-missing"].startswith("DE06.00.108.00,DE04.10.188.00")
    checked = await api.get("/exchange/cda/HSDB04.01", params={"patient": patient["id"], "check": "true"})
    assert checked.json()["issue"][0]["expression"] == ["随访/DE06.00.108.00"]
    for code, who in (("HSDB04.01", "nobody"), ("HSDX", patient["id"]), ("HSDB04.02", patient["id"])):
        assert (await api.get(f"/exchange/cda/{code}", params={"patient": who})).status_code == 404
