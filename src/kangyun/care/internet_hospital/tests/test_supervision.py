"""Operations keep what is offered and answer complaints; the supervisor finds every consultation and every broken rule."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.fhir import refused
from tests.staffing import PASSWORD

from kangyun.base import clock
from kangyun.care.internet_hospital.actions import expiring
from kangyun.care.internet_hospital.decisions.alerts import datasets
from kangyun.care.internet_hospital.tests.scene import RECORD, Scene
from kangyun.care.internet_hospital.tests.test_pages import send
from kangyun.commons.access import Actor, Write

BUREAU = Actor("user/bureau", "supervisor", "bureau", account="bureau", purpose="supervision")
NDJSON = "/api/internet_hospital/regulator"


def lines(response: httpx.Response) -> list[dict[str, Any]]:
    """The objects of an NDJSON answer."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


async def test_an_epidemic_line_opens_at_once_and_is_answered_without_a_proof(scene: Scene) -> None:
    async with scene.at(scene.operations) as operations, scene.at(await scene.resident("冯丽", diagnosis="")) as resident:
        opened = await send(operations.page, "/consult/operations", "/consult/operations/lines", name="流感咨询专线", about="发热怎么办")
        assert opened.status_code == 303, opened.text
        page = (await resident.page.get("/consult")).text
        assert "流感咨询专线" in page
        line = next(one for one in (await scene.platform.search("HealthcareService", "service-category=advice-line")).resources if one["name"] == "流感咨询专线")
        asked = await scene.ask(resident, line["id"], kind="advice", triage={"resourceType": "QuestionnaireResponse", "item": []})
        assert asked.json()["status"] == "arrived", asked.text
        async with scene.at(await scene.doctor("值班")) as doctor:
            id_ = asked.json()["id"]
            assert (await doctor.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD)).status_code == 200
            assert (await doctor.do(f"Encounter/{id_}/$answer", client="1", text="多喝水")).status_code == 200
            assert (await doctor.do(f"Encounter/{id_}/$finish")).json()["status"] == "finished"
        closed = await operations.do(f"HealthcareService/{line['id']}/$turn", active=False)
        assert closed.json()["active"] is False
        refused(await scene.ask(resident, line["id"], kind="advice"), 409)


async def test_operations_keep_clinics_and_doctors_of_their_own_institution_only(scene: Scene) -> None:
    async with scene.at(scene.operations) as operations:
        form = "/consult/operations/clinics/new"
        wrong = await send(operations.page, form, form, name="", subject="50", price="abc", diagnoses="高血压", kinds="text")
        assert wrong.status_code == 422
        for word in ("A name is needed", "within the licence", "between 0 and 1000", "I10-I15"):
            assert word in wrong.text
        made = await send(operations.page, form, form, name="糖尿病门诊", subject="03", price="12.50", diagnoses="e10-e14", kinds=["text", "video"], active="yes")
        assert made.status_code == 303, made.text
        kept = next(one for one in (await scene.platform.search("HealthcareService", "name=糖尿病门诊")).resources)
        assert [one["valueMoney"]["value"] for one in kept["extension"] if "valueMoney" in one] == [12.5]
        doctors = await operations.page.get("/consult/operations/doctors", params={"q": "王"})
        assert doctors.status_code == 200
    stranger = Actor("user/other", "operations", "another-hospital", account="other", purpose="administration")
    async with scene.at(stranger) as other:
        refused(await other.do(f"HealthcareService/{scene.clinic}/$turn", active=False), 404)
        assert (await other.page.get(f"/consult/operations/clinics/{scene.clinic}")).status_code == 404


async def test_a_complaint_is_taken_up_and_answered_in_time(scene: Scene) -> None:
    async with (
        scene.at(await scene.resident("秦岭")) as resident, scene.at(await scene.doctor("秦医生")) as doctor, scene.at(scene.operations) as operations,
    ):
        id_ = await scene.begun(resident, doctor)
        task = (await resident.do(f"Encounter/{id_}/$complain", topic="attitude", words="回复太慢")).json()["id"]
        assert "回复太慢" in (await operations.page.get("/consult/operations")).text
        refused(await operations.do(f"Task/{task}/$handle", event="answer", words="抱歉"), 409)
        path = f"/consult/operations/complaints/{task}"
        assert (await send(operations.page, "/consult/operations", path, event="accept")).status_code == 303
        assert (await send(operations.page, "/consult/operations", path, event="answer", words="已提醒医生")).status_code == 303
        assert "已提醒医生" in (await resident.page.get(f"/consult/visits/{id_}")).text
        again = await resident.do(f"Task/{task}/$complaint", event="reopen", words="还是很慢")
        assert again.json()["status"] == "requested"
        refused(await doctor.do(f"Task/{task}/$handle", event="accept"), 403)
        async with scene.at(await scene.resident("别人")) as other:
            refused(await other.do(f"Task/{task}/$complaint", event="withdraw"), 404)


async def test_the_supervisor_follows_a_consultation_from_beginning_to_end(scene: Scene) -> None:
    async with scene.at(await scene.resident("周秀兰")) as resident, scene.at(await scene.doctor("王建国")) as doctor, scene.at(BUREAU) as bureau:
        id_ = await scene.begun(resident, doctor)
        await doctor.do(f"Encounter/{id_}/$answer", client="1", text="好的")
        await doctor.do(f"Encounter/{id_}/$sign", sections=RECORD, diagnosis={"code": "I10", "display": "高血压"})
        assert (await doctor.do(f"Encounter/{id_}/$finish")).status_code == 200
        await resident.do(f"Encounter/{id_}/$rate", doctor=5, service=4)
        told = {name: lines(await bureau.page.get(f"{NDJSON}/{name}")) for name in datasets()}
        [session] = [one for one in told["session"] if one["id"] == id_]
        assert (session["kind"], session["outcome"], session["presence"], session["messages"]) == ("text", "done", "password", 2)
        [proof] = [one for one in told["proof"] if one["session"] == id_]
        assert (proof["source"], proof["state"]) == ("record", "accepted")
        [record] = [one for one in told["record"] if one["session"] == id_]
        assert record["signed_by"] == doctor.actor.practitioner
        assert record["kept_until"].startswith(str(datetime.now(UTC).year + 15))
        assert "<20" in record["plan"]
        assert [one["service"] for one in told["evaluation"] if one["session"] == id_] == [4]
        person = next(one for one in told["patient"] if one["id"] == session["patient"])
        assert person["name"] == "周*"
        assert "周秀兰" not in json.dumps(told["patient"], ensure_ascii=False)
        assert next(one for one in told["staff"] if one["id"] == doctor.actor.practitioner)["certificate"]
        assert [one["licence"] for one in told["institution"]] == ["PDY990100001"]
        for day in ("0001-01-01", "9999-12-31"):
            assert (await bureau.page.get("/consult/supervision", params={"to": day})).status_code == 422
        page = (await bureau.page.get("/consult/supervision")).text
        assert f'<span class="consult-number">{len(told["session"])}</span>' in page
        trace = await bureau.page.get(f"/consult/supervision/sessions/{id_}")
        assert "No rule is broken" in trace.text
        assert (await bureau.page.get(f"{NDJSON}/nothing")).status_code == 404
        assert (await bureau.page.get(f"{NDJSON}/session", params={"from": "2026-01-01", "to": "2026-12-31"})).status_code == 422
        assert (await resident.page.get(f"{NDJSON}/session")).status_code == 403


def medicine(id_: str, visit: dict[str, Any], name: str, written: str, days: int) -> Write:
    """A line of a prescription as it would come from elsewhere."""
    return Write("update", "MedicationRequest", {
        "resourceType": "MedicationRequest", "id": f"{id_}-1", "status": "active", "intent": "order", "subject": visit["subject"],
        "medicationCodeableConcept": {"text": name}, "encounter": {"reference": f"Encounter/{visit['id']}"}, "authoredOn": written,
        "groupIdentifier": {"system": "urn:x", "value": id_}, "dispenseRequest": {"expectedSupplyDuration": {"value": days, "unit": "d"}},
    }, f"{id_}-1")


@pytest.mark.parametrize(("name", "seconds", "days", "codes"), [
    ("苯磺酸氨氯地平片", 600, 14, set[str]()),
    ("艾司唑仑片", 600, 14, {"forbidden-drug"}),
    ("苯磺酸氨氯地平片", -60, 14, {"before-triage"}),
    ("苯磺酸氨氯地平片", 3, 120, {"too-fast", "over-limit"}),
])
async def test_what_is_against_the_rules_is_found(scene: Scene, name: str, seconds: int, days: int, codes: set[str]) -> None:
    async with scene.at(await scene.resident("丁")) as resident, scene.at(await scene.doctor("戊")) as doctor, scene.at(BUREAU) as bureau:
        id_ = await scene.begun(resident, doctor)
        visit = await scene.platform.read("Encounter", id_)
        assert visit
        began = datetime.fromisoformat(visit["statusHistory"][-1]["period"]["end"])
        written = clock.instant(began + timedelta(seconds=seconds))
        await scene.platform.commit([medicine(f"rx{id_[:20]}", visit, name, written, days)])
        found = {one["session"]: {each["code"] for each in one["alerts"]} for one in lines(await bureau.page.get(f"{NDJSON}/alerts"))}
        assert found.get(id_, set()) == codes
        for code in codes:
            page = await bureau.page.get("/consult/supervision", params={"rule": code})
            assert f"/consult/supervision/sessions/{id_}" in page.text


async def test_a_prescription_of_the_second_in_which_the_talk_began_is_not_before_it(scene: Scene) -> None:
    async with scene.at(await scene.resident("壬")) as resident, scene.at(await scene.doctor("癸")) as doctor, scene.at(BUREAU) as bureau:
        id_ = await scene.begun(resident, doctor)
        visit = await scene.platform.read("Encounter", id_)
        assert visit
        began = datetime.fromisoformat(visit["statusHistory"][-1]["period"]["end"])
        await scene.platform.commit([medicine(f"rx{id_[:20]}", visit, "苯磺酸氨氯地平片", began.isoformat(timespec="seconds"), 14)])
        found = {one["session"]: {each["code"] for each in one["alerts"]} for one in lines(await bureau.page.get(f"{NDJSON}/alerts"))}
        assert found.get(id_, set()) == {"too-fast"}


async def test_what_nobody_comes_back_to_ends_by_itself(scene: Scene) -> None:
    async with scene.at(await scene.resident("庚")) as resident, scene.at(await scene.doctor("辛")) as doctor:
        waiting = (await scene.ask(resident)).json()["id"]
        silent = await scene.begun(resident, doctor, key="2")
        await expiring.sweep(scene.services, {})
        assert (await scene.platform.read("Encounter", waiting) or {})["status"] == "arrived"
        later = clock.now() + timedelta(hours=49)
        clock.set_source(lambda: later)
        await expiring.sweep(scene.services, {})
        states = {id_: (await scene.platform.read("Encounter", id_) or {})["status"] for id_ in (waiting, silent)}
        assert states == {waiting: "cancelled", silent: "finished"}
