"""The catalogue's pages, a region's own list, an institution's prices, comments and statistics, as people and programs use them."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import openpyxl
import pytest

from kangyun.app.services import Services
from kangyun.commons.access import Actor
from kangyun.support import drugs
from kangyun.support.drugs.decisions.comments import size_of
from kangyun.support.drugs.queries.prescribers import today
from kangyun.support.drugs.tests.city import (
    DOCTOR,
    HOSPITAL,
    OTHER_HOSPITAL,
    PHARMACIST,
    City,
    line,
    opened,
    parameters,
    reason,
    said,
)


@pytest.fixture(scope="module")
async def city(services: Services) -> City:
    return await opened(services)


def steward(city: City, kind: str = "token") -> Any:
    """Who keeps the region's list."""
    return city.client(Actor("user/steward", "data_steward", institution=HOSPITAL, account="steward"), kind)


async def test_a_resident_finds_a_drug_by_initials_and_reads_that_nothing_was_checked(city: City) -> None:
    visit = await city.visit()
    async with city.resident(visit, kind="session") as resident:
        page = (await resident.get("/drugs/catalogue?q=aldp")).text
        assert "/drugs/catalogue/amlodipine" in page
        assert "演示目录" in page
        drug = await resident.get("/drugs/catalogue/amlodipine")
        assert drug.status_code == 200
        assert "没有逐条核对" in drug.text
        assert "DEMO" in drug.text
        assert (await resident.get("/drugs/catalogue/no-such")).status_code == 404
        for closed in ("/drugs/prices", "/drugs/list", "/drugs/comments", "/drugs/statistics"):
            assert (await resident.get(closed)).status_code == 403, closed


async def test_every_drug_has_a_page(city: City) -> None:
    async with city.pharmacist(kind="session") as client:
        for code in ("warfarin", "fuzi", "morphine-injection", "meropenem", "insulin-glargine", "lianhua-qingwen", "sodium-chloride-100", "latanoprost"):
            answer = await client.get(f"/drugs/catalogue/{code}")
            assert answer.status_code == 200, answer.text[-500:]
        english = await client.get("/drugs/catalogue/warfarin", headers={"accept-language": "en"})
        assert "Interactions" in english.text


async def test_a_price_holds_for_the_own_institution_and_from_now_on(city: City) -> None:
    visit = await city.visit()
    number = await city.passed(visit, line())
    assert [one.unit_price for one in await drugs.lines_with_prices(city.system, number)] == [1260]
    async with city.pharmacist() as client:
        answer = await client.post("/fhir/MedicationKnowledge/$price", json=parameters(code="amlodipine", yuan="9.90"))
        assert answer.status_code == 200, answer.text
        assert (await client.post("/fhir/MedicationKnowledge/$price", json=parameters(code="amlodipine", yuan="-3"))).status_code == 422
        assert reason(await client.post("/fhir/MedicationKnowledge/$price", json=parameters(code="amlodipine", yuan="十元"))) == "drugs.wrong-price"
        assert (await client.post("/fhir/MedicationKnowledge/$price", json=parameters(code="no-such", yuan="1"))).status_code == 404
    assert [one.unit_price for one in await drugs.lines_with_prices(city.system, number)] == [990]
    async with city.pharmacist(institution=OTHER_HOSPITAL, kind="session") as elsewhere:
        assert "¥12.60" in (await elsewhere.get("/drugs/catalogue/amlodipine")).text
    async with city.doctor() as doctor:
        assert (await doctor.post("/fhir/MedicationKnowledge/$price", json=parameters(code="amlodipine", yuan="1"))).status_code == 403


async def test_the_page_of_prices_keeps_what_was_typed_when_it_is_wrong(city: City) -> None:
    async with city.pharmacist(kind="session") as client:
        page = (await client.get("/drugs/prices?q=二甲双胍")).text
        token = page.split('name="csrf" value="')[1].split('"')[0]
        wrong = await client.post("/drugs/prices", data={"csrf": token, "code": "metformin", "yuan": "abc", "q": "二甲双胍"})
        assert wrong.status_code == 422
        assert "价格不对" in wrong.text
        kept = await client.post("/drugs/prices", data={"csrf": token, "code": "metformin", "yuan": "6.66"}, follow_redirects=True)
        assert "6.66" in kept.text


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    body = io.BytesIO()
    book.save(body)
    return body.getvalue()


HEAD: list[object] = ["编码", "通用名", "医保编码", "医保类别", "先行自付", "价格", "基药"]


async def test_a_regions_list_takes_the_place_of_the_demonstration(city: City) -> None:
    rows: list[list[object]] = [HEAD, ["losartan", "", "XC09CA01L001A001", "乙", "5%", 8.8, "是"]]
    own = ["code,zh,en,form,per,pack,atc,dose_unit,route,frequency,usual,single,daily,price", "yunzhou-tea,云州凉茶,Yunzhou tea,granules,10 g,12,ZB,袋,po,bid,1,2,4,15.5"]
    async with steward(city) as client:
        answer = await client.post("/fhir/MedicationKnowledge/$load", content=workbook(rows), headers={"content-type": "application/octet-stream"})
        assert answer.status_code == 200, answer.text
        known = (await drugs.catalogue(city.system)).drugs
        losartan = known["losartan"]
        assert (losartan.insurance, losartan.first_pay, losartan.price, losartan.insurance_code) == ("B", 0.05, 880, "XC09CA01L001A001")
        assert losartan.zh == "氯沙坦钾片", "what the list leaves out is as before"
        assert losartan.renal, "and what is known of it stays"
        assert len(known) > 700
        kept = await city.system.read("MedicationKnowledge", "drug-losartan")
        assert kept is not None
        assert "XC09CA01L001A001" in str(kept["code"])
        assert (await client.post("/fhir/MedicationKnowledge/$load", content="\n".join(own).encode())).status_code == 200
        known = (await drugs.catalogue(city.system)).drugs
        assert known["yunzhou-tea"].price == 1550
        assert known["losartan"].insurance_code.startswith("DEMO"), "a new list takes the place of the old one"


@pytest.mark.parametrize(("row", "told"), [
    (["losartan", "", "", "丁", "", "", ""], "ins"), (["losartan", "", "", "乙", "5%", "八块", ""], "price"), (["", "药", "", "甲", "", 1, ""], "code"),
    (["brand-new", "新药", "", "甲", "", 1, ""], "form"),
])
async def test_one_wrong_row_changes_nothing_and_is_named(city: City, row: list[object], told: str) -> None:
    before = (await drugs.catalogue(city.system)).drugs["losartan"]
    good: list[object] = ["valsartan", "", "X1", "甲", "", 5, "是"]
    async with steward(city) as client:
        answer = await client.post("/fhir/MedicationKnowledge/$load", content=workbook([HEAD, good, row]))
    assert answer.status_code == 422, answer.text
    assert f"3: {told}" in answer.text, answer.text
    assert (await drugs.catalogue(city.system)).drugs["losartan"] == before


async def test_what_is_no_table_is_refused_with_the_true_reason(city: City) -> None:
    async with steward(city) as client:
        assert reason(await client.post("/fhir/MedicationKnowledge/$load", content=b"%PDF-1.4")) == "exchange.sheet-no-table"
        assert (await client.post("/fhir/MedicationKnowledge/$load", content=b"name\nx")).status_code == 422
    async with city.doctor() as doctor:
        assert (await doctor.post("/fhir/MedicationKnowledge/$load", content=b"code\nlosartan")).status_code == 403


async def test_a_list_is_loaded_on_its_page(city: City) -> None:
    async with steward(city, "session") as client:
        token = (await client.get("/drugs/list")).text.split('name="csrf" value="')[1].split('"')[0]
        done = await client.post("/drugs/list", data={"csrf": token}, files={"file": ("list.csv", b"code,price\nlosartan,7.7\n", "text/csv")})
        assert done.status_code == 200, done.text[-800:]
        assert "已装入 1 种药品" in done.text
        assert "list.csv" in done.text
        nothing = await client.post("/drugs/list", data={"csrf": token})
        assert nothing.status_code == 422
    assert (await drugs.catalogue(city.system)).drugs["losartan"].price == 770


async def test_the_catalogue_is_published_as_resources_and_a_second_time_writes_nothing(city: City) -> None:
    some = [one for code, one in (await drugs.catalogue(city.system)).drugs.items() if code in {"amlodipine", "gancao", "morphine-slow", "insulin-glargine"}]
    assert await drugs.publish(city.system, some) == 8
    assert await drugs.publish(city.system, some) == 0
    visit = await city.visit()
    async with city.resident(visit) as client:
        found = (await client.get("/fhir/MedicationKnowledge", params={"code": "urn:kangyun:drug|amlodipine"})).json()
        assert [one["resource"]["id"] for one in found["entry"]] == ["drug-amlodipine"]
        resource = found["entry"][0]["resource"]
        assert resource["administrationGuidelines"][0]["dosage"][0]["dosage"][0]["maxDosePerPeriod"]["numerator"] == {"value": 10, "unit": "mg"}


async def test_every_drug_is_a_valid_resource(city: City) -> None:
    known = list((await drugs.catalogue(city.system)).drugs.values())
    await drugs.publish(city.system, known[::40])


# Prescription comment and statistics.


async def test_a_sample_is_drawn_commented_on_and_counted(city: City) -> None:
    numbers = [await city.passed(await city.visit(), line()) for _ in range(3)]
    day = today().isoformat()
    async with city.pharmacist() as client:
        first = said(await client.post("/fhir/MedicationRequest/$sample", json=parameters(starts=day, ends=day, seed="s1")))["sample"]
        assert reason(await client.post("/fhir/MedicationRequest/$sample", json=parameters(starts=day, ends="昨天"))) == "drugs.wrong-period"
        earlier = (today() - timedelta(days=400)).isoformat()
        assert reason(await client.post("/fhir/MedicationRequest/$sample", json=parameters(starts=earlier, ends=earlier))) == "drugs.nothing-to-draw"
        comment = {"sample": first, "number": numbers[0]}
        done = await client.post("/fhir/MedicationRequest/$comment", json=_comment(comment, ["2-5", "1-12"]))
        assert done.status_code == 200, done.text
        assert (await client.post("/fhir/MedicationRequest/$comment", json=_comment({**comment, "number": numbers[1]}, []))).status_code == 200
        assert reason(await client.post("/fhir/MedicationRequest/$comment", json=_comment(comment, ["9-9"]))) == "drugs.wrong-problem"
        assert (await client.post("/fhir/MedicationRequest/$comment", json=_comment({**comment, "number": "none"}, []))).status_code == 404
    async with city.pharmacist(kind="session") as page:
        shown = (await page.get(f"/drugs/comments/{first}")).text
        assert "50.0 %" in shown, "one of two is reasonable"
        assert "用药不适宜处方" in shown
        one = await page.get(f"/drugs/comments/{first}/{numbers[2]}")
        assert one.status_code == 200
        assert "周秀兰" not in one.text, "a comment needs no name"
    async with city.pharmacist(institution=OTHER_HOSPITAL) as other:
        assert (await other.post("/fhir/MedicationRequest/$comment", json=_comment(comment, []))).status_code == 404
    async with city.pharmacist(DOCTOR) as himself:
        assert reason(await himself.post("/fhir/MedicationRequest/$comment", json=_comment(comment, []))) == "drugs.own-comment"


def _comment(what: dict[str, str], problems: list[str]) -> dict[str, object]:
    told = parameters(**what)
    return {**told, "parameter": [*told["parameter"], *({"name": "problem", "valueString": code} for code in problems)]}


async def test_the_page_goes_from_one_prescription_to_the_next(city: City) -> None:
    day = today().isoformat()
    await city.passed(await city.visit(), line())
    async with city.pharmacist(kind="session") as client:
        token = (await client.get("/drugs/comments")).text.split('name="csrf" value="')[1].split('"')[0]
        made = await client.post("/drugs/comments", data={"csrf": token, "starts": day, "ends": day, "kind": "outpatient"})
        assert made.status_code == 303
        where = made.headers["location"]
        sample = await client.get(where)
        first = sample.text.split(f'href="{where}/')[1].split('"')[0]
        following = await client.post(f"{where}/{first}", data={"csrf": token, "problem": "2-1", "note": "诊断不符"})
        assert following.status_code == 303
        assert following.headers["location"].startswith(where)
        assert "诊断不符" in (await client.get(where)).text
        wrong = await client.post("/drugs/comments", data={"csrf": token, "starts": "x", "ends": day})
        assert wrong.status_code == 422


def test_how_many_are_drawn() -> None:
    assert size_of(50) == 50
    assert size_of(5_000) == 100
    assert size_of(150_001) == 151
    assert size_of(5_000, "inpatient") == 50


async def test_statistics_count_what_was_reviewed(city: City) -> None:
    async with city.pharmacist(kind="session") as client:
        page = await client.get("/drugs/statistics", headers={"accept-language": "en"})
        assert page.status_code == 200
        assert "100.0 %" in page.text, "all of this hospital's prescriptions were judged"
        assert "王建国" in page.text
        for days in ("from=2026-01-01&to=moon", "from=0001-01-01&to=0001-01-01", "from=9999-12-31&to=9999-12-31"):
            wrong = await client.get(f"/drugs/statistics?{days}")
            assert wrong.status_code == 200
            assert "日期不对" in wrong.text
    async with city.pharmacist(PHARMACIST, OTHER_HOSPITAL, kind="session") as other:
        assert "王建国" not in (await other.get("/drugs/statistics")).text
