"""The pages of doctors, pharmacists and residents over the real application."""

from __future__ import annotations

import re

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.support.drugs.tests.city import PHARMACIST, City, Visit, line, opened

_CSRF = re.compile(r'name="csrf" content="(\w+)"')


@pytest.fixture(scope="module")
async def city(services: Services) -> City:
    return await opened(services)


async def post(client: httpx.AsyncClient, page: str, path: str, **fields: object) -> httpx.Response:
    """Send a form of a page."""
    token = _CSRF.search((await client.get(page)).text)
    assert token
    return await client.post(path, data={"csrf": token[1], **fields})  # pyright: ignore[reportArgumentType]


def order(visit: Visit, **more: object) -> dict[str, object]:
    """The order form as a browser sends it."""
    return {
        "encounter": visit.encounter, "kind": "western", "setting": "internet", "diagnosis": "I10", "diagnosis_text": "高血压", "code": "amlodipine", "dose": "5",
        "dose_unit": "mg", "frequency": "qd", "route": "po", "days": "7", "quantity": "1", "quantity_unit": "盒", "skin_test": "", "decoction": "",
        "confirmed": "", "remark": "", "valid_days": "1"} | more


async def test_a_drug_is_found_by_pinyin_initials_and_comes_with_its_usual_dose(city: City) -> None:
    visit = await city.visit()
    async with city.doctor(kind="session") as doctor:
        for typed in ("aldp", "AnLv", "氨氯地平", "amlod", "lhx"):
            hits = await post(doctor, f"/prescriptions/new?encounter={visit.encounter}", "/prescriptions/find", q=typed, kind="western")
            assert 'value="amlodipine"' in hits.text, typed
        nothing = await post(doctor, f"/prescriptions/new?encounter={visit.encounter}", "/prescriptions/find", q="zzzzqq", kind="western")
        assert "没有找到" in nothing.text
        sheet = await post(doctor, f"/prescriptions/new?encounter={visit.encounter}", "/prescriptions/change", encounter=visit.encounter, kind="western", add="amlodipine", diagnosis="I10", diagnosis_text="高血压")
        assert re.search(r'name="dose"[^>]*value="5"', sheet.text)
        assert re.search(r'name="quantity"[^>]*value="1"', sheet.text)
        assert '<option value="qd" selected' in sheet.text


async def test_the_quantity_follows_dose_and_days_up_to_twelve_weeks(city: City) -> None:
    visit = await city.visit()
    async with city.doctor(kind="session") as doctor:
        page = f"/prescriptions/new?encounter={visit.encounter}"
        sheet = await post(doctor, page, "/prescriptions/change", **order(visit, days="84", long_term="1", assessed="1", count="1"))
        assert re.search(r'name="quantity"[^>]*value="3"', sheet.text), "84 tablets are three packages of 28"
        done = await post(doctor, page, page, **order(visit, days="84", quantity="3", long_term="1", assessed="1", deed="sign"))
        assert done.status_code == 303, done.text
        long = await post(doctor, page, page, **order(visit, days="85", quantity="4", long_term="1", assessed="1", deed="sign"))
        assert long.status_code == 422
        assert "最长 12 周" in long.text
        assert re.search(r'name="days"[^>]*value="85"', long.text), "nothing typed is lost"
        switch = re.search(r'href="([^"]*lang=en)"', long.text)
        assert switch
        english = await doctor.get(switch[1].replace("&amp;", "&"))
        assert english.status_code == 200
        assert 'id="order"' in english.text, "the refused form can be had in the other language"


async def test_findings_are_shown_while_one_writes(city: City) -> None:
    visit = await city.visit()
    async with city.doctor(kind="session") as doctor:
        sheet = await post(doctor, f"/prescriptions/new?encounter={visit.encounter}", "/prescriptions/change", **order(visit, dose="50"))
        assert "finding-" in sheet.text
        assert 'name="confirmed" id="confirmed-0"' in sheet.text


async def test_a_doctor_signs_a_pharmacist_passes_a_resident_chooses_on_pages(city: City) -> None:
    visit = await city.visit()
    async with city.doctor(kind="session") as doctor:
        done = await post(doctor, page := f"/prescriptions/new?encounter={visit.encounter}", page, **order(visit, deed="sign"))
        number = done.headers["location"].rpartition("/")[2]
        shown = await doctor.get(f"/prescriptions/{number}")
        assert "等待审核" in shown.text
        assert "苯磺酸氨氯地平片" in shown.text
        again = await doctor.get(f"/prescriptions/new?encounter={visit.encounter}&from={number}")
        assert 'value="amlodipine"' in again.text
        assert "常用药" in again.text
    async with city.pharmacist(kind="session") as pharmacist:
        assert number in (await pharmacist.get("/review")).text
        taken = await post(pharmacist, "/review", "/review/take", number=number)
        page = await pharmacist.get(taken.headers["location"])
        assert "规则提示" in page.text
        empty = await post(pharmacist, f"/review/{number}", f"/review/{number}/judge", deed="return", reason="")
        assert "请写明理由" in empty.text
        passed = await post(pharmacist, f"/review/{number}", f"/review/{number}/judge", deed="pass")
        assert passed.status_code == 303, passed.text
    async with city.resident(visit, kind="session") as resident:
        assert number in (await resident.get("/resident/prescriptions")).text
        ways = await resident.get(f"/resident/prescriptions/{number}/ways")
        assert "安康大药房" in ways.text
        assert "药品齐全" in ways.text
        refused = await post(resident, f"/resident/prescriptions/{number}/ways", f"/resident/prescriptions/{number}/choose", way="courier", pharmacy="d-pharmacy", courier="d-courier", name="周秀兰", phone="139", address="")
        assert (refused.status_code, "请填写收件地址" in refused.text) == (422, True)
        assert 'value="139"' in refused.text, "what was typed stands there still"
        assert 'value="周秀兰"' in ways.text, "the record knows the name, so nobody types it"
        done = await post(resident, f"/resident/prescriptions/{number}/ways", f"/resident/prescriptions/{number}/choose", way="retail", pharmacy="d-pharmacy")
        assert done.status_code == 303
        assert "等待药房接单" in (await resident.get(f"/resident/prescriptions/{number}")).text


async def test_the_sheet_prints_head_body_foot_and_colour(city: City) -> None:
    visit, child = await city.visit(), await city.visit("陈小宝", "2021-03-04")
    number = await city.passed(visit)
    young = await city.signed(child, line("amoxicillin-granules", dose=125, frequency="tid", days=3, quantity=1), diagnosis="J03.9", setting="outpatient")
    async with city.doctor(kind="session") as doctor:
        page = (await doctor.get(f"/prescriptions/{number}/sheet")).text
        for words in ("周秀兰", "高血压", "苯磺酸氨氯地平片", "Rp", "王建国", "赵药师", "¥12.60", number):
            assert words in page, words
        paper = await doctor.get(f"/prescriptions/{number}/sheet.pdf")
        assert paper.content.startswith(b"%PDF")
        assert (await doctor.get(f"/prescriptions/{young}/sheet")).text.count("paper-paediatric") == 1
    async with city.pharmacist(PHARMACIST, "d-hospital-2") as stranger:
        assert (await stranger.get(f"/prescriptions/{young}/sheet.pdf")).status_code == 404, "it was not claimed"


async def test_a_herbal_prescription_is_counted_in_decoctions(city: City) -> None:
    visit = await city.visit()
    async with city.doctor(kind="session") as doctor:
        page = f"/prescriptions/new?encounter={visit.encounter}"
        hits = await post(doctor, page, "/prescriptions/find", q="gc", kind="herbal")
        code = re.search(r'name="add" value="([^"]+)"', hits.text)
        assert code
        sheet = await post(doctor, page, "/prescriptions/change", encounter=visit.encounter, kind="herbal", doses="5", add=code[1])
        grams = re.search(r'name="dose"[^>]*value="([\d.]+)"', sheet.text)
        total = re.search(r'name="quantity"[^>]*value="([\d.]+)"', sheet.text)
        assert grams
        assert total
        assert float(total[1]) == 5 * float(grams[1])
        assert 'name="decoction" id="decoction-0"' in sheet.text


async def test_residents_and_couriers_do_not_open_the_pages_of_doctors(city: City) -> None:
    visit, other = await city.visit(), await city.visit("陈明", "1980-02-03")
    number = await city.signed(visit)
    async with city.resident(other, kind="session") as resident, city.rider(kind="session") as rider:
        for path in (f"/prescriptions/{number}", f"/prescriptions/{number}/sheet.pdf", f"/resident/prescriptions/{number}"):
            assert (await resident.get(path)).status_code == 404, path
        for path in ("/review", "/prescriptions"):
            assert (await resident.get(path)).status_code == 403, path
            assert (await rider.get(path)).status_code == 403, path
