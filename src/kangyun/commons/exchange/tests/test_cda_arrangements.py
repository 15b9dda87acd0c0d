"""Policies, directives, supplies and devices of C-CDA become resources, whichever way the document comes."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.commons.access import Handle
from kangyun.commons.exchange.tests.test_cda import document, section
from kangyun.commons.exchange.tests.test_whole_day import ask, hospital

ROOT = "2.16.840.1.113883.10.20.22.4"
COVERAGE = section("48768-6", f"""
<act classCode="ACT" moodCode="EVN"><templateId root="{ROOT}.60"/><id root="1.2.9" extension="C1"/><code code="48768-6" codeSystem="2.16.840.1.113883.6.1"/>
 <entryRelationship typeCode="COMP"><sequenceNumber value="1"/><act classCode="ACT" moodCode="EVN"><templateId root="{ROOT}.61"/>
  <id root="1.2.9.1" extension="GROUP-7"/><code code="12" codeSystem="2.16.840.1.113883.6.255.1336" displayName="PPO"/>
  <performer typeCode="PRF"><assignedEntity><id root="1.2.9.2"/><code code="GUAR" codeSystem="2.16.840.1.113883.5.110"/><representedOrganization><name>担保人公司</name></representedOrganization></assignedEntity></performer>
  <performer typeCode="PRF"><templateId root="{ROOT}.87"/><assignedEntity><id root="1.2.9.3"/><code code="PAYOR" codeSystem="2.16.840.1.113883.5.110"/><representedOrganization><name>云州市医保局</name></representedOrganization></assignedEntity></performer>
  <participant typeCode="COV"><time><low value="20260101"/><high value="20261231"/></time><participantRole classCode="PAT"><id root="1.2.9.4" extension="YB0001"/><code code="SELF" codeSystem="2.16.840.1.113883.5.111"/></participantRole></participant>
  <participant typeCode="HLD"><participantRole><id root="1.2.9.4" extension="YB0001"/><playingEntity><name><family>周</family><given>秀兰</given></name></playingEntity></participantRole></participant>
  <entryRelationship typeCode="REFR"><act classCode="ACT" moodCode="DEF"><code nullFlavor="NA"/><text>城乡居民基本医疗保险</text></act></entryRelationship>
 </act></entryRelationship></act>""")
DIRECTIVE = section("42348-3", f"""
<observation classCode="OBS" moodCode="EVN"><templateId root="{ROOT}.48"/><id root="1.2.9.5" extension="AD1"/><code code="75278-2" codeSystem="2.16.840.1.113883.6.1" displayName="Resuscitation status"/>
 <statusCode code="completed"/><effectiveTime><low value="20250219"/><high nullFlavor="NA"/></effectiveTime>
 <value xsi:type="CD" code="304253006" codeSystem="2.16.840.1.113883.6.96" displayName="Do not resuscitate"/>
 <participant typeCode="VRF"><time value="20250220"/><participantRole/></participant>
 <participant typeCode="CST"><participantRole classCode="AGNT"><playingEntity><name>吴国强</name></playingEntity></participantRole></participant>
 <reference typeCode="REFR"><externalDocument><id root="1.2.9.6"/><text mediaType="application/pdf"><reference value="directive.pdf"/></text></externalDocument></reference></observation>""")
SUPPLY = f"""
<supply classCode="SPLY" moodCode="{{mood}}"><templateId root="{ROOT}.50"/><id root="1.2.9.7" extension="{{number}}"/><statusCode code="completed"/>
 <effectiveTime xsi:type="IVL_TS"><low value="20260210"/></effectiveTime><quantity value="2"/>
 <participant typeCode="PRD"><participantRole classCode="MANU"><templateId root="{ROOT}.37"/><id root="2.16.840.1.113883.3.3719" extension="(01)06901234567892(21)S9"/>
  <playingDevice><code code="{{code}}" codeSystem="2.16.840.1.113883.6.96" displayName="{{name}}"/><manufacturerModelName>M3</manufacturerModelName></playingDevice>
  <scopingEntity><id root="1.2.9.8"/><desc>云州器械</desc></scopingEntity></participantRole></participant></supply>"""
EQUIPMENT = section(
    "46264-8", SUPPLY.format(mood="EVN", number="S1", code="14106009", name="心脏起搏器"), SUPPLY.format(mood="INT", number="S2", code="58938008", name="轮椅"),
    f'<procedure classCode="PROC" moodCode="EVN"><templateId root="{ROOT}.14"/><id root="1.2.9.9" extension="P1"/><code code="307280005" codeSystem="2.16.840.1.113883.6.96" displayName="起搏器植入"/>'
    '<effectiveTime value="20260210"/><participant typeCode="DEV"><participantRole classCode="MANU"><id root="2.16.840.1.113883.3.3719" extension="(01)06901234567892(21)S9"/>'
    '<playingDevice><code code="14106009" codeSystem="2.16.840.1.113883.6.96" displayName="心脏起搏器"/></playingDevice></participantRole></participant></procedure>',
)
BODY = document(COVERAGE, DIRECTIVE, EQUIPMENT)
PID = "PID|1||M1^^^H&1.2.3&ISO^MR~990121195603040423^^^MOPS^NNCHN||周秀兰||19560304|2"
TXA = "TXA|1|DS^出院小结||||20260305090000+0800||||||D2|||||AU"


async def all_of(handle: Handle, type_: str) -> list[dict[str, Any]]:
    return (await handle.search(type_, [("_count", "50")])).resources


async def one_of(handle: Handle, type_: str) -> dict[str, Any]:
    found = await all_of(handle, type_)
    assert len(found) == 1, found
    return found[0]


def mdm(content: str) -> str:
    header = "MSH|^~\\&|HIS|AR1|KANGYUN|YUNZHOU|20260305093000+0800||MDM^T02^MDM_T02|1|P|2.5.1||||||UNICODE UTF-8"
    return "\r".join([header, "EVN|T02|20260305093000+0800", PID, TXA, f"OBX|1|ED|34133-9^出院小结^LN||^TEXT^XML^{content}||||||F"])


def plain() -> str:
    """The document as it stands, with the signs of HL7 v2 escaped."""
    text = BODY.decode().replace("\n", " ").replace("\\", "\\E\\")
    for sign, name in (("|", "F"), ("^", "S"), ("&", "T"), ("~", "R")):
        text = text.replace(sign, f"\\{name}\\")
    return "A^" + text


async def boxes(services: Services) -> int:
    """How much consents close and open."""
    async with services.database.connection() as connection:
        return await connection.fetchval("SELECT (SELECT count(*) FROM access_denial) + (SELECT count(*) FROM access_opening)")


async def test_a_policy_says_who_pays_for_whom_under_which_number(api: httpx.AsyncClient, services: Services):
    async with hospital(services):
        answer = await api.post("/exchange/cda", content=document(COVERAGE), headers={"Content-Type": "application/xml"})
    assert answer.status_code in {200, 201}, answer.text
    found = await one_of(services.gate.system("test"), "Coverage")
    assert (found["payor"], found["subscriberId"], found["order"]) == ([{"display": "云州市医保局"}], "YB0001", 1)
    assert found["type"]["coding"][0]["display"] == "PPO"
    assert found["relationship"]["coding"][0]["code"] == "self"
    assert found["period"] == {"start": "2026-01-01", "end": "2026-12-31"}
    assert [one["value"] for one in found["class"]] == ["GROUP-7", "城乡居民基本医疗保险"]
    assert found["policyHolder"]["display"] == "周秀兰"


async def test_a_directive_is_a_consent_that_neither_opens_nor_closes_the_record(api: httpx.AsyncClient, services: Services):
    before = await boxes(services)
    async with hospital(services):
        await api.post("/exchange/cda", content=document(DIRECTIVE), headers={"Content-Type": "application/xml"})
    found = await one_of(services.gate.system("test"), "Consent")
    assert found["scope"]["coding"][0]["code"] == "adr"
    assert found["provision"]["code"][0]["coding"][0]["code"] == "304253006"
    assert (found["status"], found["dateTime"], found["sourceAttachment"]) == ("active", "2025-02-19", {"contentType": "application/pdf", "title": "directive.pdf"})
    assert found["provision"]["actor"][0]["reference"]["display"] == "吴国强"
    assert found["verification"][0]["verificationDate"] == "2025-02-20"
    assert await boxes(services) == before


async def test_a_device_is_one_whether_it_was_given_or_put_in(api: httpx.AsyncClient, services: Services):
    async with hospital(services):
        answer = await api.post("/exchange/cda", content=document(EQUIPMENT), headers={"Content-Type": "application/xml"})
    handle = services.gate.system("test")
    assert answer.status_code in {200, 201}, answer.text
    device = await one_of(handle, "Device")
    assert (device["type"]["text"], device["manufacturer"], device["modelNumber"]) == ("心脏起搏器", "云州器械", "M3")
    assert device["udiCarrier"][0]["carrierHRF"] == "(01)06901234567892(21)S9"
    use = await one_of(handle, "DeviceUseStatement")
    assert (use["device"]["reference"], use["status"], use["timingPeriod"]) == (f"Device/{device['id']}", "active", {"start": "2026-02-10"})
    assert (await one_of(handle, "DeviceRequest"))["codeCodeableConcept"]["text"] == "轮椅"
    assert (await one_of(handle, "Procedure"))["focalDevice"] == [{"manipulated": {"reference": f"Device/{device['id']}"}}]


@pytest.mark.parametrize("content", ["Base64^" + base64.b64encode(BODY).decode(), plain()], ids=["base64", "as it stands"])
async def test_inside_of_a_message_it_says_the_same_as_by_itself(api: httpx.AsyncClient, services: Services, content: str):
    handle = services.gate.system("test")
    async with hospital(services):
        await api.post("/exchange/cda", content=BODY, headers={"Content-Type": "application/xml"})
    alone = await stated(handle)
    assert alone["Coverage"] == alone["Consent"] == alone["Device"] == 1
    async with hospital(services) as (reader, writer):
        answer = await ask(reader, writer, mdm(content))
        assert "MSA|AA|" in answer, answer
    assert await stated(handle) == alone
    documents = await all_of(handle, "DocumentReference")
    assert len(documents) == 2, "the message's own, and that of the document in it"


async def stated(handle: Handle) -> Counter[str]:
    types = ("Coverage", "Consent", "Device", "DeviceUseStatement", "DeviceRequest", "Procedure", "Composition", "Binary")
    found: Counter[str] = Counter()
    for type_ in types:
        found[type_] = len(await all_of(handle, type_))
    return found
