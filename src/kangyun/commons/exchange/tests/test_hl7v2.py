from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from kangyun.base import clock, rules
from kangyun.base.database import Database
from kangyun.commons.access import Gate, Handle
from kangyun.commons.exchange.actions import joining
from kangyun.commons.exchange.actions.processing import process
from kangyun.commons.exchange.decisions.translate import supported
from kangyun.commons.exchange.model import Outcome, RawMessage
from kangyun.commons.records import Store

PACKAGE = "kangyun.commons.exchange"
SAMPLES = Path(__file__).resolve().parents[6] / "shared" / "data" / "hl7v2"
MSH = "MSH|^~\\&|HIS|H1|KANGYUN|YUNZHOU|20260301080000+0800||{}|{}|P|2.5"
PID = "PID|1||7^^^H&1.2.3&ISO^MR||周秀兰||19560304|2"
# An embedded file without content is refused with its true reason.
EMPTY_FILES = {"MDM-T02-01.hl7", "OUL-R22-02.hl7"}

_keys = itertools.count(1)


class Hospital:
    """Messages straight into processing, without connection and without keeping."""

    def __init__(self, database: Database) -> None:
        joining.forget()
        self.gate = Gate(Store(database))
        self.handle: Handle = self.gate.system("test")
        self.number = 1000
        # The same patient number in another test is another sender's.
        self.key = next(_keys)

    async def send(self, kind: str, *segments: str) -> Outcome:
        self.number += 1
        return await self.send_bytes("\r".join([MSH.format(kind, self.number), *segments]).encode())

    async def send_bytes(self, body: bytes) -> Outcome:
        self.number += 1
        raw = RawMessage(self.number, "H1", self.key, str(self.number), "", "hl7v2", body, clock.now(), "received", 1)
        return await process(self.gate, raw)

    async def one(self, type_: str, **query: str) -> dict[str, Any]:
        found = await self.all(type_, **query)
        assert len(found) == 1, found
        return found[0]

    async def all(self, type_: str, **query: str) -> list[dict[str, Any]]:
        return (await self.handle.search(type_, list(query.items()))).resources


@pytest.fixture
async def hospital(database: Database) -> AsyncGenerator[Hospital]:
    async with database.connection() as connection:
        await connection.execute("TRUNCATE resource, span, history, change, commit_once, identity, candidate")
    yield Hospital(database)
    joining.forget()


MESSAGES = {
    f"{name}#{number}": example.given
    for name in sorted(set(supported().values()))
    for number, example in enumerate(rules.load(PACKAGE, name).examples)
}


@pytest.mark.parametrize("name", MESSAGES)
async def test_what_the_examples_become_is_accepted_by_the_record(hospital: Hospital, name: str):
    kind, *segments = MESSAGES[name]
    outcome = await hospital.send(kind, *segments)
    assert (outcome.state, outcome.reason) == ("stored", None)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.hl7")))
async def test_messages_of_others_are_accepted_by_the_record(hospital: Hospital, name: str):
    body = (SAMPLES / name).read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    outcome = await hospital.send_bytes(body)
    if name in EMPTY_FILES:
        assert outcome.reason
        assert (outcome.reason.key, outcome.reason.place) == ("exchange.missing-field", "OBX-5.5")
        return
    assert (outcome.state, outcome.reason) == ("stored", None)


async def test_an_order_is_cancelled_by_its_number_alone_and_keeps_what_was_ordered(hospital: Hospital):
    await hospital.send("ORM^O01", PID, "ORC|NW|P1", "OBR|1|P1||24323-8^生化全套^LN|S|20260302080000+0800", "NTE|1||空腹")
    await hospital.send("ORM^O01", PID, "ORC|CA|P1")
    order = await hospital.one("ServiceRequest", identifier="P1")
    assert (order["status"], order["code"]["text"], order["note"]) == ("revoked", "生化全套", [{"text": "空腹"}])


async def test_an_appointment_is_moved_cancelled_and_missed(hospital: Hospital):
    sch = "SCH|A1|F1||||||NORMAL|30|min|^^30^{}"
    await hospital.send("SIU^S12", sch.format("20260305090000+0800"), PID, "AIP|1|A|F1^王志远")
    first = await hospital.one("Appointment", identifier="A1")
    assert (first["status"], first["start"], first["end"]) == ("booked", "2026-03-05T09:00:00+08:00", "2026-03-05T09:30:00+08:00")
    await hospital.send("SIU^S13", sch.format("20260306090000+0800"), PID, "AIP|1|A|F1^王志远")
    assert (await hospital.one("Appointment", identifier="A1"))["start"] == "2026-03-06T09:00:00+08:00"
    await hospital.send("SIU^S15", sch.format("20260306090000+0800"), PID)
    assert (await hospital.one("Appointment", identifier="A1"))["status"] == "cancelled"


async def test_what_the_record_refuses_is_told_by_the_field_that_said_it(hospital: Hospital):
    outcome = await hospital.send("SIU^S12", "SCH|A1|F1||||||NORMAL|0|min|^^30^20260305090000+0800^20260305093000+0800", PID, "AIP|1|A|F1^王志远")
    assert outcome.reason
    assert (outcome.state, outcome.reason.key, outcome.reason.place) == ("quarantined", "exchange.refused-by-record", "SCH-9")
    assert "Appointment.minutesDuration" in outcome.reason.params["text_en"]


async def test_a_master_file_that_each_site_defines_is_kept_and_refused_with_its_reason(hospital: Hospital):
    outcome = await hospital.send("MFN^M14^MFN_Znn", "MFI|ZZ^院内^L||UPD|||NE", "MFE|MAD|||1", "ZZZ|1")
    assert outcome.reason
    assert (outcome.acknowledgement, outcome.reason.key, outcome.reason.place) == ("AR", "exchange.event-of-the-site", "MSH-9.2")


async def test_a_document_is_replaced_and_a_notice_without_text_takes_nothing_away(hospital: Hospital):
    txa = "TXA|1|DS^出院小结||||20260305090000+0800||||||{}|{}||||AU"
    text = "OBX|{}|TX|18842-5^出院小结^LN||{}||||||F"
    await hospital.send("MDM^T02", PID, txa.format("D1", ""), text.format(1, "病情好转"), text.format(2, "出院"))
    await hospital.send("MDM^T03", PID, txa.format("D1", ""))
    first = await hospital.one("DocumentReference", identifier="D1")
    assert first["content"][0]["attachment"]["contentType"] == "text/plain; charset=utf-8"
    await hospital.send("MDM^T10", PID, txa.format("D2", "D1"), text.format(1, "病情稳定"))
    assert (await hospital.one("DocumentReference", identifier="D1"))["status"] == "superseded"
    second = await hospital.one("DocumentReference", identifier="D2")
    assert second["relatesTo"] == [{"code": "replaces", "target": {"reference": f"DocumentReference/{first['id']}"}}]


async def test_susceptibilities_hang_on_the_organism_they_were_measured_on(hospital: Hospital):
    _, *segments = MESSAGES["hl7v2/oru_r01.yaml#1"]
    await hospital.send("ORU^R01", *segments)
    organism = await hospital.one("Observation", code="600-7")
    resistance = await hospital.one("Observation", code="18864-9")
    assert resistance["derivedFrom"] == [{"reference": f"Observation/{organism['id']}"}]
    assert organism["hasMember"] == [{"reference": f"Observation/{resistance['id']}"}]


async def test_staff_of_a_master_file_are_the_people_that_visits_name(hospital: Hospital):
    await hospital.send("ADT^A01", "EVN|A01|20260301080000+0800", PID, "PV1|1|I|W3^305^2||||F1^王^志远||||||||||||V1")
    await hospital.send("MFN^M02", "MFI|PRA^人员^HL70175||UPD|||NE", "MFE|MAD|||F1", "STF|F1||王志远||M", "PRA|F1||DOC^医师||心内科")
    person = await hospital.one("Practitioner", identifier="F1")
    assert (person["gender"], person["active"]) == ("male", True)
    role = await hospital.one("PractitionerRole", practitioner=f"Practitioner/{person['id']}")
    assert role["specialty"][0]["text"] == "心内科"
    await hospital.send("MFN^M02", "MFI|PRA^人员^HL70175||UPD|||NE", "MFE|MDC|||F1", "STF|F1||王志远||M")
    assert (await hospital.one("Practitioner", identifier="F1"))["active"] is False


async def test_a_visit_that_was_renumbered_is_found_under_both_numbers(hospital: Hospital):
    pv1 = "PV1|1|I|W3^305^2||||||||||||||||{}"
    await hospital.send("ADT^A01", "EVN|A01|20260301080000+0800", PID, pv1.format("V9"))
    await hospital.send("ADT^A50", "EVN|A50|20260302080000+0800", PID, "MRG|7^^^H&1.2.3&ISO^MR||||V9", pv1.format("V1"))
    kept = await hospital.one("Encounter", identifier="V1")
    found = await hospital.all("Encounter", identifier="V9")
    former = next(one for one in found if one["id"] != kept["id"])
    assert former["partOf"]["reference"] == f"Encounter/{kept['id']}"
    assert former["status"] == "in-progress"


async def persons_of(hospital: Hospital) -> list[set[str]]:
    """The local numbers under each Person that holds any."""
    numbers = {one["id"]: one["identifier"][0]["value"] for one in await hospital.all("Patient") if one.get("identifier")}
    links = [[link["target"]["reference"].split("/") for link in one.get("link", [])] for one in await hospital.all("Person")]
    found = [{numbers[id_] for type_, id_ in some if type_ == "Patient" and id_ in numbers} for some in links]
    return sorted((one for one in found if one), key=sorted)


async def test_two_people_are_linked_and_unlinked_and_said_so_twice(hospital: Hospital):
    other = PID.replace("|7^", "|8^").replace("周秀兰", "周秀蓝")
    for _ in range(2):
        assert (await hospital.send("ADT^A24", "EVN|A24|20260301080000+0800", PID, other)).state == "stored"
        assert await persons_of(hospital) == [{"7", "8"}]
    for _ in range(2):
        assert (await hospital.send("ADT^A37", "EVN|A37|20260302080000+0800", PID, other)).state == "stored"
        assert await persons_of(hospital) == [{"7"}, {"8"}]


async def test_a_merge_of_the_already_merged_changes_nothing_and_one_of_itself_is_refused(hospital: Hospital):
    other = PID.replace("|7^", "|9^")
    merge = ["EVN|A40|20260301080000+0800", PID, "MRG|9^^^H&1.2.3&ISO^MR"]
    await hospital.send("ADT^A28", "EVN|A28|20260301080000+0800", PID)
    await hospital.send("ADT^A28", "EVN|A28|20260301080000+0800", other)
    await hospital.send("ADT^A40", *merge)
    before = await hospital.all("Patient")
    assert (await hospital.send("ADT^A40", *merge)).state == "stored"
    assert (await hospital.send("ADT^A40", merge[0], other, "MRG|7^^^H&1.2.3&ISO^MR")).state == "stored"
    assert [one["meta"]["versionId"] for one in await hospital.all("Patient")] == [one["meta"]["versionId"] for one in before]
    itself = await hospital.send("ADT^A40", merge[0], PID, "MRG|7^^^H&1.2.3&ISO^MR")
    assert itself.reason
    assert (itself.state, itself.reason.key, itself.reason.place) == ("quarantined", "exchange.merge-itself", "MRG-1")


async def test_a_visit_under_the_wrong_patient_moves_with_all_that_belongs_to_it(hospital: Hospital):
    wrong, pv1 = PID.replace("|7^", "|9^").replace("周秀兰", "周秀莲"), "PV1|1|I|W3^305^2||||||||||||||||V1"
    await hospital.send("ADT^A01", "EVN|A01|20260301080000+0800", wrong, pv1)
    await hospital.send("ORU^R01", wrong, pv1, "OBR|1||R1|24323-8^生化全套^LN|||20260301083600+0800|||||||||||||||20260301104100+0800||LAB|F", "OBX|1|NM|14749-6^葡萄糖^LN||8.40|mmol/L|||||F")
    await hospital.send("ADT^A45", "EVN|A45|20260302080000+0800", PID, "MRG|9^^^H&1.2.3&ISO^MR||||V1", pv1)
    owner = {"reference": f"Patient/{(await hospital.one('Patient', identifier='7'))['id']}"}
    assert (await hospital.one("Encounter", identifier="V1"))["subject"] == owner
    assert (await hospital.one("Observation", code="14749-6"))["subject"] == owner
    assert (await hospital.one("DiagnosticReport", code="24323-8"))["subject"] == owner


async def test_two_patients_change_beds_or_neither_does(hospital: Hospital):
    other, pv1 = PID.replace("|7^", "|9^").replace("周秀兰", "吴桂英"), "PV1|1|I|{}||||||||||||||||{}"
    await hospital.send("ADT^A01", "EVN|A01|20260301080000+0800", PID, pv1.format("W3^305^1", "V1"))
    await hospital.send("ADT^A01", "EVN|A01|20260301080000+0800", other, pv1.format("W3^306^2", "V2"))
    swap = ["EVN|A17|20260302080000+0800", PID, pv1.format("W3^306^2", "V1"), other, pv1.format("W3^305^1", "V2")]
    for _ in range(2):
        assert (await hospital.send("ADT^A17", *swap)).state == "stored"
    names = {}
    for number in ("V1", "V2"):
        visit = await hospital.one("Encounter", identifier=number)
        assert [place["status"] for place in visit["location"]] == ["completed", "active"]
        names[number] = visit["location"][-1]["location"]["display"]
    assert ("306" in names["V1"], "305" in names["V2"]) == (True, True)
    for wrong in (swap[:3], [*swap, other], [*swap[:3], PID, swap[2]]):
        assert (await hospital.send("ADT^A17", *wrong)).state == "quarantined"


def test_every_event_about_persons_and_visits_has_a_rule_or_a_reason():
    reasons = rules.load(PACKAGE, "hl7v2/not_taken.yaml").map
    told = {f"ADT^A{number:02}" for number in range(1, 63)}
    assert told - set(supported()) == {"ADT^A19", "ADT^A56", "ADT^A57", "ADT^A58", "ADT^A59"} == told & set(reasons)


async def test_an_event_that_is_not_taken_says_why(hospital: Hospital):
    outcome = await hospital.send("ADT^A19", "EVN|A19|20260301080000+0800", PID)
    assert outcome.reason
    assert (outcome.acknowledgement, outcome.reason.key) == ("AR", "exchange.event-asks")


async def test_a_list_of_codes_grows_and_loses_what_is_deleted(hospital: Hospital):
    file = "MFI|99WARD^病区^L||UPD|||NE"
    await hospital.send("MFN^M13", file, "MFE|MAD|||W3^三病区|CWE", "MFE|MAD|||W4^四病区|CWE")
    await hospital.send("MFN^M13", file, "MFE|MDL|||W4|CWE", "MFE|MUP|||W5^五病区|CWE")
    found = await hospital.all("CodeSystem", name="99WARD")
    assert [one["code"] for one in found[0]["concept"]] == ["W3", "W5"]


async def test_the_status_of_a_bed_joins_the_bed_that_visits_name(hospital: Hospital):
    await hospital.send("ADT^A01", "EVN|A01|20260301080000+0800", PID, "PV1|1|I|W3^305^2||||||||||||||||V1")
    await hospital.send("ADT^A20", "EVN|A20|20260302080000+0800", "NPU|W3^305^2|H")
    assert [one["operationalStatus"]["code"] for one in await hospital.all("Location") if "operationalStatus" in one] == ["H"]


CDA = """<?xml version="1.0" encoding="UTF-8"?><ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/><id root="1.2.3.9" extension="C1"/><code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/>
 <title>出院小结</title><effectiveTime value="20260305090000+0800"/><confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
 <recordTarget><patientRole><id root="1.2.3" extension="7"/><patient><name>周秀兰</name><birthTime value="{birth}"/></patient></patientRole></recordTarget>
 <author><time value="20260305090000+0800"/><assignedAuthor><id root="1.2.3.4" extension="D7"/></assignedAuthor></author>
 <custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.3.5"/></representedCustodianOrganization></assignedCustodian></custodian>
 <component><structuredBody><component><section><code code="11450-4" codeSystem="2.16.840.1.113883.6.1"/><title>问题</title><text/>
  <entry><act classCode="ACT" moodCode="EVN"><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/><statusCode code="active"/><entryRelationship typeCode="SUBJ">
  <observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><id root="1.2.3.6" extension="P1"/>
  <code code="55607006" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>
  <value xsi:type="CD" code="I10" codeSystem="2.16.840.1.113883.6.3" displayName="高血压"/></observation></entryRelationship></act></entry>
 </section></component></structuredBody></component></ClinicalDocument>"""


def embedded(birth: str, packed: bool = False) -> list[str]:
    body = CDA.replace("{birth}", birth).encode()
    if packed:
        body = b'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"\r\n\r\n--b\r\nContent-Type: text/xml\r\n\r\n' + body + b"\r\n--b--\r\n"
    data = base64.b64encode(body).decode()
    txa = "TXA|1|DS^出院小结||||20260305090000+0800||||||D2|D1||||AU"
    return [PID, txa, f"OBX|1|ED|34133-9^出院小结^LN||^TEXT^XML^Base64^{data}||||||F"]


@pytest.mark.parametrize("packed", [False, True])
async def test_a_cda_document_inside_a_message_is_kept_and_read(hospital: Hospital, packed: bool):
    for _ in range(2):
        outcome = await hospital.send("MDM^T02", *embedded("19560304", packed))
        assert (outcome.state, outcome.reason) == ("stored", None)
    person = await hospital.one("Patient", identifier="7")
    composition = await hospital.one("Composition")
    assert composition["subject"]["reference"] == f"Patient/{person['id']}"
    assert len(await hospital.all("DocumentReference")) == 2
    assert "I10" in str(await hospital.one("Condition"))


async def test_a_document_about_somebody_else_inside_a_message_stores_nothing(hospital: Hospital):
    body = [line.replace("7^^^H&1.2.3&ISO^MR", "8^^^H&1.2.3&ISO^MR") for line in embedded("19610708")]
    outcome = await hospital.send("MDM^T02", *body)
    assert outcome.reason
    assert (outcome.state, outcome.reason.key, outcome.reason.place) == ("quarantined", "exchange.another-patient", "OBX-5")
    assert await hospital.all("DocumentReference") == []
