"""From asking to the signed record, and the law's limits on the way, through the FHIR operations."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from tests.fhir import refused
from tests.staffing import PASSWORD

from kangyun.care.internet_hospital.tests.scene import RECORD, Scene, answers, picture
from kangyun.commons.access import verify_signature


async def test_a_consultation_by_text_from_asking_to_the_signed_record(scene: Scene) -> None:
    async with scene.at(await scene.resident("周秀兰")) as resident, scene.at(await scene.doctor("王建国")) as doctor:
        asked = await scene.ask(resident, key="k1")
        assert asked.status_code == 201, asked.text
        visit = asked.json()
        assert (visit["status"], visit["class"]["code"]) == ("arrived", "VR")
        assert (await scene.ask(resident, key="k1")).json()["id"] == visit["id"], "the same wish sent twice is one"
        id_ = visit["id"]
        refused(await doctor.do(f"Encounter/{id_}/$answer", client="a", text="您好"), 409, "conflict")
        started = await doctor.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD)
        assert started.json()["status"] == "in-progress", started.text
        said = [await doctor.do(f"Encounter/{id_}/$answer", client="a", text="您好，最近血压怎么样？") for _ in range(3)]
        assert len({one.json()["id"] for one in said}) == 1, "a message that is sent again is not doubled"
        shown = base64.b64encode(picture())
        replied = await resident.do(f"Encounter/{id_}/$say", client="a", text="148/92", picture=shown)
        assert [next(iter(part)) for part in replied.json()["payload"]] == ["contentString", "contentReference"]
        refused(await doctor.do(f"Encounter/{id_}/$finish"), 409)
        refused(await doctor.do(f"Encounter/{id_}/$sign", sections={"chief": "复诊"}), 422)
        signed = await doctor.do(f"Encounter/{id_}/$sign", sections=RECORD, diagnosis={"code": "I10", "display": "高血压"})
        assert signed.json()["status"] == "final", signed.text
        [verdict] = await verify_signature(scene.platform, "Composition", signed.json()["id"])
        assert verdict.holds
        refused(await doctor.do(f"Encounter/{id_}/$record", sections=RECORD | {"plan": "改了"}), 409)
        done = await doctor.do(f"Encounter/{id_}/$finish")
        assert (done.json()["status"], done.json()["diagnosis"][0]["rank"]) == ("finished", 1)
        refused(await resident.do(f"Encounter/{id_}/$say", client="z", text="还有问题"), 409)
        rated = await resident.do(f"Encounter/{id_}/$rate", doctor=5, service=4, words="很好")
        assert rated.status_code == 201
        refused(await resident.do(f"Encounter/{id_}/$rate", doctor=1, service=1), 409, "duplicate")


@pytest.mark.parametrize(("told", "status", "key"), [
    ({"consent": False}, 422, "no-consent"),
    ({"triage": answers(chest_pain=True)}, 409, "red-flag"),
    ({"triage": answers(systolic=190)}, 409, "red-flag"),
    ({"complaint": " "}, 422, "no-complaint"),
    ({"kind": "advice"}, 422, "wrong-kind"),
])
async def test_what_is_not_for_the_internet_is_refused_with_its_reason(scene: Scene, told: dict[str, Any], status: int, key: str) -> None:
    async with scene.at(await scene.resident("李梅")) as resident:
        issue = refused(await scene.ask(resident, **told), status)
        assert issue["diagnostics"].endswith(key)


@pytest.mark.parametrize(("diagnosis", "days"), [("", 0), ("E11.9", 10), ("I10", 181)])
async def test_a_first_visit_is_sent_off_line_and_a_paper_is_judged_by_the_doctor(scene: Scene, diagnosis: str, days: int) -> None:
    actor = await scene.resident("陈志明", diagnosis=diagnosis, days=days)
    async with scene.at(actor) as resident, scene.at(await scene.doctor("刘志远")) as doctor:
        assert refused(await scene.ask(resident), 409)["diagnostics"].endswith("first-visit")
        paper = base64.b64encode(picture())
        id_ = await scene.begun(resident, doctor, proof=[paper, paper])
        told = {"sections": RECORD, "diagnosis": {"code": "I10", "display": "高血压"}}
        assert refused(await doctor.do(f"Encounter/{id_}/$sign", **told), 409)["diagnostics"].endswith("proof-not-judged")
        if days == 181:
            sent = await doctor.do(f"Encounter/{id_}/$judge-proof", accepted=False)
            assert sent.json()["status"] == "finished"
            assert "offline" in sent.text
        else:
            assert (await doctor.do(f"Encounter/{id_}/$judge-proof", accepted=True)).status_code == 200
            assert (await doctor.do(f"Encounter/{id_}/$sign", **told)).status_code == 200


async def test_a_diagnosis_that_is_not_for_the_internet_sends_to_a_hospital(scene: Scene) -> None:
    actor = await scene.resident("王德福", diagnosis="I21.9", days=3)
    async with scene.at(actor) as resident:
        keys = [one["diagnostics"].rpartition("-")[2] for one in (await scene.ask(resident)).json()["issue"]]
        assert keys == ["visit", "unsuitable"]


@pytest.mark.parametrize(("changed", "key"), [
    ({"licensed": "2024-12-01"}, "doctor-too-short"),
    ({"subjects": ("07",)}, "doctor-out-of-scope"),
    ({"registered": "2015-01-01", "until": "2025-01-01"}, "doctor-registration-over"),
])
async def test_a_doctor_who_may_not_answer_is_told_why(scene: Scene, changed: dict[str, object], key: str) -> None:
    async with scene.at(await scene.resident("周敏")) as resident, scene.at(await scene.doctor("周医生", **changed)) as doctor:
        id_ = (await scene.ask(resident)).json()["id"]
        issue = refused(await doctor.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD), 403)
        assert issue["diagnostics"].endswith(key)
        assert refused(await doctor.do("PractitionerRole/$online", hours=2), 403)["diagnostics"].endswith(key)


async def test_nobody_begins_without_proving_who_sits_there(scene: Scene) -> None:
    async with scene.at(await scene.resident("孙立群")) as resident, scene.at(await scene.doctor("孙医生")) as doctor:
        id_ = (await scene.ask(resident)).json()["id"]
        assert refused(await doctor.do(f"Encounter/{id_}/$start"), 403)["diagnostics"].endswith("not-present")
        refused(await doctor.do(f"Encounter/{id_}/$start", means="password", code="wrong"), 401)
        refused(await doctor.do(f"Encounter/{id_}/$start", means="face", code="x"), 422)
        assert (await doctor.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD)).status_code == 200


async def test_nobody_stands_in_for_the_doctor_and_a_second_device_is_refused(scene: Scene) -> None:
    actor = await scene.doctor("冯丽")
    async with (
        scene.at(await scene.resident("何平")) as resident, scene.at(actor) as doctor, scene.at(actor) as tablet,
        scene.at(await scene.doctor("替身")) as other,
    ):
        id_ = await scene.begun(resident, doctor)
        assert refused(await other.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD), 403)["diagnostics"].endswith("other-doctor")
        assert refused(await other.do(f"Encounter/{id_}/$answer", client="1", text="我来"), 403)["diagnostics"].endswith("other-doctor")
        assert refused(await tablet.do(f"Encounter/{id_}/$answer", client="2", text="我来"), 409)["diagnostics"].endswith("other-device")
        assert (await tablet.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD)).status_code == 200
        assert (await tablet.do(f"Encounter/{id_}/$answer", client="3", text="换了设备")).status_code == 200
        assert refused(await doctor.do(f"Encounter/{id_}/$answer", client="4", text="旧设备"), 409)["diagnostics"].endswith("other-device")


async def test_a_doctor_has_one_talk_by_video_at_a_time(scene: Scene) -> None:
    async with (
        scene.at(await scene.resident("甲")) as first, scene.at(await scene.resident("乙")) as second,
        scene.at(await scene.doctor("郑晓东")) as doctor,
    ):
        ids = [(await scene.ask(one, kind="video")).json()["id"] for one in (first, second)]
        begun = await asyncio.gather(*(doctor.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD) for id_ in ids))
        assert sorted(one.status_code for one in begun) == [200, 409]
        lost = ids[[one.status_code for one in begun].index(409)]
        won = next(id_ for id_ in ids if id_ != lost)
        assert (await doctor.do(f"Encounter/{won}/$send-offline", reason="worse")).status_code == 200
        assert (await doctor.do(f"Encounter/{lost}/$start")).status_code == 200


async def test_a_child_comes_with_a_guardian_to_a_specialist(scene: Scene) -> None:
    calm = {"resourceType": "QuestionnaireResponse", "item": [{"linkId": "drowsy", "answer": [{"valueBoolean": False}]}]}
    ward = await scene.resident("小明", born="2022-05-01", diagnosis="J45.9", role="guardian")
    specialist = await scene.doctor("华思源", subjects=("07",), clinics=(scene.children,))
    async with scene.at(ward) as guardian, scene.at(specialist) as doctor:
        assert refused(await scene.ask(guardian, scene.children, triage=calm), 422)["diagnostics"].endswith("no-guardian")
        keys = {one["diagnostics"] for one in (await scene.ask(guardian, guardian=True)).json()["issue"]}
        assert "internet_hospital.admission-no-specialist" in keys
        id_ = (await scene.ask(guardian, scene.children, triage=calm, guardian=True)).json()["id"]
        assert refused(await doctor.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD), 422)["diagnostics"].endswith("guardian-not-seen")
        assert (await doctor.do(f"Encounter/{id_}/$start", guardian=True)).status_code == 200


async def test_what_is_no_picture_is_refused(scene: Scene) -> None:
    async with scene.at(await scene.resident("丙")) as resident, scene.at(await scene.doctor("丁")) as doctor:
        id_ = await scene.begun(resident, doctor)
        for content in (b"<svg onload='x'/>", b"\x89PNG\r\n\x1a\n<script>", picture()[:60], b"GIF89a" + bytes(40)):
            answer = await resident.do(f"Encounter/{id_}/$say", client="p", picture=base64.b64encode(content))
            assert refused(answer, 422)["diagnostics"].endswith("no-picture")


async def test_somebody_else_s_consultation_is_not_there(scene: Scene) -> None:
    async with scene.at(await scene.resident("戊")) as resident, scene.at(await scene.resident("己")) as other:
        id_ = (await scene.ask(resident)).json()["id"]
        for deed in ("$say", "$withdraw", "$rate", "$complain"):
            refused(await other.do(f"Encounter/{id_}/{deed}", client="x", text="x", doctor=5, service=5, topic="other", words="x"), 404)
        assert (await other.api.get(f"/fhir/Encounter/{id_}")).status_code == 404
        refused(await other.do(f"Encounter/{id_}/$start"), 403)
        assert (await resident.do(f"Encounter/{id_}/$withdraw")).json()["status"] == "cancelled"


async def test_nobody_goes_past_the_operations(scene: Scene) -> None:
    async with scene.at(await scene.resident("庚")) as resident, scene.at(await scene.doctor("辛")) as doctor, scene.at(scene.operations) as operations:
        id_ = (await scene.ask(resident)).json()["id"]
        visit = (await doctor.api.get(f"/fhir/Encounter/{id_}")).json()
        forged = visit | {"status": "in-progress", "participant": [{"individual": {"reference": f"Practitioner/{doctor.actor.practitioner}"}}]}
        for node in (forged, {key: value for key, value in forged.items() if key not in {"meta", "type"}}):
            answer = await doctor.api.put(f"/fhir/Encounter/{id_}", json=node, headers={"content-type": "application/fhir+json"})
            assert refused(answer, 403)["diagnostics"].endswith("platforms-own")
        own = {"resourceType": "Encounter", "status": "finished", "class": visit["class"], "type": visit["type"], "subject": visit["subject"], "serviceProvider": visit["serviceProvider"]}
        assert refused(await doctor.api.post("/fhir/Encounter", json=own), 403)["diagnostics"].endswith("platforms-own")
        clinic = (await operations.api.get(f"/fhir/HealthcareService/{scene.clinic}")).json()
        wider = clinic | {"specialty": [{"coding": [{"system": "urn:kangyun:subject", "code": "50"}]}]}
        assert refused(await operations.api.put(f"/fhir/HealthcareService/{scene.clinic}", json=wider), 403)["diagnostics"].endswith("platforms-own")
        assert refused(await operations.do("HealthcareService/$keep", resource=wider), 422)["diagnostics"].endswith("wrong-subject")
