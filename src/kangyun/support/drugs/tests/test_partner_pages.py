"""The counter and the courier's phone, as people use them."""

from __future__ import annotations

import re

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.support.drugs.tests.city import PHARMACY, SECOND, City, line, opened, parameters, said

_CSRF = re.compile(r'name="csrf" content="(\w+)"')


@pytest.fixture(scope="module")
async def city(services: Services) -> City:
    return await opened(services)


async def act(client: httpx.AsyncClient, page: str, **fields: str) -> httpx.Response:
    """Press a button of a page, and open what comes after it."""
    token = _CSRF.search((await client.get(page)).text)
    assert token
    answer = await client.post(f"{page}/act", data={"csrf": token[1], **fields})
    return await client.get(answer.headers["location"]) if answer.status_code == 303 else answer


async def test_a_pharmacist_and_a_courier_bring_it_to_the_door_by_pages(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit, line(), line("metformin", dose=500, frequency="bid", quantity=1), way="courier")
    async with city.shop(kind="session") as shop:
        page = f"/pharmacy/{number}"
        assert number in (await shop.get("/pharmacy")).text
        assert "药房调配中" in (await act(shop, page, deed="lock", key="l")).text
        await city.stock(PHARMACY, metformin="1")
        short = await act(shop, page, deed="dispense", key="k1")
        assert (short.status_code, "第 2 行药品库存不足" in short.text) == (409, True)
        assert "部分调配" in (await act(shop, page, deed="dispense", key="k2", **{"amount-0": "28", "amount-1": ""})).text
        await city.stock(PHARMACY, metformin="2000")
        assert "已调配" in (await act(shop, page, deed="dispense", key="k3")).text
    async with city.resident(visit) as resident:
        code = str(said(await resident.post("/fhir/MedicationRequest/$code", json=parameters(number=number)))["code"])
    async with city.rider(kind="session") as rider:
        door = f"/courier/{number}-parcel"
        assert f"{number}-parcel" in (await rider.get("/courier")).text
        shown = (await act(rider, door, deed="pick-up")).text
        assert "云州市青溪区柳河路8号3单元501" in shown
        for secret in ("氨氯地平", "二甲双胍", "高血压", "990102"):
            assert secret not in shown
        wrong = await act(rider, door, deed="deliver", code="000000" if code != "000000" else "000001")
        assert (wrong.status_code, "收件码不对" in wrong.text) == (403, True)
        over = (await act(rider, door, deed="deliver", code=code)).text
        assert "已送达" in over
        assert "柳河路" not in over


async def test_only_what_is_typed_is_dispensed(city: City) -> None:
    number = await city.chosen(await city.visit())
    async with city.shop(kind="session") as shop:
        page = f"/pharmacy/{number}"
        await act(shop, page, deed="lock", key="l")
        for typed, words in (("0", "没有填写要发出的数量"), ("", "没有填写要发出的数量"), ("NaN", "“数量”请填写数字"), ("1e9", "“数量”请填写数字"), ("-1", "第 1 行"), ("一盒", "“数量”请填写数字")):
            answer = await act(shop, page, deed="dispense", key=f"k-{typed}", **{"amount-0": typed})
            assert (answer.status_code, words in answer.text) == (422, True), typed
            assert f'value="{typed}"' in answer.text, "what was typed stands there still"
        assert (await act(shop, page, deed="offer", line="NaN", code="amlodipine")).status_code == 422
        assert "药房调配中" in (await shop.get(page)).text


async def test_another_pharmacy_sees_nothing_and_a_scan_says_so(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    async with city.shop(SECOND, kind="session") as other:
        assert (await other.get(f"/pharmacy/{number}")).status_code == 404
        token = _CSRF.search((await other.get("/pharmacy")).text)
        assert token
        answer = await other.post("/pharmacy/scan", data={"csrf": token[1], "number": number})
        assert (answer.status_code, "不归您处理" in answer.text) == (404, True)


async def test_the_shelf_is_counted_and_says_what_is_wrong(city: City) -> None:
    async with city.shop(kind="session") as shop:
        token = _CSRF.search((await shop.get("/pharmacy/stock")).text)
        assert token
        wrong = await shop.post("/pharmacy/stock/count", data={"csrf": token[1], "code": "no-such", "amount": "1"})
        assert (wrong.status_code, "目录里没有这个药品" in wrong.text) == (422, True)
        many = await shop.post("/pharmacy/stock/count", data={"csrf": token[1], "code": "amlodipine", "amount": "many", "batch": "B1"})
        assert (many.status_code, "“数量”请填写数字" in many.text, 'value="B1"' in many.text) == (422, True, True)
        good = await shop.post("/pharmacy/stock/count", data={"csrf": token[1], "code": "amlodipine", "amount": "56", "batch": "B2", "expires": "2030-01-31"})
        assert good.status_code == 303
        assert "B2" in (await shop.get("/pharmacy/stock")).text
        for typed in ("氨氯地平", "aldp", "amlod"):
            assert "B2" in (await shop.get("/pharmacy/stock", params={"q": typed})).text, typed
        assert "B2" not in (await shop.get("/pharmacy/stock", params={"q": "布洛芬"})).text


async def test_the_counter_is_for_pharmacies_and_the_door_for_couriers(city: City) -> None:
    async with city.rider(kind="session") as rider, city.shop(kind="session") as shop, city.doctor(kind="session") as doctor:
        assert (await rider.get("/pharmacy")).status_code == 403
        assert (await shop.get("/courier")).status_code == 403
        assert (await doctor.get("/pharmacy")).status_code == 403
