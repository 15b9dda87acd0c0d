from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.keys import open_keys
from kangyun.base.reactions import Change
from kangyun.base.settings import Settings
from kangyun.commons.access import Gate, Handle, key_of
from kangyun.commons.exchange.actions import joining, outbound
from kangyun.commons.exchange.actions.processing import process
from kangyun.commons.exchange.decisions.acknowledge import build, peek
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.outbound import Receiver
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.translate import settle, translate
from kangyun.commons.exchange.listeners.frames import Frame, Framer
from kangyun.commons.exchange.model import RawMessage, Reason
from kangyun.commons.records import Store

MSH = "MSH|^~\\&|HIS|H1|KANGYUN|YUNZHOU|20260301080000+0800||{}|{}|P|2.5"
PID = "PID|1||7^^^H&1.2.3&ISO^MR||周秀兰&||19560304|2|||柳河镇12号^^云州市^云岭省^990121^CHN^H||12913005521"
_numbers = itertools.count(10_000)


class Simulator:
    """A receiver that keeps what it takes, and answers as it is told: AA, or what `answers` holds first."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.answers: list[str] = []
        self.port = 0

    @property
    def controls(self) -> list[str]:
        return [parse(one.decode()).control_id for one in self.taken]

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Simulator]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = Framer(1 << 20)
        while data := await reader.read(65536):
            for piece in framer.feed(data):
                assert isinstance(piece, Frame)
                code = self.answers.pop(0) if self.answers else "AA"
                self.taken.append(piece.body)
                if code == "silence":
                    writer.close()
                    return
                reason = None if code == "AA" else Reason("exchange.bad-code", "OBX-3", {"value": "x"}, "103")
                answer = build(peek(piece.body), code, clock.now(), reason=reason)  # pyright: ignore[reportArgumentType]
                writer.write(b"\x0b" + answer + b"\x1c\r")
        writer.close()


class House:
    """A record that learns by HL7 v2 and tells one receiver."""

    def __init__(self, database: Database, folder: Path) -> None:
        joining.forget()
        self.database = database
        self.gate = Gate(Store(database))
        self.handle: Handle = self.gate.system("test")
        self.keys = open_keys(Settings(data=folder))
        self.numbers = _numbers
        # The same patient number in another test is another sender's.
        self.key = next(_numbers)

    async def learn(self, kind: str, *segments: str) -> None:
        # Never the same twice: a commit carries the message's number as its key.
        number = next(self.numbers)
        body = "\r".join([MSH.format(kind, number), *segments]).encode()
        raw = RawMessage(number, "H1", self.key, str(number), "", "hl7v2", body, clock.now(), "received", 1)
        assert (await process(self.gate, raw)).state == "stored"

    async def one(self, type_: str) -> dict[str, Any]:
        (found,) = (await self.handle.search(type_, "")).resources
        return found

    async def change(self, type_: str, seq: int = 1, version: int = 1) -> Change:
        resource = await self.one(type_)
        return Change(seq, 7, key_of(type_, resource["id"]), type_, resource["id"], version, "update")

    async def message(self, name: str, type_: str) -> str:
        """The message of a resource, as it is composed for the receiver."""
        change = await self.change(type_)
        row = {"type": change.type, "resource": change.id, "version": 1, "message": name}
        told = await outbound.composed(self.handle, row, Receiver("R"), "C1")
        assert told
        return told

    async def states(self) -> list[tuple[str, int]]:
        async with self.database.connection() as connection:
            rows = await connection.fetch("SELECT state, tries FROM outbound ORDER BY id")
        return [(row["state"], row["tries"]) for row in rows]

    async def tell(self, receiver: Receiver) -> int | None:
        return await outbound.tell_receiver(self.database, self.gate, self.keys, receiver)

    async def wake(self) -> None:
        async with self.database.connection() as connection:
            await connection.execute("UPDATE outbound SET next_try = now() - interval '1 second'")


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncGenerator[House]:
    async with database.connection() as connection:
        await connection.execute("TRUNCATE resource, span, history, change, commit_once, identity, candidate, outbound")
    yield House(database, tmp_path)
    joining.forget()


def understood(text: str, type_: str) -> dict[str, Any]:
    """What our own intake makes of a message."""
    sheet = translate(parse(text), sender_of("KANGYUN"), clock.now())
    settle(sheet, "x")
    found = [one for one in (draft.resource for draft in sheet.drafts) if one["resourceType"] == type_]
    return sheet.patients[0] if type_ == "Patient" else found[0]


def same(one: dict[str, Any], other: dict[str, Any], *names: str) -> None:
    assert {name: plain(one.get(name)) for name in names} == {name: plain(other.get(name)) for name in names}


def plain(value: Any) -> Any:
    """Numbers by their digits: whoever parsed them."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if isinstance(value, bool) else str(value)


async def test_a_person_comes_back_as_it_was_told(house: House):
    await house.learn("ADT^A28", "EVN|A28|20260301080000+0800", PID)
    told = await house.message("adt_a31", "Patient")
    assert "周&秀兰" not in told
    same(understood(told, "Patient"), await house.one("Patient"), "name", "birthDate", "gender", "address", "telecom", "identifier")


async def test_a_merge_comes_back_as_it_was_told(house: House):
    other = PID.replace("|7^", "|9^")
    await house.learn("ADT^A28", "EVN|A28|20260301080000+0800", PID)
    await house.learn("ADT^A28", "EVN|A28|20260301080000+0800", other)
    await house.learn("ADT^A40", "EVN|A40|20260302080000+0800", PID, "MRG|9^^^H&1.2.3&ISO^MR")
    told: list[str] = []
    for patient in (await house.handle.search("Patient", "")).resources:
        row = {"type": "Patient", "resource": patient["id"], "version": int(patient["meta"]["versionId"]), "message": "adt_a40"}
        told += [found for found in [await outbound.composed(house.handle, row, Receiver("R"), "C1")] if found]
    [merge] = told
    sheet = translate(parse(merge), sender_of("KANGYUN"), clock.now())
    assert [one["value"] for one in sheet.patients[0]["identifier"]] == ["7"]
    assert [[one["value"] for one in old] for old in sheet.merged] == [["9"]]


async def test_a_visit_comes_back_as_it_was_told(house: House):
    await house.learn("ADT^A03", "EVN|A03|20260305080000+0800", PID, "PV1|1|I|W3^305^2||||F1^王^志远||||||||||||V1" + "|" * 26 + "20260305080000+0800")
    found = understood(await house.message("adt_a08", "Encounter"), "Encounter")
    same(found, await house.one("Encounter"), "status", "class", "identifier", "period")


async def test_results_come_back_as_they_were_told(house: House):
    await house.learn(
        "ORU^R01", PID, "OBR|1|P1|R1|24323-8^生化全套^LN|||20260301083600+0800|||||||||||||||20260301104100+0800||LAB|F",
        "OBX|1|NM|14749-6^葡萄糖^LN||8.40|mmol/L|3.9-6.1|H|||F", "SPM|1|S1||BLD^全血",
    )
    told = await house.message("oru_r01", "DiagnosticReport")
    assert "|8.40|" in told
    same(understood(told, "DiagnosticReport"), await house.one("DiagnosticReport"), "status", "code", "category", "effectiveDateTime", "issued", "identifier")
    same(understood(told, "Observation"), await house.one("Observation"), "status", "code", "valueQuantity", "referenceRange", "interpretation", "effectiveDateTime")
    same(understood(told, "Specimen"), await house.one("Specimen"), "type")


async def test_orders_appointments_documents_vaccines_and_medicines_come_back_as_they_were_told(house: House):
    await house.learn("ORM^O01", PID, "ORC|NW|P1|||||||20260301080000+0800", "OBR|1|P1||24323-8^生化全套^LN|S|20260302080000+0800", "NTE|1||空腹")
    same(understood(await house.message("orm_o01", "ServiceRequest"), "ServiceRequest"), await house.one("ServiceRequest"), "status", "code", "priority", "occurrenceDateTime", "authoredOn", "identifier", "note")
    await house.learn("SIU^S12", "SCH|A1|F1|||||CHECKUP^体检^99H|NORMAL|30|min|^^30^20260305090000+0800", PID, "AIS|1|A|ECHO^心脏彩超", "AIP|1|A|F1^王志远")
    same(understood(await house.message("siu_s12", "Appointment"), "Appointment"), await house.one("Appointment"), "status", "start", "end", "identifier", "serviceType", "reasonCode", "minutesDuration")
    await house.learn("MDM^T02", PID, "TXA|1|DS^出院小结||||20260305090000+0800||||||D1|||||AU", "OBX|1|TX|18842-5^出院小结^LN||病情好转||||||F", "OBX|2|TX|18842-5^出院小结^LN||出院||||||F")
    same(understood(await house.message("mdm_t02", "DocumentReference"), "DocumentReference"), await house.one("DocumentReference"), "status", "docStatus", "type", "date", "content", "masterIdentifier")
    await house.learn("VXU^V04", PID, "ORC|RE||I1", "RXA|0|1|20260301090000+0800||0301^乙肝疫苗^99VAC|0.5|mL||00||||||L2026|20270101", "RXR|IM^肌内注射|LA^左上臂")
    same(understood(await house.message("vxu_v04", "Immunization"), "Immunization"), await house.one("Immunization"), "status", "vaccineCode", "occurrenceDateTime", "doseQuantity", "lotNumber", "expirationDate", "route", "site", "primarySource", "identifier")
    await house.learn("RDE^O11", PID, "ORC|DC|P2", "TQ1|1||BID", "RXE||A10BA02^二甲双胍片^99DRUG|0.5||g||口服|||30|片", "RXR|PO^口服")
    same(understood(await house.message("rde_o11", "MedicationRequest"), "MedicationRequest"), await house.one("MedicationRequest"), "status", "medicationCodeableConcept", "dispenseRequest", "identifier")


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> dict[str, Receiver]:
    """The receivers that the rules would name."""
    known: dict[str, Receiver] = {}
    monkeypatch.setattr(outbound, "receivers", lambda: known)
    return known


async def test_changes_are_told_in_order_once_and_by_the_same_control_id(house: House, listening: dict[str, Receiver]):
    async with Simulator().open() as simulator:
        listening["R"] = Receiver("R", "127.0.0.1", simulator.port, active=True, messages=("adt_a31",))
        await house.learn("ADT^A28", "EVN|A28|20260301080000+0800", PID)
        await house.learn("ADT^A31", "EVN|A31|20260301090000+0800", PID.replace("19560304", "19560305"))
        for seq, version in ((1, 1), (1, 1), (2, 2)):
            await outbound.put(house.handle, await house.change("Patient", seq, version))
        # The receiver takes the first and dies before it answers: it is sent again, and nothing overtakes it.
        simulator.answers = ["silence"]
        assert await house.tell(listening["R"]) is None
        assert await house.tell(listening["R"]) == 2
    assert len(simulator.controls) == 3
    assert simulator.taken[0] == simulator.taken[1]
    assert [parse(one.decode()).event for one in simulator.taken] == ["A28", "A28", "A31"]
    assert [state for state, _ in await house.states()] == ["sent", "sent"]


async def test_what_a_receiver_refuses_is_tried_again_and_set_aside_at_last(house: House, listening: dict[str, Receiver]):
    async with Simulator().open() as simulator:
        listening["R"] = receiver = Receiver("R", "127.0.0.1", simulator.port, tries=2, active=True, messages=("adt_a31",))
        await house.learn("ADT^A28", "EVN|A28|20260301080000+0800", PID)
        await outbound.put(house.handle, await house.change("Patient", 1))
        await outbound.put(house.handle, await house.change("Patient", 2))
        simulator.answers = ["AE", "AE", "AR"]
        assert await house.tell(receiver) == 0
        # The second waits behind the first, although its own time has come.
        assert await house.states() == [("waiting", 1), ("waiting", 0)]
        await house.wake()
        assert await house.tell(receiver) == 2
    assert [state for state, _ in await house.states()] == ["refused", "refused"]


async def test_a_process_killed_after_the_answer_sends_the_same_bytes_again(house: House, listening: dict[str, Receiver], monkeypatch: pytest.MonkeyPatch):
    async with Simulator().open() as simulator:
        listening["R"] = receiver = Receiver("R", "127.0.0.1", simulator.port, active=True, messages=("adt_a31",))
        await house.learn("ADT^A28", "EVN|A28|20260301080000+0800", PID)
        await outbound.put(house.handle, await house.change("Patient", 1))
        with monkeypatch.context() as patched:
            patched.setattr(outbound._Turn, "_settle", _killed)  # pyright: ignore[reportPrivateUsage]
            with pytest.raises(KeyboardInterrupt):
                await house.tell(receiver)
        assert await house.states() == [("waiting", 0)]
        assert await house.tell(receiver) == 1
    assert simulator.taken[0] == simulator.taken[1]
    assert [state for state, _ in await house.states()] == ["sent"]


async def _killed(*_: object) -> None:
    raise KeyboardInterrupt


async def test_a_receiver_that_is_away_loses_nothing_and_what_came_from_it_is_not_told_back(house: House, listening: dict[str, Receiver]):
    listening["R"] = Receiver("R", "127.0.0.1", 1, active=True, messages=("adt_a31",))
    await house.learn("ADT^A28", "EVN|A28|20260301080000+0800", PID)
    await outbound.put(house.handle, await house.change("Patient", 1))
    assert await house.tell(listening["R"]) is None
    assert await house.states() == [("waiting", 0)]
    async with Simulator().open() as simulator:
        own = Receiver("R", "127.0.0.1", simulator.port, own=("urn:oid:1.2.3",), active=True, messages=("adt_a31",))
        assert await house.tell(own) == 1
    assert simulator.taken == []
    assert await house.states() == [("nothing", 1)]
