"""Insurance over HTTP: residents estimate their own, institutions settle their own, the insurer tells what it did."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import orjson
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build as application
from kangyun.base.fhir import json as fhir_json
from kangyun.commons.access import Actor, Write
from kangyun.commons.population import person_of
from kangyun.support import insurance
from kangyun.support.insurance.actions.clearing import clear
from kangyun.support.insurance.actions.sending import resend, send
from kangyun.support.insurance.decisions.claims import claim_of
from kangyun.support.insurance.decisions.clearing import Booked, differences
from kangyun.support.insurance.gateways.insurer import Refusal, Unanswered
from kangyun.support.insurance.model import Insured
from kangyun.support.insurance.queries import by_id
from kangyun.support.insurance.tests.region import DAY, TABLETS, VISIT, Region, build, region_of

FHIR = {"content-type": "application/fhir+json"}


@pytest.fixture(scope="module")
async def region(services: Services) -> AsyncIterator[Region]:
    with region_of(services) as (with_insurer, simulator):
        made = await build(with_insurer, simulator)
        await insurance.ask_eligibility(made.platform, with_insurer.insurer, made.woman)
        yield made


@asynccontextmanager
async def app_of(region: Region, role: str, institution: str = "", person: str = "") -> AsyncGenerator[httpx.AsyncClient]:
    """A program with a token of somebody's."""
    actor = Actor(f"user/{role}", role, institution or None, person=person or None, account=role)
    secret = await region.services.entries.issue(actor, kind="token", lasts=600, client="app")
    transport = httpx.ASGITransport(application(region.services, {}), raise_app_exceptions=False, client=("10.1.1.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test") as client:
        client.headers["authorization"] = f"Bearer {secret}"
        yield client


def claim(region: Region, **more: Any) -> dict[str, Any]:
    """A Claim as a hospital's system sends it."""
    told = claim_of(replace(region.bill(on=DAY), **more), Insured("", region.insurer, "", "", "", coverage="x"), "sent", "2026-06-01")
    return {name: value for name, value in told.items() if name not in {"id", "identifier"}}


def submission(region: Region, key: str, cash: str | None = None, **more: Any) -> bytes:
    """Parameters of $submit."""
    parameters: list[dict[str, Any]] = [{"name": "resource", "resource": claim(region, **more)}, {"name": "key", "valueString": key}]
    parameters += [{"name": "cash", "valueMoney": {"value": cash, "currency": "CNY"}}] if cash is not None else []
    return fhir_json.dumps({"resourceType": "Parameters", "parameter": parameters})


def parts(response: dict[str, Any]) -> dict[str, str]:
    return {one["category"]["coding"][0]["code"]: f"{one['amount']['value']:.2f}" for one in response["total"]}


async def test_a_resident_estimates_for_herself_and_for_nobody_else(region: Region) -> None:
    person = await person_of(region.platform, region.woman)
    assert person
    async with app_of(region, "resident", person=person["id"]) as client:
        told = await client.post("/fhir/Claim/$estimate", content=fhir_json.dumps(claim(region)), headers=FHIR)
        assert told.status_code == 200, told.text
        assert (parts(told.json())["fund"], parts(told.json())["cash"]) == ("134.98", "0.00")
        other = await client.post("/fhir/Claim/$estimate", content=fhir_json.dumps(claim(region, patient=region.man)), headers=FHIR)
        assert other.status_code == 404
        asked = {"resourceType": "Parameters", "parameter": [{"name": "patient", "valueReference": {"reference": f"Patient/{region.man}"}}]}
        assert (await client.post("/fhir/Coverage/$eligibility", content=orjson.dumps(asked), headers=FHIR)).status_code == 404
        refused = await client.post("/fhir/Claim/$submit", content=submission(region, "mine"), headers=FHIR)
        assert refused.status_code == 403


async def test_a_clerk_settles_bills_of_the_own_institution_once(region: Region) -> None:
    async with app_of(region, "clerk", region.hospital) as client:
        body = submission(region, "w1", cash="0.00")
        told = await asyncio.gather(*(client.post("/fhir/Claim/$submit", content=body, headers=FHIR) for _ in range(4)))
        assert {one.status_code for one in told} == {200}, told[0].text
        assert len({one.json()["id"] for one in told}) == 1
        response = told[0].json()
        assert response["outcome"] == "queued"
        changed = await client.post("/fhir/Claim/$submit", content=submission(region, "w2", cash="1.00"), headers=FHIR)
        assert (changed.status_code, changed.json()["issue"][0]["diagnostics"]) == (409, "insurance.changed")
        keyless = await client.post("/fhir/Claim/$submit", content=fhir_json.dumps(claim(region)), headers=FHIR)
        assert (keyless.status_code, keyless.json()["issue"][0]["diagnostics"]) == (422, "insurance.no-key")
        id_ = response["id"].removeprefix("clr-")
    async with app_of(region, "clerk", region.clinic) as other:
        assert (await other.post("/fhir/Claim/$submit", content=submission(region, "w3"), headers=FHIR)).status_code == 403
        assert (await other.post(f"/fhir/Claim/clm-{id_}/$reverse", headers=FHIR)).status_code == 404
    async with app_of(region, "clerk", region.hospital) as client:
        back = await client.post(f"/fhir/Claim/clm-{id_}/$reverse", headers=FHIR)
        assert (back.status_code, back.json()["status"]) == (200, "cancelled")


@pytest.mark.parametrize(("patient", "where"), [
    ({"valueReference": "Patient/x"}, "Parameters.parameter[0].value"), ({"valueReference": [{"reference": "Patient/x"}]}, "Parameters.parameter[0].value"), (5, "Parameters.parameter[0]"),
])
async def test_a_question_of_another_shape_is_refused_with_its_place(region: Region, patient: Any, where: str) -> None:
    async with app_of(region, "clerk", region.hospital) as client:
        asked = {"resourceType": "Parameters", "parameter": [{"name": "patient", **patient} if isinstance(patient, dict) else patient]}
        refused = await client.post("/fhir/Coverage/$eligibility", content=orjson.dumps(asked), headers=FHIR)
        assert (refused.status_code, refused.json()["issue"][0]["expression"]) == (400, [where]), refused.text


@pytest.mark.parametrize(("change", "key", "where"), [
    ({"item": []}, "insurance.wrong-lines", "Claim.item"),
    ({"subType": {"coding": [{"code": "moon"}]}}, "insurance.wrong-scene", "Claim.subType"),
    ({"billablePeriod": {"end": "tomorrow"}}, "insurance.wrong-day", "Claim.billablePeriod.end"),
    ({"provider": {"reference": "Organization/nowhere"}}, "insurance.no-place", "Claim.provider"),
])
async def test_a_claim_that_cannot_be_read_names_what_is_wrong(region: Region, change: dict[str, Any], key: str, where: str) -> None:
    async with app_of(region, "clerk", region.hospital) as client:
        told = await client.post("/fhir/Claim/$estimate", content=fhir_json.dumps({**claim(region), **change}), headers=FHIR)
        issue = told.json()["issue"][0]
        assert (told.status_code, issue["diagnostics"], issue["expression"]) == (422, key, [where])


@pytest.mark.parametrize("change", [
    {"unitPrice": {"value": 1.005, "currency": "CNY"}}, {"unitPrice": {"value": 5, "currency": "USD"}}, {"quantity": {"value": 0}},
    {"quantity": {"value": "many"}}, {"factor": 2}, {"programCode": [{"coding": [{"code": "D"}]}]}, {"net": {"value": 1, "currency": "CNY"}},
    {"unitPrice": {"value": -5, "currency": "CNY"}},
])
async def test_a_line_that_cannot_be_right_is_named(region: Region, change: dict[str, Any]) -> None:
    told = claim(region)
    told["item"][1] = {**told["item"][1], **change}
    async with app_of(region, "clerk", region.hospital) as client:
        answer = await client.post("/fhir/Claim/$estimate", content=fhir_json.dumps(told), headers=FHIR)
        assert (answer.status_code, answer.json()["issue"][0]["expression"][0][:13]) == (422, "Claim.item[1]")


async def test_the_doctor_is_told_before_and_the_resident_is_not_billed_for_the_fund(region: Region) -> None:
    albumin = replace(TABLETS, code="XB05AAR002B002", name="人血白蛋白", atc="B05AA01", dose=0, kind="B")
    async with app_of(region, "clerk", region.hospital) as client:
        told = await client.post("/fhir/Claim/$audit", content=fhir_json.dumps(claim(region, lines=(albumin, VISIT))), headers=FHIR | {"accept-language": "en"})
        assert told.json()["processNote"][0]["text"].startswith("人血白蛋白: insurance pays for listed indications only")
        assert parts(told.json())["excluded"] == "112.00"


async def test_a_dead_person_is_not_settled(region: Region) -> None:
    kept = await region.platform.read("Patient", region.woman)
    assert kept
    await region.platform.commit([Write("update", "Patient", {**kept, "deceasedDateTime": "2026-05-01"}, id=region.woman)])
    async with app_of(region, "clerk", region.hospital) as client:
        told = await client.post("/fhir/Claim/$submit", content=submission(region, "dead"), headers=FHIR)
    await region.platform.commit([Write("update", "Patient", kept, id=region.woman)])
    assert (told.status_code, told.json()["issue"][0]["diagnostics"]) == (409, "insurance.audit-refuses")


async def notice(region: Region, body: dict[str, Any], *, forged: bool = False) -> httpx.Response:
    """What the insurer posts."""
    content = orjson.dumps(body)
    transport = httpx.ASGITransport(application(region.services, {}), raise_app_exceptions=False, client=("10.9.9.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test") as client:
        return await client.post("/insurance/notices", content=content, headers=region.simulator.heads(content, secrets.token_hex(8), forged=forged))


async def test_a_notice_is_believed_only_when_it_is_signed_and_counts_once(region: Region) -> None:
    made = await insurance.settle(region.platform, region.bill(), key="notice")
    region.simulator.faults.append("lost")
    await send(region.services, {"id": made.id})
    info = region.simulator.told_of(made.id)
    body = {"infno": "6302", "msgid": "n1", "input": info}
    assert (await notice(region, body, forged=True)).status_code == 401
    assert [(await notice(region, body)).json()["infcode"] for _ in range(3)] == [0, 0, 0]
    async with region.services.database.connection() as connection:
        found = await by_id(connection, made.id)
    assert found
    assert found.state == "confirmed"
    versions = await region.platform.history("ExplanationOfBenefit", f"eob-{made.id}")
    assert len(versions) == 1
    assert (await notice(region, {"infno": "6302", "msgid": "n2", "input": {"setlinfo": {"setl_msgid": "nobody"}}})).json()["infcode"] == -1
    assert (await notice(region, {"infno": "1", "msgid": "n3", "input": {}})).status_code == 422


async def test_a_message_that_comes_after_its_reversal_is_refused_there(region: Region) -> None:
    made = await insurance.settle(region.platform, region.bill(), key="overtaken")
    await insurance.reverse(region.platform, made.id)
    await send(region.services, {"id": made.id, "back": True})
    with pytest.raises(Refusal):
        await region.services.insurer.ask("settle", made.id, region.hospital, {"data": {}, "feedetail": []})
    assert made.id not in region.simulator.books


async def test_a_stranger_cannot_speak_to_the_insurer_or_for_it(region: Region) -> None:
    region.simulator.faults.append("forged")
    with pytest.raises(Unanswered):
        await region.services.insurer.ask("presettle", "m" * 30, region.hospital, {})
    transport = httpx.ASGITransport(region.simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://insurer.test") as stranger:
        assert (await stranger.post("/", json={"infno": "1101", "msgid": "x", "input": {}})).status_code == 401


async def test_the_clearing_finds_every_planted_difference(region: Region) -> None:
    day = date(2026, 5, 4)
    made = []
    for number in range(8):
        one = await insurance.settle(region.platform, region.bill(on=day), key=f"clear/{number}")
        await send(region.services, {"id": one.id})
        made.append(one.id)
    assert await clear(region.services, region.insurer, day) == []
    books = region.simulator.books
    changed, gone, back, ours_back, _, _, up, down = made
    books[changed].figures = books[changed].figures | {"fund": books[changed].figures["fund"] + 1}
    books[back].state = "cancelled"
    del books[gone]
    await insurance.reverse(region.platform, ours_back)
    stranger = replace(books[changed], message="f" * 30, number="S-stranger", figures=books[up].figures)
    books[stranger.message] = stranger
    # Two errors that cancel each other out in the sums are still two.
    books[up].figures = books[up].figures | {"fund": books[up].figures["fund"] + 500, "cash": books[up].figures["cash"] - 500}
    books[down].figures = books[down].figures | {"fund": books[down].figures["fund"] - 500, "cash": books[down].figures["cash"] + 500}
    found = {(one.kind, one.settlement) for one in await clear(region.services, region.insurer, day)}
    assert found == {
        ("amount", changed), ("missing-there", gone), ("reversed-there", back), ("reversed-here", ours_back), ("missing-here", stranger.message),
        ("amount", up), ("amount", down)}


def test_a_doubled_settlement_is_a_difference_even_if_the_figures_are_equal() -> None:
    figures = {"total": 100, "fund": 60, "serious": 0, "supplement": 0, "aid": 0, "account": 0, "cash": 40}
    ours = [Booked("a", "", valid=True, figures=figures)]
    theirs = [Booked("a", number, valid=True, figures=figures) for number in ("S1", "S2")]
    assert [one.kind for one in differences(ours, theirs)] == ["doubled"]
    assert differences(ours, theirs[:1]) == []


async def test_what_waited_while_the_insurer_was_away_is_taken_up_again(region: Region) -> None:
    made = await insurance.settle(region.platform, region.bill(), key="waits")
    async with region.services.database.connection() as connection:
        await connection.execute("UPDATE insurance_settlement SET changed = now() - interval '1 hour' WHERE id = $1", made.id)
    await resend(region.services, {})
    async with region.services.database.connection() as connection:
        found = await by_id(connection, made.id)
    assert found
    assert found.state == "confirmed"
