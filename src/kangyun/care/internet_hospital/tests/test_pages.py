"""The pages of residents and doctors, walked through as people do."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from tests.staffing import PASSWORD

from kangyun.base import rules
from kangyun.care.internet_hospital.decisions import papers
from kangyun.care.internet_hospital.tests.scene import CALM, RECORD, Scene, picture

_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


async def send(at: httpx.AsyncClient, page: str, path: str, pictures: int = 0, /, **fields: str | list[str]) -> httpx.Response:
    """Open a page and send one of its forms."""
    shown = await at.get(page)
    token = _CSRF.search(shown.text)
    assert token, shown.text[:3000]
    shots = [("picture", (f"{n}.png", picture(), "image/png")) for n in range(pictures)]
    return await at.post(path, data={"csrf": token[1], **fields}, files=shots or None)


async def test_a_resident_and_a_doctor_walk_through_a_consultation(scene: Scene) -> None:
    async with scene.at(await scene.resident("周秀兰")) as resident, scene.at(await scene.doctor("王建国")) as doctor:
        opened = await send(doctor.page, "/consult/doctor", "/consult/doctor/hours", event="open", hours="4")
        assert opened.status_code == 303, opened.text
        found = await resident.page.get("/consult")
        assert "高血压专病门诊" in found.text
        assert "1 doctor on line" in found.text
        assert "PDY990100001" in (await resident.page.get(f"/consult/hospitals/{scene.hospital}")).text
        assert "王建国" in (await resident.page.get(f"/consult/clinics/{scene.clinic}")).text
        form = f"/consult/clinics/{scene.clinic}/ask"
        names = dict(re.findall(r'data-link="([\w-]+)".*?name="([^"]+)"', (await resident.page.get(form)).text, re.DOTALL))
        said = {names[link]: str(value).lower() for link, value in CALM.items()}
        unsent = await send(resident.page, form, form, kind="text", complaint="续方", key="1", **said)
        assert unsent.status_code == 422
        assert "agree" in unsent.text
        empty = await send(resident.page, form, form, kind="text", complaint="", key="1")
        assert empty.status_code == 422
        for words in ("Please answer this question", "Say what troubles you", "Please tick that you have read this"):
            assert words in empty.text, "everything that is missing is told at once"
        danger = await send(resident.page, form, form, kind="text", complaint="续方", key="1", consent="yes", **said | {names["chest-pain"]: "true"})
        assert danger.status_code == 409
        assert "120" in danger.text
        sent = await send(resident.page, form, form, kind="text", complaint="续方 <b>", key="1", consent="yes", **said)
        assert sent.status_code == 303, sent.text
        visit = sent.headers["location"]
        assert "续方 &lt;b&gt;" in (await resident.page.get(visit)).text
        desk = visit.replace("/consult/", "/consult/doctor/")
        queue = await doctor.page.get("/consult/doctor?part=queue")
        assert "周秀兰" in queue.text
        before = await doctor.page.get(desk)
        assert "Prove who you are" in before.text
        wrong = await send(doctor.page, desk, f"{desk}/start", means="password", code="no")
        assert wrong.status_code == 401
        begun = await send(doctor.page, desk, f"{desk}/start", means="password", code=PASSWORD)
        assert begun.status_code == 303, begun.text
        answered = await send(doctor.page, desk, f"{desk}/messages", client="m1", text="请拍一张药盒")
        assert answered.status_code == 303, answered.text
        shown = await send(resident.page, visit, f"{visit}/messages", 1, client="m2", text="")
        assert shown.status_code == 303, shown.text
        newer = await resident.page.get(f"{visit}/messages", params={"after": "2020-01-01T00:00:00Z"})
        assert (newer.headers["x-consultation"], newer.text.count("data-id=")) == ("in-progress", 3)
        assert (await resident.page.get(f"{visit}/messages", params={"after": newer.headers["x-last"]})).text.strip() == ""
        shot = re.search(rf"{visit}/pictures/[\w-]+", newer.text)
        assert shot
        assert (await resident.page.get(shot[0])).content.startswith(b"\xff\xd8\xff")
        assert (await doctor.page.get(shot[0].replace("/consult/", "/consult/doctor/"))).status_code == 200
        codes = await doctor.page.get("/consult/doctor/diagnoses", params={"find": "gxy"})
        assert "I10" in codes.text
        sections = {f"section-{key}": text for key, text in RECORD.items()}
        added = await send(doctor.page, desk, f"{desk}/record", add="I10 高血压", **sections)
        assert 'value="I10 高血压"' in added.text
        lacking = await send(doctor.page, desk, f"{desk}/record", event="sign", diagnosis="I10 高血压", **sections | {"section-plan": ""})
        assert lacking.status_code == 422
        first = await send(doctor.page, desk, f"{desk}/record", first="yes", find="I10", diagnosis="E11.9 2型糖尿病", **sections)
        assert ('value="I10 ' in first.text, 'value="E11.9 ' in first.text) == (True, True), "Enter in the search adds, and takes nothing away"
        for early, words in (("finish", "Write and sign the medical record"), ("offline", "Choose why the patient goes off line")):
            kept = await send(doctor.page, desk, f"{desk}/{early}", diagnosis="I10 高血压", reason="other", words="", **sections)
            assert words in kept.text
            assert sections["section-plan"].split("<")[0] in kept.text, "what is written and not kept yet is still there"
        signed = await send(doctor.page, desk, f"{desk}/record", event="sign", diagnosis="I10 高血压", **sections)
        assert signed.status_code == 303, signed.text
        ordered = await send(doctor.page, desk, f"{desk}/orders", code="ecg", words="复查", on="")
        assert ordered.status_code == 303, ordered.text
        refused = await send(doctor.page, desk, f"{desk}/orders", code="follow-up", words="四周后", on="2020-01-01")
        assert (refused.status_code, 'value="四周后"' in refused.text, 'value="2020-01-01"' in refused.text) == (422, True, True)
        assert (await send(doctor.page, desk, f"{desk}/finish")).status_code == 303
        after = (await resident.page.get(visit)).text
        assert "低盐饮食；胸痛 &lt;20 分钟" in after
        assert "Electrocardiogram" in after
        bad = await send(resident.page, visit, f"{visit}/rate", doctor="9", service="2", words="慢")
        assert (bad.status_code, "Give 1 to 5 stars" in bad.text, ">慢</textarea>" in bad.text) == (422, True, True)
        bad = await send(resident.page, visit, f"{visit}/complain", topic="price", words="")
        assert (bad.status_code, "say what happened" in bad.text, 'value="price" selected' in bad.text) == (422, True, True)
        assert (await send(resident.page, visit, f"{visit}/rate", doctor="5", service="5", words="谢谢")).status_code == 303
        assert (await send(resident.page, visit, f"{visit}/complain", topic="waiting", words="等了很久")).status_code == 303
        assert "等了很久" in (await resident.page.get(visit)).text


async def test_the_same_consultation_is_open_on_one_device(scene: Scene) -> None:
    actor = await scene.resident("何平")
    async with scene.at(actor) as phone, scene.at(actor) as tablet:
        visit = f"/consult/visits/{(await scene.ask(phone)).json()['id']}"
        assert (await phone.page.get(visit)).status_code == 200
        elsewhere = await tablet.page.get(visit)
        assert elsewhere.status_code == 409
        assert (await tablet.page.get(f"{visit}/messages")).status_code == 409
        assert (await send(tablet.page, visit, f"{visit}/seat")).status_code == 303
        assert (await tablet.page.get(visit)).status_code == 200
        assert (await phone.page.get(visit)).status_code == 409


async def test_a_man_is_not_asked_whether_he_is_pregnant(scene: Scene) -> None:
    form = f"/consult/clinics/{scene.clinic}/ask"
    async with scene.at(await scene.resident("周秀兰")) as woman, scene.at(await scene.resident("王德福", gender="male")) as man:
        assert "Pregnant or breast-feeding?" in (await woman.page.get(form)).text
        shown = (await man.page.get(form)).text
        assert "Medicines you take now" in shown
        assert "Pregnant" not in shown
        names = dict(re.findall(r'data-link="([\w-]+)".*?name="([^"]+)"', shown, re.DOTALL))
        said = {names[link]: str(value).lower() for link, value in CALM.items() if link in names}
        sent = await send(man.page, form, form, kind="text", complaint="续方", key="man", consent="yes", **said)
        assert sent.status_code == 303, sent.text


async def test_another_wording_of_the_consent_is_another_version(scene: Scene, tmp_path: Path) -> None:
    async def agreed() -> str:
        async with scene.at(await scene.resident("周秀兰")) as resident:
            asked = await scene.ask(resident)
            [kept] = (await scene.platform.search("Consent", [("patient", asked.json()["subject"]["reference"])])).resources
            return str(kept["policy"][0]["uri"])

    before = await agreed()
    text = (Path(papers.__file__).parents[1] / "rules" / "consent.yaml").read_text("utf-8")
    place = tmp_path / "care" / "internet_hospital" / "consent.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(text.replace("至少保存 15 年", "至少保存 30 年"), "utf-8")
    rules.use_region(tmp_path)
    try:
        after = await agreed()
    finally:
        rules.use_region(None)
    assert await agreed() == before
    assert after != before
