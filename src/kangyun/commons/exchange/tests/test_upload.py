from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base import rules
from kangyun.base.reactions import Change
from kangyun.base.simulators import listening
from kangyun.commons.access import Write
from kangyun.commons.exchange.actions import upload
from kangyun.commons.exchange.decisions.cda.uploads import province_url
from kangyun.commons.exchange.decisions.cda.xml import read
from kangyun.commons.exchange.gateways.province_simulator import Simulator
from kangyun.commons.exchange.queries.upload import Queued, counts, latest
from kangyun.commons.exchange.reactions import reactions

PATIENT: dict[str, Any] = {
    "resourceType": "Patient", "id": "p1", "active": True, "gender": "female", "birthDate": "1956-03-04", "name": [{"text": "周秀兰"}],
    "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": "990121195603040423"}],
    "telecom": [{"system": "phone", "value": "12913005521"}], "address": [{"state": "云岭省", "line": ["上河村12号"]}],
}  # fmt: skip
VACCINE: dict[str, Any] = {
    "resourceType": "Immunization", "status": "completed", "patient": {"reference": "Patient/p1"}, "occurrenceDateTime": "2026-01-10",
    "vaccineCode": {"coding": [{"system": "urn:oid:2.16.156.10011.2.3.1.210", "code": "03", "display": "脊灰疫苗"}]},
}  # fmt: skip


@pytest.fixture
def province(tmp_path: Path) -> Iterator[Simulator]:
    simulator = Simulator()
    own = Path(rules.load("kangyun.commons.exchange", "cda/province.yaml").file).read_text("utf-8")
    with listening(simulator.app) as url:
        file = tmp_path / "commons" / "exchange" / "cda" / "province.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(own.replace('url: ""', f'url: "{url}"'), "utf-8")
        rules.use_region(tmp_path)
        yield simulator
        rules.use_region(None)


class House:
    def __init__(self, services: Services) -> None:
        self.services = services
        self.handle = services.gate.system("test")
        self.seq = 0

    async def write(self, type_: str, id_: str, resource: dict[str, Any]) -> None:
        """Write a resource and let the reaction hear of it, as the feed does."""
        await self.handle.commit([Write("update", type_, {**resource, "id": id_}, id=id_)])
        self.seq += 1
        await upload.put(self.handle, Change(self.seq, 7, 1, type_, id_, 1, "update"))

    async def send(self) -> int | None:
        return await upload.upload_due(self.services.database, self.services.gate, self.services.keys, province_url())

    async def rows(self) -> list[Queued]:
        async with self.services.database.connection() as connection:
            return await latest(connection)

    async def states(self) -> dict[str, int]:
        async with self.services.database.connection() as connection:
            return await counts(connection)

    async def wake(self) -> None:
        async with self.services.database.connection() as connection:
            await connection.execute("UPDATE upload SET next_try = now() - interval '1 second'")


@pytest.fixture
async def house(services: Services) -> House:
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE upload, upload_pause, resource, span, history, change, commit_once, identity, candidate")
    return House(services)


async def test_a_changed_resident_goes_up_once_and_gets_a_receipt(house: House, province: Simulator):
    await house.write("Patient", "p1", PATIENT)
    await house.write("Immunization", "i1", VACCINE)
    await house.write("Immunization", "i2", {**VACCINE, "occurrenceDateTime": "2026-03-10"})
    assert await house.states() == {"waiting": 2}
    assert await house.send() == 2
    [vaccinations] = [one for one in await house.rows() if one.document == "HSDB03.01"]
    assert (vaccinations.state, vaccinations.receipt, vaccinations.version) == ("accepted", f"P-KYU{vaccinations.id}", 1)
    sent = read(province.documents[f"KYU{vaccinations.id}"])
    assert len(sent.findall(".//substanceAdministration")) == 2
    assert await house.send() == 0


async def test_what_tells_the_province_nothing_new_is_not_sent_again(house: House, province: Simulator):
    await house.write("Patient", "p1", PATIENT)
    await house.write("Immunization", "i1", VACCINE)
    await house.send()
    await house.write("Immunization", "i1", {**VACCINE, "note": [{"text": "x"}]})
    await house.send()
    assert (await house.rows())[0].state == "unchanged"
    await house.write("Immunization", "i1", {**VACCINE, "lotNumber": "L9"})
    await house.send()
    newest = (await house.rows())[0]
    assert (newest.state, newest.version) == ("accepted", 2)
    related = read(province.documents[f"KYU{newest.id}"]).find("relatedDocument")
    assert related is not None
    assert related.get("typeCode") == "RPLC"


async def test_an_incomplete_document_stays_here_and_says_what_it_lacks(house: House, province: Simulator):
    await house.write("Patient", "p1", {name: value for name, value in PATIENT.items() if name != "address"})
    await house.write("Immunization", "i1", VACCINE)
    await house.send()
    [row] = [one for one in await house.rows() if one.document == "HSDB03.01"]
    assert row.state == "incomplete"
    assert row.reason is not None
    assert row.reason.params["lacks"] == "地址（address）"
    assert province.came == []
    await house.write("Patient", "p1", PATIENT)
    await house.write("Immunization", "i1", VACCINE)
    await house.send()
    assert await house.states() == {"replaced": 2, "accepted": 1, "incomplete": 1}


async def test_a_province_that_fails_is_tried_again_with_the_same_bytes(house: House, province: Simulator):
    await house.write("Patient", "p1", PATIENT)
    await house.write("Immunization", "i1", VACCINE)
    province.failures = [503, 429, 401]
    province.silent = [True]
    for _ in range(4):
        await house.send()
        [row] = [one for one in await house.rows() if one.document == "HSDB03.01" and one.state == "sending"]
        assert row.reason is not None
        await house.wake()
        # What changes meanwhile waits behind it.
        await house.write("Immunization", "i1", {**VACCINE, "lotNumber": "L9"})
    await house.send()
    await house.wake()
    await house.send()
    rows = [one for one in await house.rows() if one.document == "HSDB03.01"]
    assert [(one.state, one.version) for one in rows] == [("accepted", 2), ("accepted", 1)]
    assert sorted(province.documents) == sorted(f"KYU{one.id}" for one in rows)


async def test_a_province_that_cannot_be_reached_loses_nothing(house: House, province: Simulator):
    await house.write("Patient", "p1", PATIENT)
    await house.write("Immunization", "i1", VACCINE)
    services = house.services
    assert await upload.upload_due(services.database, services.gate, services.keys, "http://127.0.0.1:9") is None
    assert (await house.states()).get("sending") == 1
    await house.send()
    assert [one.state for one in await house.rows() if one.document == "HSDB03.01"] == ["accepted"]


async def test_a_refusal_is_shown_by_its_codes_and_a_person_tries_again(house: House, province: Simulator):
    await house.write("Patient", "p1", {**PATIENT, "identifier": [{"system": "urn:x", "value": "1"}]})
    await house.write("Immunization", "i1", VACCINE)
    await house.send()
    [row] = [one for one in await house.rows() if one.document == "HSDB03.01"]
    assert row.reason is not None
    assert (row.state, row.reason.params["text"]) == ("refused", "HTTP 422; no-id-number recordTarget/patientRole/patient/id")
    await house.handle.commit([Write("update", "Patient", PATIENT, id="p1")])
    async with house.services.database.connection() as connection:
        await upload.again(connection, row.id)
    await house.send()
    assert {one.state for one in await house.rows() if one.document == "HSDB03.01"} == {"accepted", "replaced"}


async def test_a_person_stops_and_resumes(house: House, province: Simulator):
    async with house.services.database.connection() as connection:
        await upload.stop(connection, "tester")
    await house.write("Patient", "p1", PATIENT)
    await house.write("Immunization", "i1", VACCINE)
    assert await house.send() == 0
    assert province.came == []
    async with house.services.database.connection() as connection:
        await upload.resume(connection)
    await house.send()
    assert (await house.states())["accepted"] == 1


def test_only_where_a_province_is_named_does_anybody_listen(province: Simulator):
    assert "exchange.upload" in {one.name for one in reactions()}
    rules.use_region(None)
    assert "exchange.upload" not in {one.name for one in reactions()}


async def test_the_page_shows_the_queue_in_both_languages_and_a_person_stops_it(house: House, province: Simulator, api: httpx.AsyncClient):
    await house.write("Patient", "p1", {name: value for name, value in PATIENT.items() if name != "address"})
    await house.write("Immunization", "i1", VACCINE)
    await house.send()
    page = (await api.get("/exchange/upload", headers={"accept-language": "zh"})).text
    assert "缺必填项" in page
    assert "缺少必填的地址（address）" in page
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    assert token
    english = (await api.get("/exchange/upload?state=incomplete", headers={"accept-language": "en"})).text
    assert "Immunisations" in english
    number = (await house.rows())[0].id
    for address, form in (("switch", {"to": "stop"}), ("switch", {"to": "resume"}), (f"{number}/again", {})):
        answer = await api.post(f"/exchange/upload/{address}", data={**form, "csrf": token[1]})
        assert answer.status_code == 303, answer.text[:200]
    assert (await house.states())["waiting"] == 1
