from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from kangyun.app.services import Services
from kangyun.base.database import Database
from kangyun.base.errors import refuse
from kangyun.commons.access import Gate, Handle
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import Intake, joining, keeping, sealing
from kangyun.commons.exchange.actions.quarantine import replay
from kangyun.commons.exchange.actions.sweep import finish_waiting, take_over
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.model import RawMessage
from kangyun.commons.population import identities
from kangyun.commons.records import Store

DATA = Path(__file__).resolve().parents[6] / "shared" / "data" / "hl7v2"
MSH = "MSH|^~\\&|HIS|{sender}|KANGYUN|YUNZHOU|{time}||{kind}|{control}|P|2.5|||AL|NE|CHN|UNICODE UTF-8"
ID = "990121195603040423"


class House:
    def __init__(self, services: Services) -> None:
        joining.forget()
        self.services = services
        self.database = services.database
        self.gate = Gate(Store(services.database))
        self.handle: Handle = self.gate.system("test")
        self.intake = Intake(services.database, self.gate, services.keys)
        self.controls = 0

    async def send(self, kind: str, *segments: str, sender: str = "H1", control: str = "", time: str = "20260301080000+0800") -> str:
        self.controls += 1
        header = MSH.format(sender=sender, kind=kind, control=control or f"C{self.controls}", time=time)
        return (await self.intake.receive("\r".join([header, *segments]).encode())).decode()

    async def one(self, type_: str, **query: str) -> dict[str, Any]:
        found = await self.all(type_, **query)
        assert len(found) == 1, [one["id"] for one in found]
        return found[0]

    async def all(self, type_: str, **query: str) -> list[dict[str, Any]]:
        return (await self.handle.search(type_, list(query.items()))).resources

    async def states(self) -> dict[str, int]:
        async with self.database.connection() as connection:
            return await queries.states(connection)

    async def latest(self) -> Any:
        async with self.database.connection() as connection:
            return (await queries.latest(connection, limit=1))[0]


@pytest.fixture
async def house(services: Services) -> AsyncGenerator[House]:
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, resource, span, history, change, commit_once")
    yield House(services)
    joining.forget()


def code(answer: str) -> str:
    msa = parse(answer).first("MSA")
    assert msa is not None
    return msa.text(1)


def place(answer: str) -> str:
    err = parse(answer).first("ERR")
    assert err is not None
    return "-".join(part for part in (err.text(2, 1), err.text(2, 3)) if part)


def pid(number: str = "M1", name: str = "周秀兰", id_number: str = "", more: str = "") -> str:
    other = f"~{id_number}^^^MOPS^NNCHN" if id_number else ""
    return f"PID|1||{number}^^^H&1.2.3&ISO^MR{other}||{name}||19560304|F{more}"


def pv1(visit: str = "V1", place_: str = "W3^305^2", more: str = "") -> str:
    return f"PV1|1|I|{place_}||||F1^王^志远{'|' * 12}{visit}^^^H&1.2.3.1&ISO^VN{more}"


OBR = "OBR|1|P1^L^1.2.3.2^ISO|R1^L^1.2.3.3^ISO|24323-8^生化全套^LN|||20260301083600+0800|||||||||||||||{issued}||LAB|{status}"


def obx(number: int, code_: str, value: str, status: str = "F") -> str:
    return f"OBX|{number}|NM|{code_}^项目^LN||{value}|mmol/L|3.9-6.1|H|||{status}"


async def test_a_result_becomes_a_record_with_its_digits_and_its_provenance(house: House):
    answer = await house.send("ORU^R01^ORU_R01", pid(id_number=ID), OBR.format(issued="20260301104100+0800", status="F"), obx(1, "14749-6", "8.40"))
    assert code(answer) == "AA"
    observation = await house.one("Observation", code="14749-6")
    assert str(observation["valueQuantity"]["value"]) == "8.40"
    assert observation["valueQuantity"]["code"] == "mmol/L"
    resident = await house.one("Patient", identifier=ID)
    assert observation["subject"]["reference"] == f"Patient/{resident['id']}"
    report = await house.one("DiagnosticReport", identifier="urn:oid:1.2.3.3|R1")
    assert report["result"] == [{"reference": f"Observation/{observation['id']}"}]
    trace = await house.one("Provenance", target=f"Observation/{observation['id']}")
    organization = await house.one("Organization", identifier="H1")
    assert trace["agent"][0]["who"]["reference"] == f"Organization/{organization['id']}"
    assert trace["entity"][0]["what"]["identifier"]["value"] == str((await house.latest()).id)


async def test_a_correction_updates_and_a_late_preliminary_does_not(house: House):
    early, late = "20260301104100+0800", "20260301154100+0800"
    await house.send("ORU^R01", pid(), OBR.format(issued=early, status="F"), obx(1, "14749-6", "8.4"), obx(2, "2160-0", "71"))
    await house.send("ORU^R01", pid(), OBR.format(issued=late, status="C"), obx(1, "14749-6", "6.4", "C"))
    await house.send("ORU^R01", pid(), OBR.format(issued=early, status="P"), obx(1, "14749-6", "9.9", "P"))
    corrected = await house.one("Observation", code="14749-6")
    assert (corrected["status"], str(corrected["valueQuantity"]["value"])) == ("corrected", "6.4")
    report = await house.one("DiagnosticReport", code="24323-8")
    assert report["status"] == "corrected"
    assert len(report["result"]) == 2
    assert len(await house.handle.history("Observation", corrected["id"])) == 2


async def test_a_visit_is_put_in_order_whatever_the_order_of_its_messages(house: House):
    events = {
        "A01": ["ADT^A01^ADT_A01", "EVN|A01|20260301080000+0800", pid(), pv1(place_="W1^1^1", more="|" * 25 + "20260301080000+0800")],
        "A02": ["ADT^A02^ADT_A02", "EVN|A02|20260302080000+0800", pid(), pv1(place_="W2^1^1")],
        "A03": ["ADT^A03^ADT_A03", "EVN|A03|20260305080000+0800", pid(), pv1(place_="W2^1^1", more="|" * 26 + "20260305080000+0800")],
    }
    found: list[dict[str, Any]] = []
    for n, order in enumerate((["A01", "A02", "A03"], ["A03", "A02", "A01"], ["A02", "A03", "A01"])):
        for event in order:
            kind, *segments = (part.replace("V1^", f"V{n}^") for part in events[event])
            assert code(await house.send(kind, *segments)) == "AA"
        found.append(await house.one("Encounter", identifier=f"V{n}"))
    for encounter in found:
        assert encounter["status"] == "finished"
        assert encounter["period"] == {"start": "2026-03-01T08:00:00+08:00", "end": "2026-03-05T08:00:00+08:00"}
        assert [one["status"] for one in encounter["statusHistory"]] == ["in-progress", "finished"]
        places = [(one["location"]["display"], one["status"], one["period"].get("end")) for one in encounter["location"]]
        assert places == [("W1 1 1", "completed", "2026-03-02T08:00:00+08:00"), ("W2 1 1", "completed", "2026-03-05T08:00:00+08:00")]


async def test_cancelled_and_reopened_visits(house: House):
    def adt(event: str, time: str) -> list[str]:
        return [f"ADT^{event}", f"EVN|{event}|{time}", pid(), pv1()]

    await house.send(*adt("A01", "20260301080000+0800"))
    await house.send(*adt("A03", "20260303080000+0800"))
    await house.send(*adt("A13", "20260303090000+0800"))
    encounter = await house.one("Encounter", identifier="V1")
    assert encounter["status"] == "in-progress"
    assert "end" not in encounter["period"] if "period" in encounter else True
    await house.send(*adt("A03", "20260304080000+0800"))
    assert (await house.one("Encounter", identifier="V1"))["status"] == "finished"
    await house.send(*adt("A11", "20260304090000+0800"))
    assert (await house.one("Encounter", identifier="V1"))["status"] == "cancelled"


async def test_a_merge_leads_later_messages_of_the_old_number_to_the_survivor(house: House):
    await house.send("ADT^A28", "EVN|A28|20260301", pid("M1"))
    await house.send("ADT^A28", "EVN|A28|20260301", pid("M9"))
    survivor, given_up = await house.one("Patient", identifier="M1"), await house.one("Patient", identifier="M9")
    assert code(await house.send("ADT^A40^ADT_A39", "EVN|A40|20260302", pid("M1"), "MRG|M9^^^H&1.2.3&ISO^MR")) == "AA"
    [gone] = await house.all("Patient", _id=given_up["id"])
    assert gone["active"] is False
    assert (await house.one("Patient", identifier="M9"))["id"] == survivor["id"]
    assert gone["link"][0]["other"]["reference"] == f"Patient/{survivor['id']}"
    await house.send("ORU^R01", pid("M9"), OBR.format(issued="20260303104100+0800", status="F"), obx(1, "14749-6", "5"))
    assert (await house.one("Observation", code="14749-6"))["subject"]["reference"] == f"Patient/{survivor['id']}"


async def test_a_repeated_control_id_is_answered_without_a_second_record(house: House):
    message = ["ADT^A28", "EVN|A28|20260301", pid()]
    assert code(await house.send(*message, control="SAME")) == "AA"
    assert code(await house.send(*message, control="SAME")) == "AA"
    assert await house.states() == {"stored": 1, "duplicate": 1}
    assert len(await house.all("Provenance")) == 1


async def test_a_control_id_with_other_content_goes_to_quarantine(house: House):
    await house.send("ADT^A28", "EVN|A28|20260301", pid(), control="SAME")
    for _ in range(2):
        answer = await house.send("ADT^A28", "EVN|A28|20260301", pid("M2"), control="SAME")
        assert (code(answer), place(answer)) == ("AE", "MSH-10")
    assert await house.states() == {"stored": 1, "quarantined": 1}
    assert await house.all("Patient", identifier="M2") == []


async def test_the_same_control_id_of_two_senders_is_two_messages(house: House):
    await house.send("ADT^A28", "EVN|A28|20260301", pid(), control="SAME", sender="H1")
    await house.send("ADT^A28", "EVN|A28|20260301", pid(), control="SAME", sender="H2")
    assert await house.states() == {"stored": 2}


@pytest.mark.parametrize(
    ("segments", "answered", "where"),
    [
        (["ADT^A99", "EVN|A99|20260301", pid()], "AR", "MSH-9"),
        (["XYZ^A01", pid()], "AR", "MSH-9"),
        (["ADT^A01", "EVN|A01|20260301", pid(id_number="990121195603040424"), pv1()], "AE", "PID-3"),
        (["ADT^A01", "EVN|A01|20260301"], "AE", "PID"),
        (["ADT^A28", "EVN|A28|20260301", "PID|1||||周"], "AE", "PID-3"),
        (["ADT^A01", "EVN|A01|20260301", pid().replace("19560304", "19560231"), pv1()], "AE", "PID-7"),
        (["ADT^A01", "EVN|A01|20260301", pid().replace("|F", "|Z"), pv1()], "AE", "PID-8"),
        (["ADT^A01", "EVN|A01|2026030199", pid(), pv1()], "AE", "EVN-2"),
        (["ADT^A03", "EVN|A03|20260301", pid(), "PV1|1|I"], "AE", "PV1-19"),
        (["ORU^R01", pid(), "OBR|1|||24323-8^x^LN", obx(1, "1-8", "5")], "AE", "OBR-3"),
        (["ORU^R01", pid(), OBR.format(issued="", status="F"), obx(1, "14749-6", "five")], "AE", "OBX-5"),
        (["ORU^R01", pid(), OBR.format(issued="", status="F"), obx(1, "14749-6", "5", "?")], "AE", "OBX-11"),
        (["ORU^R01", pid(), OBR.format(issued="", status="F"), "OBX|1|ZZ|1^x^LN||5||||||F"], "AE", "OBX-2"),
        (["ORU^R01", pid(), OBR.format(issued="", status="F"), "OBX|1|ED|1^x^LN||^application^pdf^Base64^%%%||||||F"], "AE", "OBX-5"),
        (["ORU^R01", pid(), pid("M2"), OBR.format(issued="", status="F")], "AE", "PID"),
        (["ORU^R01", pid(), OBR.format(issued="", status="F"), "OB\x07|noise"], "AR", ""),
        (["ADT^A40", "EVN|A40|20260301", pid(), "PV1|1|I"], "AE", "MRG"),
    ],
)
async def test_bad_content_is_quarantined_with_the_place_and_changes_nothing(house: House, segments: list[str], answered: str, where: str):
    kind, *rest = segments
    answer = await house.send(kind, *rest)
    assert code(answer) == answered
    assert (place(answer) if where else "") == where
    assert await house.states() == {"quarantined": 1}
    assert (await house.latest()).reason.place.startswith(where)
    assert await house.all("Patient") == []


async def test_what_the_record_refuses_is_quarantined_with_its_words(house: House):
    answer = await house.send("ADT^A28", "EVN|A28|20260301", pid(more="|||||||||||||||" + "|x" * 0), "NK1|1|吴国强|SPO||||||||||||Z")
    assert code(answer) == "AE"
    assert place(answer) == "NK1-15"


async def test_four_senders_racing_on_one_new_resident_make_one_person(house: House):
    other = House(house.services)
    other.controls = 1000
    for n in range(5):
        number = f"R{n}"
        await asyncio.gather(*(
            h.send("ORU^R01", pid(number), OBR.format(issued="20260301104100+0800", status="F").replace("R1^", f"R{n}{m}^"), obx(1, "14749-6", "5"), sender=f"H{m}")
            for m, h in enumerate((house, other, house, other))
        ))
        patients = [one["id"] for one in await house.all("Patient", identifier=number)]
        assert len(patients) == 4, "each sender has its own"
        assert {len(await identities(house.handle, one)) for one in patients} == {4}
        assert len(await house.all("Person", identifier=number)) == 1
    assert len(await house.all("Observation", code="14749-6", _count="100")) == 20


async def test_a_fault_that_passes_is_told_and_finished_by_the_sweep(house: House, monkeypatch: pytest.MonkeyPatch):
    async def away(self: Any, *_: Any, **__: Any) -> None:
        raise refuse(503, "transient", "base.database-away")

    with monkeypatch.context() as patched:
        patched.setattr(Handle, "commit", away)
        answer = await house.send("ADT^A28", "EVN|A28|20260301", pid(), control="LATER")
    assert code(answer) == "AE"
    assert (await house.latest()).state == "received"
    await take_over(house.database)
    async with house.database.connection() as connection:
        await connection.execute("UPDATE raw_message SET next_try = now() - interval '1 second'")
    assert await finish_waiting(house.database, house.gate, house.services.keys) == 1
    assert (await house.latest()).state == "stored"
    assert code(await house.send("ADT^A28", "EVN|A28|20260301", pid(), control="LATER")) == "AA"
    assert len(await house.all("Patient")) == 1


async def test_a_message_that_a_crash_left_is_finished_after_the_restart(house: House):
    class Crash(BaseException):
        pass

    async def dies(self: Any, raw: RawMessage) -> None:
        raise Crash

    original = Intake.handle
    Intake.handle = dies  # pyright: ignore[reportAttributeAccessIssue]
    try:
        with pytest.raises(Crash):
            await house.send("ADT^A28", "EVN|A28|20260301", pid())
    finally:
        Intake.handle = original
    assert await house.states() == {"received": 1}
    await take_over(house.database)
    await asyncio.sleep(0.01)
    assert await finish_waiting(house.database, house.gate, house.services.keys) == 1
    assert await house.states() == {"stored": 1}
    assert len(await house.all("Patient", identifier="M1")) == 1


async def test_a_crash_before_the_result_is_noted_takes_the_records_back(house: House, monkeypatch: pytest.MonkeyPatch):
    async def crash(*_: Any) -> None:
        raise refuse(503, "transient", "base.database-lost")

    with monkeypatch.context() as patched:
        patched.setattr(keeping, "store", crash)
        await house.send("ORU^R01", pid(), OBR.format(issued="20260301104100+0800", status="F"), obx(1, "14749-6", "5"))
    assert await house.states() == {"received": 1}
    assert await house.all("Observation") == []
    async with house.database.connection() as connection:
        await connection.execute("UPDATE raw_message SET next_try = now() - interval '1 second'")
    assert await finish_waiting(house.database, house.gate, house.services.keys) == 1
    assert await house.states() == {"stored": 1}
    assert (await house.one("Observation", code="14749-6"))["meta"]["versionId"] == "1"


async def test_two_who_handle_one_message_store_it_once(house: House):
    await house.send("ORU^R01", pid(), OBR.format(issued="20260301104100+0800", status="F"), obx(1, "14749-6", "5"))
    async with house.database.connection() as connection:
        raw = await queries.one(connection, (await house.latest()).id)
    assert raw is not None
    body = sealing.opened(house.services.keys, raw.body or b"", raw.sealed, raw.content_hash)
    message = RawMessage(raw.id, raw.sender, raw.sender_key, raw.control_id, raw.kind, raw.form, body, raw.received, "received", 1)
    outcomes = await asyncio.gather(*(house.intake.handle(message) for _ in range(2)))
    assert {one.state for one in outcomes} == {"stored"}
    assert {one.patient for one in outcomes} == {raw.patient}
    assert (await house.one("Observation", code="14749-6"))["meta"]["versionId"] == "1"


async def test_the_database_is_away(house: House, monkeypatch: pytest.MonkeyPatch):
    def away(self: Any) -> Any:
        raise refuse(503, "transient", "base.database-away")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "connection", away)
        answer = await house.send("ADT^A28", "EVN|A28|20260301", pid())
    assert code(answer) == "AE"
    assert "稍后重发" in answer
    assert await house.states() == {}


async def test_a_quarantined_message_is_replayed(house: House, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr("kangyun.commons.exchange.actions.processing.translate", lambda *_: 1 / 0)
        answer = await house.send("ADT^A28", "EVN|A28|20260301", pid())
    assert code(answer) == "AE"
    latest = await house.latest()
    assert (latest.state, latest.reason.key) == ("quarantined", "exchange.internal")
    assert await replay(house.services, latest.id)
    assert (await house.latest()).state == "stored"
    assert not await replay(house.services, latest.id)


async def test_a_bulky_document_is_kept_once_and_shown_by_its_report(house: House):
    obr = OBR.format(issued="20260301104100+0800", status="F").replace("24323-8^生化全套^LN", "18842-5^出院小结^LN")
    lines = [f"OBX|{n}|TX|18842-5^出院小结^LN||第{n}行||||||F" for n in (1, 2)]
    pdf = "OBX|3|ED|18842-5^出院小结^LN||^application^pdf^Base64^JVBERi0xLjQK||||||F"
    assert code(await house.send("ORU^R01", pid(), obr, *lines, pdf)) == "AA"
    report = await house.one("DiagnosticReport", code="18842-5")
    document = await house.one("DocumentReference", type="18842-5")
    assert report["conclusion"] == "第1行\n第2行"
    assert document["content"][0]["attachment"] == {"contentType": "application/pdf", "data": "JVBERi0xLjQK", "title": "出院小结"}
    assert report["presentedForm"] == [{"contentType": "application/pdf", "title": "出院小结", "url": f"DocumentReference/{document['id']}"}]


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "utf-16", "utf-16-le"])
async def test_bytes_in_an_undeclared_or_impossible_encoding(house: House, encoding: str):
    text = f"MSH|^~\\&|HIS|H1|||20260301||ADT^A28|E1|P|2.3\rEVN|A28|20260301\r{pid()}"
    answer = (await house.intake.receive(text.encode(encoding))).decode()
    assert code(answer) == ("AA" if encoding.startswith("gb") else "AR")
    if encoding.startswith("gb"):
        assert (await house.one("Patient"))["name"][0]["text"] == "周秀兰"


# An embedded file without content.
EMPTY_FILES = {"MDM-T02-01.hl7", "OUL-R22-02.hl7"}


async def test_the_real_messages_are_accepted_or_quarantined_with_a_true_reason(house: House):
    if not DATA.exists():
        pytest.skip("outside test material hl7v2 is not beside this checkout")
    for path in sorted(DATA.glob("*.hl7")):
        # Their control ids repeat; what each says alone is asked here.
        async with house.database.connection() as connection:
            await connection.execute("TRUNCATE raw_message")
        receipt = await house.intake.take(path.read_bytes())
        reason = receipt.outcome.reason.key if receipt.outcome.reason else ""
        expected = ("quarantined", "AE", "exchange.missing-field") if path.name in EMPTY_FILES else ("stored", "AA", "")
        assert (receipt.outcome.state, receipt.outcome.acknowledgement, reason) == expected, path.name
