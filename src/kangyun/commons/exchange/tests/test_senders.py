from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.commons.access import Actor
from kangyun.commons.access.actions import clients
from kangyun.commons.access.decisions import clients as programs
from kangyun.commons.exchange.actions import ORIGIN, Intake, counting, joining, registering
from kangyun.commons.exchange.actions.intake import key_of
from kangyun.commons.exchange.decisions import registrations
from kangyun.commons.exchange.decisions.facts import facts_of
from kangyun.commons.exchange.decisions.registrations import Registration, registered, registration
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.model import MEASURED, Origin
from kangyun.commons.exchange.queries import senders

MESSAGE = "MSH|^~\\&|HIS|{sender}|||20261201110000+0800||ADT^A28|{control}|P|2.5||||||UNICODE UTF-8\rEVN|A28|{event}\rPID|1||{number}||周秀兰||19560304|{sex}|||{address}\r"
NOON = datetime(2026, 12, 1, 4, tzinfo=UTC)


def message(control: str, sender: str = "N1", sex: str = "F", event: str = "20261201110000+0800", address: str = "") -> bytes:
    return MESSAGE.format(control=control, sender=sender, number=control, sex=sex, event=event, address=address).encode()


@pytest.fixture(autouse=True)
async def _empty(services: Services) -> AsyncGenerator[None]:
    joining.forget()
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, sender_hour, sender_silence, sender_registration, resource, span, history, change, commit_once")
        await connection.execute("UPDATE sender_hour_mark SET until = '-infinity'")
    yield
    registrations.use({})


async def send(services: Services, *bodies: bytes) -> None:
    intake = Intake(services.database, services.gate, services.keys)
    for body in bodies:
        await intake.take(body)


async def total(services: Services, sender: str = "N1") -> senders.Total:
    async with services.database.connection() as connection:
        [found] = await senders.totals(connection, NOON - timedelta(days=1), NOON + timedelta(days=1), key_of(sender))
    return found


async def test_hours_are_counted_without_bodies_and_counted_anew_when_a_message_changes(services: Services):
    clock.set_source(lambda: NOON)
    await send(
        services, message("1", address="云州市"), message("2"), message("2"), message("3", sex="Z"),
        message("4", event="20261128110000+0800"))
    assert await counting.count_hours(services.database) == 1
    found = await total(services)
    assert (found.stored, found.quarantined, found.duplicate, found.received) == (3, 1, 1, 5)
    assert (found.told, found.on_time) == (3, 2)
    filled = dict(zip(MEASURED, found.filled, strict=True))
    assert (filled["name"], filled["address"], filled["id_number"]) == (3, 1, 0)
    async with services.database.connection() as connection:
        assert [(reason, number) for _, reason, number in await senders.reasons(connection, NOON - timedelta(days=1), NOON + timedelta(days=1))] == [
            ("exchange.bad-code", 1)]
        await connection.execute("UPDATE raw_message SET state = 'dismissed' WHERE state = 'quarantined'")
    await counting.count_hours(services.database)
    found = await total(services)
    assert (found.quarantined, found.dismissed) == (0, 1)


async def test_a_sender_that_falls_silent_is_told_and_heard_again(services: Services):
    clock.set_source(lambda: NOON)
    await registering.register(services.database, registration("N1", {"per_day": 240, "hours": "00-24"}), "steward")
    await send(services, message("1"))
    await counting.count_hours(services.database)
    assert await counting.listen_for_silence(services.database) == []
    clock.set_source(lambda: NOON + timedelta(hours=1))
    assert await counting.listen_for_silence(services.database) == ["N1"]
    assert await counting.listen_for_silence(services.database) == ["N1"]
    async with services.database.connection() as connection:
        [silence] = await senders.silences(connection)
    assert (silence.since, round(silence.expected), silence.ended) == (NOON, 10, None)
    await send(services, message("2"))
    await counting.count_hours(services.database)
    assert await counting.listen_for_silence(services.database) == []
    async with services.database.connection() as connection:
        [silence] = await senders.silences(connection, key_of("N1"))
    assert silence.ended == NOON + timedelta(hours=1)


async def test_habits_are_learnt_where_nothing_was_agreed(services: Services):
    hours = [(NOON - timedelta(days=day)).replace(hour=hour) for day in range(1, 15) for hour in range(24)]
    async with services.database.connection() as connection:
        for hour in hours:
            await connection.execute(
                """INSERT INTO sender_hour VALUES ($1, $2, 'N5', 30, 0, 0, 0, 0, 0, $2, 0, 0, 0, 0, 0, '{}', '{}', 0, 0, 0, 0, 0, '{}', $2)""",
                key_of("N5"), hour)
    clock.set_source(lambda: NOON)
    assert await counting.listen_for_silence(services.database) == ["N5"]


async def test_a_registration_comes_before_the_file_and_stays_as_a_version(services: Services):
    await registering.register(services.database, registration("YZFH", {"name": "一院", "maps": {"codes": {"sex": {"9": "female"}}}}), "a")
    await registering.register(services.database, replace(registered("YZFH"), contact="王"), "b")
    assert sender_of("YZFH").name == "一院"
    assert sender_of("YZFH").authorities["MR"] == "urn:oid:2.16.156.10011.99.1"
    assert sender_of("YZFH").codes["sex"] == {"9": "female"}
    async with services.database.connection() as connection:
        assert [(one.number, one.actor) for one in await senders.versions(connection, key_of("YZFH"))] == [(2, "b"), (1, "a")]


async def test_another_process_takes_over_what_was_registered(services: Services):
    await registering.register(services.database, registration("N7", {"name": "七院"}), "a")
    registrations.use({})
    registering.forget()
    await registering.refresh(services.database)
    assert sender_of("N7").name == "七院"


@pytest.mark.parametrize(("body", "field"), [
    ({"networks": ["10.0.0.0/99"]}, "networks"), ({"hours": "18-08"}, "hours"), ({"days": "18"}, "days"), ({"per_day": -1}, "per_day"),
    ({"maps": {"zone": "Mars"}}, "maps"), ({"maps": {"unknown": 1}}, "maps"), ({"maps": {"codes": {"sex": 1}}}, "maps"), ({"channel": "pigeon"}, "channel"),
])
def test_what_cannot_be_agreed_names_its_field(body: dict[str, Any], field: str):
    with pytest.raises(ValueError, match=f"^{field}$"):
        registration("X", body)


async def test_a_message_from_an_address_that_was_not_agreed_is_quarantined(services: Services):
    await registering.register(services.database, registration("N1", {"networks": ["10.1.0.0/16"]}), "a")
    intake = Intake(services.database, services.gate, services.keys)
    token = ORIGIN.set(Origin("mllp", "192.0.2.7"))
    refused = await intake.take(message("1"))
    assert (refused.outcome.acknowledgement, refused.outcome.state) == ("AR", "quarantined")
    ORIGIN.reset(token)
    ORIGIN.set(Origin("mllp", "10.1.2.3"))
    assert (await intake.take(message("1"))).outcome.state == "stored"


async def test_a_key_is_shown_once_and_asked_for_over_http(api: httpx.AsyncClient, services: Services):
    key = await registering.new_key(services.database, "N2", "steward")
    assert registered("N2").key_hash != key
    headers = {"content-type": "text/plain"}
    assert (await api.post("/exchange/hl7v2", content=message("1", "N2"), headers=headers)).status_code == 401
    assert (await api.post("/exchange/hl7v2", content=message("1", "N2"), headers={**headers, "authorization": f"Bearer {key}"})).status_code == 200
    assert (await api.post("/exchange/hl7v2", content=message("2", "N2"), headers={**headers, "x-api-key": key})).status_code == 200
    assert (await api.post("/exchange/hl7v2", content=message("1", "N3"), headers=headers)).status_code == 200


async def test_the_pages_of_a_sender_and_of_quality(api: httpx.AsyncClient, services: Services):
    await send(services, *(message(str(n), address="云州市") for n in range(12)), message("z", sex="Z"))
    await counting.count_hours(services.database)
    listed = await api.get("/exchange/senders?lang=zh")
    assert "N1" in listed.text
    one = await api.get("/exchange/senders/one?name=N1&lang=en")
    assert one.status_code == 200
    assert "Completeness by field" in one.text
    assert "100.0 %" in one.text
    assert (await api.get("/exchange/senders/one?name=")).status_code == 404
    assert (await api.get("/exchange/senders/one?name=YZTCM")).status_code == 200
    for page in (f"/exchange/quarantine?sender={'9' * 5000}", f"/exchange/messages?sender={'9' * 5000}"):
        assert (await api.get(page)).status_code == 200, "a name that no disk would keep is no error"
    for key in ("9" * 20, "²", "-"):
        assert (await api.get("/exchange/codes/one", params={"sender_key": key})).status_code == 404
    report = await api.get("/exchange/quality?lang=zh")
    assert "完整性" in report.text
    csv = await api.get("/exchange/quality/report.csv?lang=en")
    assert csv.text.startswith("\ufeffMonth,Key,Sender,Messages,Completeness")
    assert ",N1,N1,13," in csv.text
    assert (await api.get("/exchange/quality?month=2020-01")).status_code == 200


async def test_a_sender_is_registered_on_its_page(api: httpx.AsyncClient):
    form = await api.get("/exchange/senders/edit?lang=zh")
    token = re.search(r'name="csrf" value="([^"]+)"', form.text)
    assert token
    fields = {"csrf": token[1], "sender": "N8", "name": "八院", "per_day": "100", "hours": "08-18", "networks": "10.1.1.1\r\n10.2.0.0/16"}
    wrong = await api.post("/exchange/senders/edit", data={**fields, "maps": "- a\n- b"})
    assert wrong.status_code == 422
    assert "不是有效的映射" in wrong.text
    assert "八院" in wrong.text
    assert (await api.post("/exchange/senders/edit", data={**fields, "networks": "x"})).status_code == 422
    right = await api.post("/exchange/senders/edit", data={**fields, "maps": "zone: '+07:00'"}, follow_redirects=True)
    assert right.status_code == 200
    assert "八院" in right.text
    assert registered("N8") == Registration("N8", "八院", "", "", ("10.1.1.1", "10.2.0.0/16"), (), "", 100, "08-18", "", "", {"zone": "+07:00"})
    assert sender_of("N8").zone.utcoffset(None) == timedelta(hours=7)


def test_facts_tell_what_is_there_and_nothing_of_it():
    patient = {
        "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": "990121195603040423"}], "name": [{"text": "周秀兰"}],
        "gender": "male", "birthDate": "1956-03-04", "telecom": [{"system": "phone", "value": "1"}],
    }
    result = {
        "resourceType": "Observation", "code": {"coding": [{"system": "http://loinc.org", "code": "1-8"}]},
        "valueQuantity": {"value": 1}, "effectiveDateTime": "2026-03-01",
    }
    local = {"resourceType": "Observation", "code": {"coding": [{"system": "urn:kangyun:sender:X:codes:99", "code": "1"}]}}
    found = facts_of([patient], [result, local])
    told = {name: bool(found.filled >> place & 1) for place, name in enumerate(MEASURED) if found.asked >> place & 1}
    assert told == {
        "name": True, "sex": True, "born": True, "id_number": True, "phone": True, "address": False, "contact": False,
        "unit": False, "range": False, "time": False, "agrees": False,
    }
    assert (found.codes, found.coded, found.entries) == (2, 1, 3)


async def test_a_program_that_sends_is_called_by_its_registered_name(services: Services) -> None:
    program = await clients.add(services, Actor("local", "operator"), programs.Registration("化验接口", "Laboratory link", "system/*.cruds"))
    registering.forget()
    await registering.learn_programs(services.database)
    assert [sender_of(f"fhir:client/{program.id}").called(language) for language in ("zh", "en")] == ["化验接口", "Laboratory link"]
    assert sender_of("fhir:client/nobody").called("zh") == "fhir:client/nobody"
