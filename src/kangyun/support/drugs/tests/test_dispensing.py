"""Each prescription is dispensed once: by two pharmacists at one moment, by a retry, by a process that is killed at every statement."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.keys import FileKeys
from kangyun.support import drugs
from kangyun.support.drugs.decisions.circulation import not_the_same
from kangyun.support.drugs.decisions.knowledge import shipped
from kangyun.support.drugs.tests.city import PHARMACY, SECOND, City, line, opened, parameters, reason, said

LOCK, DISPENSE = "/fhir/MedicationRequest/$lock", "/fhir/MedicationRequest/$dispense"


@pytest.fixture(scope="module")
async def city(services: Services) -> City:
    return await opened(services)


async def shelf(city: City, code: str = "amlodipine", pharmacy: str = PHARMACY) -> Decimal:
    """How much is on a shelf."""
    async with city.services.database.connection() as connection:
        return await connection.fetchval("SELECT amount FROM drugs_stock WHERE pharmacy = $1 AND code = $2", pharmacy, code)


async def dispenses(city: City, number: str) -> int:
    """How many MedicationDispenses the record holds for a prescription."""
    page = await city.system.search("MedicationDispense", [("prescription", f"MedicationRequest/{number}-1"), ("_count", "50")])
    return len(page.resources)


async def test_many_at_one_moment_and_their_retries_dispense_once(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    before = await shelf(city)
    async with city.shop() as one, city.shop() as other, city.shop(SECOND) as stranger:
        locks = await asyncio.gather(*(client.post(LOCK, json=parameters(number=number, key=f"lock-{place}")) for place, client in enumerate((one, other) * 3)))
        assert sorted(answer.status_code for answer in locks) == [200, 409, 409, 409, 409, 409]
        asked: list[tuple[httpx.AsyncClient, str]] = [(one, "a"), (other, "b"), (one, "a"), (other, "b"), (one, "c"), (stranger, "d")] * 3
        answers = await asyncio.gather(*(client.post(DISPENSE, json=parameters(number=number, key=key)) for client, key in asked))
    good = {key for (_, key), answer in zip(asked, answers, strict=True) if answer.status_code == 200}
    assert len(good) == 1, "one request has dispensed, and its retries are answered alike"
    assert {reason(answer) for (client, key), answer in zip(asked, answers, strict=True) if key not in good and client is not stranger} == {"drugs.given-out"}
    assert await shelf(city) == before - 28
    assert await dispenses(city, number) == 1


async def test_a_process_killed_at_every_statement_dispenses_once(city: City, run_keys: FileKeys, tmp_path: Path) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    before = await shelf(city)
    async with city.shop() as shop:
        await shop.post(LOCK, json=parameters(number=number))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kangyun.support.drugs.tests.killing", city.services.database.dsn, str(run_keys.folder), str(tmp_path), number, PHARMACY, "once",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    out, err = await process.communicate()
    told = json.loads(out.decode().strip().splitlines()[-1])
    assert told["last"] == 0, err.decode()[-2000:]
    assert told["killed"] > 5, f"it was killed within the transaction, and after it: {err.decode()[-3000:]}"
    assert await city.state(number) == "dispensed"
    assert await shelf(city) == before - 28
    assert await dispenses(city, number) == 1


async def test_stock_gone_between_lock_and_dispense_takes_nothing(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit, line(), line("metformin", dose=500, frequency="bid", quantity=1))
    async with city.shop() as shop:
        await shop.post(LOCK, json=parameters(number=number))
        before = await shelf(city)
        await city.stock(PHARMACY, metformin="3")
        short = await shop.post(DISPENSE, json=parameters(number=number, key="k"))
        assert (short.status_code, reason(short)) == (409, "drugs.out-of-stock")
        assert "第 2 行" in short.json()["issue"][0]["details"]["text"]
        assert (await shelf(city), await shelf(city, "metformin"), await city.state(number)) == (before, Decimal(3), "locked")
        part = parameters(number=number, key="k1")
        part["parameter"].append({"name": "line", "part": [{"name": "place", "valueInteger": 0}, {"name": "amount", "valueDecimal": 28}]})
        assert said(await shop.post(DISPENSE, json=part))["state"] == "partly"
        assert said(await shop.post(DISPENSE, json=part))["state"] == "partly", "a retry takes nothing more"
        assert await shelf(city) == before - 28
        await city.stock(PHARMACY, metformin="2000")
        assert said(await shop.post(DISPENSE, json=parameters(number=number, key="k2")))["state"] == "dispensed"
    assert await shelf(city) == before - 28
    assert reason(await _again(city, number)) == "drugs.given-out"


PLACE = "Parameters.parameter.where(name='line').part.where(name='place')"


@pytest.mark.parametrize(("wrong", "status", "expression"), [
    ({"name": "line", "part": ["x", None]}, 400, "Parameters.parameter[2].part[0]"), ({"name": "line", "part": 5}, 400, "Parameters.parameter[2].part"), (5, 400, "Parameters.parameter[2]"),
    ({"name": "line", "part": [{"name": "place", "valueString": "NaN"}]}, 422, PLACE), ({"name": "line", "part": [{"name": "place", "valueDecimal": 1e300}]}, 422, PLACE),
])
async def test_parts_that_are_none_are_refused_with_their_place_and_nothing_is_taken(city: City, wrong: Any, status: int, expression: str) -> None:
    async with city.shop() as shop:
        before = await shelf(city)
        body = parameters(number="none", key="k")
        body["parameter"].append(wrong)
        refused = await shop.post(DISPENSE, json=body)
        assert (refused.status_code, refused.json()["issue"][0]["expression"]) == (status, [expression]), refused.text
        otherwise = await shop.post(DISPENSE, json={**body, "resourceType": "Patient"})
        assert otherwise.status_code == 400, "parts of what is no Parameters are not read"
        assert await shelf(city) == before


async def _again(city: City, number: str) -> httpx.Response:
    async with city.shop() as shop:
        return await shop.post(DISPENSE, json=parameters(number=number, key="k9"))


async def test_more_than_was_prescribed_is_refused(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    async with city.shop() as shop:
        await shop.post(LOCK, json=parameters(number=number))
        for amount in (29, -1, 0):
            asked = parameters(number=number, key=f"k{amount}")
            asked["parameter"].append({"name": "line", "part": [{"name": "place", "valueInteger": 0}, {"name": "amount", "valueDecimal": amount}]})
            assert reason(await shop.post(DISPENSE, json=asked)) == "drugs.wrong-amount"
        assert reason(await shop.post(DISPENSE, json=parameters(number=number))) == "drugs.no-key"


async def test_a_substitute_is_the_same_generic_and_needs_consent(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    async with city.shop() as shop, city.resident(visit) as resident:
        await shop.post(LOCK, json=parameters(number=number))
        other = await shop.post("/fhir/MedicationRequest/$offer", json=parameters(number=number, line=0, code="levamlodipine"))
        assert (other.status_code, reason(other)) == (422, "drugs.not-the-same.atc")
        early = await resident.post("/fhir/MedicationRequest/$agree", json=parameters(number=number))
        assert early.status_code == 200
        await city.stock(PHARMACY, amlodipine_second="100")
        before = await shelf(city)
        offered = await shop.post("/fhir/MedicationRequest/$offer", json=parameters(number=number, line=0, code="amlodipine-second"))
        assert offered.status_code == 200, offered.text
        refused = await shop.post(DISPENSE, json=parameters(number=number, key="k"))
        assert (refused.status_code, reason(refused)) == (409, "drugs.not-agreed"), "what was agreed to before the offer is no consent to it"
        assert (await resident.post("/fhir/MedicationRequest/$agree", json=parameters(number=number))).status_code == 200
        given = await shop.post(DISPENSE, json=parameters(number=number, key="k"))
        assert given.status_code == 200, given.text
    assert (await shelf(city), await shelf(city, "amlodipine-second")) == (before, Decimal(72))
    found = await city.system.search("MedicationDispense", f"prescription=MedicationRequest/{number}-1")
    dispense = found.resources[0]
    assert dispense["substitution"]["wasSubstituted"] is True
    assert dispense["medicationCodeableConcept"]["coding"][0]["code"] == "amlodipine-second"


def test_no_herb_and_no_patent_medicine_stands_in_for_another() -> None:
    drugs = shipped().drugs
    # Neither has an ATC code, both are taken by mouth: that makes no poisonous root of a sweet one.
    assert not_the_same(drugs["gancao"], drugs["fuzi"]) == "generic"
    alike = [(one.code, other.code) for one, other in combinations(drugs.values(), 2) if not not_the_same(one, other)]
    assert alike == [("amlodipine", "amlodipine-second")]


async def test_an_expired_prescription_is_not_dispensed_and_ends_by_itself(city: City) -> None:
    visit = await city.visit()
    waiting, locked = await city.chosen(visit), await city.chosen(visit)
    async with city.shop() as shop:
        await shop.post(LOCK, json=parameters(number=locked))
        late = clock.now() + timedelta(days=4)
        clock.set_source(lambda: late)
        for path, number in ((LOCK, waiting), (DISPENSE, locked)):
            answer = await shop.post(path, json=parameters(number=number, key="k"))
            assert (answer.status_code, reason(answer)) == (409, "drugs.expired")
    await drugs.sweep(city.services, {})
    assert (await city.state(waiting), await city.state(locked)) == ("expired", "expired")
    kept = await city.system.read("MedicationRequest", f"{waiting}-1")
    assert kept is not None
    assert kept["status"] == "stopped"


async def test_a_forgotten_lock_opens_by_itself(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    async with city.shop() as shop:
        await shop.post(LOCK, json=parameters(number=number))
    later = clock.now() + timedelta(hours=2, minutes=1)
    clock.set_source(lambda: later)
    await drugs.sweep(city.services, {})
    assert await city.state(number) == "circulated"


async def test_storage_periods_follow_sheet_and_way(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit, setting="outpatient")
    async with city.shop() as shop:
        await shop.post(LOCK, json=parameters(number=number))
        await shop.post(DISPENSE, json=parameters(number=number, key="k"))
    kept = (await drugs.standing(city.system, number)).keep_until
    assert kept is not None
    # Sold outside of the hospital: a year past the expiry of 2031-05-31, which is later than five years from now.
    assert kept.isoformat() == "2032-05-31"
