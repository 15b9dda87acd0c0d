"""Parcels: cold ones with a log, codes that are tried too often, ways back, and ways that are closed."""

from __future__ import annotations

import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.support import drugs
from kangyun.support.drugs.tests.city import PHARMACY, City, Visit, choice, line, opened, parameters, reason, said

_DEED = "/fhir/MedicationRequest/$"


@pytest.fixture(scope="module")
async def city(services: Services) -> City:
    made = await opened(services)
    await made.stock(PHARMACY, insulin_glargine="100", amlodipine="2800")
    return made


async def sent(city: City, visit: Visit, *lines: object) -> tuple[str, str]:
    """A parcel that the courier has, and the recipient's code."""
    number = await city.chosen(visit, *lines, way="courier")  # pyright: ignore[reportArgumentType]
    async with city.shop() as shop:
        await shop.post(f"{_DEED}lock", json=parameters(number=number))
        assert said(await shop.post(f"{_DEED}dispense", json=parameters(number=number, key="k")))["state"] == "dispensed"
    async with city.rider() as rider:
        assert said(await rider.post(f"/fhir/SupplyDelivery/{number}-parcel/$pick-up"))["state"] == "picked-up"
    async with city.resident(visit) as resident:
        return number, str(said(await resident.post(f"{_DEED}code", json=parameters(number=number)))["code"])


async def test_a_cold_parcel_is_logged_or_goes_back(city: City) -> None:
    known = (await drugs.catalogue(city.system)).drugs
    cold = next(one for one in known.values() if one.storage == "cold" and one.dose.route == "sc" and not one.control and "E11" in one.indications)
    await city.stock(PHARMACY, **{cold.code.replace("-", "_"): "500"})
    visit = await city.visit()
    wish = line(cold.code, dose=cold.dose.usual, unit=cold.dose.unit, frequency=cold.dose.frequency, route="sc", package=cold.package, quantity=1)
    number, code = await sent(city, visit, wish)
    path = f"/fhir/SupplyDelivery/{number}-parcel/$"
    async with city.rider() as rider, city.shop() as shop:
        missing = await rider.post(f"{path}deliver", json=parameters(code=code))
        assert (missing.status_code, reason(missing)) == (409, "drugs.cold-missing")
        assert reason(await rider.post(f"{path}temperature", json=parameters(celsius=200))) == "drugs.wrong-temperature"
        # Two loggers read at the same moment: both readings count.
        at = clock.instant(clock.now())
        assert (await rider.post(f"{path}temperature", json=parameters(celsius=4, at=at))).status_code == 200
        assert (await rider.post(f"{path}temperature", json=parameters(celsius=11, at=at))).status_code == 200
        broken = await rider.post(f"{path}deliver", json=parameters(code=code))
        assert (broken.status_code, reason(broken)) == (409, "drugs.cold-broken")
        assert said(await rider.post(f"{path}fail"))["state"] == "failed"
        assert reason(await shop.post(f"{path}take-back", json=parameters(restock=True))) == "drugs.cold-broken"
        assert said(await shop.post(f"{path}take-back"))["state"] == "returned"
    assert await city.state(number) == "taken_back"


async def test_a_code_is_tried_five_times_and_then_renewed(city: City) -> None:
    visit = await city.visit()
    number, code = await sent(city, visit)
    path = f"/fhir/SupplyDelivery/{number}-parcel/$deliver"
    wrong = parameters(code=f"{(int(code) + 1) % 1_000_000:06d}")
    async with city.rider() as rider, city.resident(visit) as resident:
        for _ in range(5):
            assert reason(await rider.post(path, json=wrong)) == "drugs.wrong-code"
        blocked = await rider.post(path, json=parameters(code=code))
        assert (blocked.status_code, reason(blocked)) == (409, "drugs.code-blocked")
        assert (await resident.post(f"{_DEED}new-code", json=parameters(number=number))).status_code == 200
        fresh = str(said(await resident.post(f"{_DEED}code", json=parameters(number=number)))["code"])
        assert reason(await rider.post(path, json=parameters(code=code))) == "drugs.wrong-code" or fresh == code
        assert said(await rider.post(path, json=parameters(code=fresh)))["state"] == "delivered"


async def test_an_undelivered_parcel_is_taken_back_to_the_shelf(city: City) -> None:
    visit = await city.visit()
    async with city.services.database.connection() as connection:
        before = await connection.fetchval("SELECT amount FROM drugs_stock WHERE pharmacy = $1 AND code = 'amlodipine'", PHARMACY)
    number, _ = await sent(city, visit)
    path = f"/fhir/SupplyDelivery/{number}-parcel/$"
    async with city.rider() as rider, city.shop() as shop:
        assert reason(await shop.post(f"{path}take-back")) == "drugs.parcel-picked-up"
        await rider.post(f"{path}fail")
        assert said(await shop.post(f"{path}take-back", json=parameters(restock=True)))["state"] == "returned"
    async with city.services.database.connection() as connection:
        assert await connection.fetchval("SELECT amount FROM drugs_stock WHERE pharmacy = $1 AND code = 'amlodipine'", PHARMACY) == before


async def test_ways_that_are_closed_say_why(city: City) -> None:
    named, nameless = await city.visit(), await city.visit("无名氏", "1990-01-01", document=False)
    number = await city.passed(nameless)
    async with city.resident(nameless) as resident:
        answer = await resident.post(f"{_DEED}choose", json=choice(number, "courier"))
        assert (answer.status_code, reason(answer)) == (422, "drugs.way-closed.real-name")
    number = await city.passed(named)
    async with city.resident(named) as resident:
        for way, pharmacy, key in (
            ("train", PHARMACY, "drugs.wrong-way"), ("retail", "d-courier", "drugs.wrong-pharmacy"), ("hospital", PHARMACY, "drugs.wrong-pharmacy"), ("retail", "nobody", "drugs.wrong-pharmacy"),
        ):
            assert reason(await resident.post(f"{_DEED}choose", json=choice(number, way, pharmacy))) == key


async def test_the_counter_hands_over_for_the_code(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    async with city.shop() as shop, city.resident(visit) as resident:
        await shop.post(f"{_DEED}lock", json=parameters(number=number))
        await shop.post(f"{_DEED}dispense", json=parameters(number=number, key="k"))
        code = said(await resident.post(f"{_DEED}code", json=parameters(number=number)))["code"]
        assert (await shop.post(f"{_DEED}code", json=parameters(number=number))).status_code == 403
        assert said(await shop.post(f"{_DEED}hand-over", json=parameters(number=number, code=code)))["state"] == "delivered"


async def test_the_address_is_sealed(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit, way="courier")
    async with city.services.database.connection() as connection:
        kept = await connection.fetchval("SELECT address FROM drugs_prescription WHERE number = $1", number)
    assert kept
    assert "柳河" not in kept
