"""The pharmacists' pool: who may judge what, with which clocks, what must be signed twice, and what is kept of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.commons.access import Actor, Write
from kangyun.support import drugs
from kangyun.support.drugs.tests.city import (
    DOCTOR,
    HOSPITAL,
    PHARMACIST,
    SECOND_PHARMACIST,
    City,
    line,
    opened,
    parameters,
    prescribe,
    reason,
    said,
)

_DEED = "/fhir/MedicationRequest/$"


@pytest.fixture(scope="module")
async def city(services: Services) -> City:
    return await opened(services)


async def _page(city: City, number: str) -> str:
    """What the doctor reads of a prescription."""
    async with city.doctor(kind="session") as doctor:
        return (await doctor.get(f"/prescriptions/{number}")).text


async def test_nobody_reviews_his_own_prescription(city: City) -> None:
    visit = await city.visit()
    number = await city.signed(visit)
    async with city.pharmacist(DOCTOR) as same:
        answer = await same.post(f"{_DEED}claim", json=parameters(number=number))
        assert (answer.status_code, reason(answer)) == (403, "drugs.own-review")
        assert said(await same.post(f"{_DEED}claim", json={"resourceType": "Parameters"})).get("number") != number
    async with city.doctor() as doctor:
        assert (await doctor.post(f"{_DEED}claim", json=parameters(number=number))).status_code == 403


async def test_one_claims_and_the_other_gets_the_next(city: City) -> None:
    visit = await city.visit()
    numbers = [await city.signed(visit), await city.signed(visit)]
    async with city.pharmacist() as one, city.pharmacist(SECOND_PHARMACIST) as other:
        got = [said(answer).get("number") for answer in await asyncio.gather(*(client.post(f"{_DEED}claim") for client in (one, other)))]
        assert got[0] != got[1]
        taken = await other.post(f"{_DEED}claim", json=parameters(number=str(got[0])))
        assert (taken.status_code, reason(taken)) == (409, "drugs.claimed")
        passed = await other.post(f"{_DEED}pass", json=parameters(number=str(got[0]), reason="x"))
        assert (passed.status_code, reason(passed)) == (409, "drugs.not-claimed")
        later = clock.now() + timedelta(minutes=16)
        clock.set_source(lambda: later)
        assert said(await other.post(f"{_DEED}claim", json=parameters(number=str(got[0]))))["state"] == "claimed", "a claim that is over is anybody's"
    assert set(numbers)


async def test_the_clock_runs_from_the_signature_by_setting(city: City) -> None:
    visit = await city.visit()
    for setting, minutes in (("internet", 15), ("emergency", 5), ("outpatient", 10)):
        found = await drugs.standing(city.system, await city.signed(visit, setting=setting))
        assert found.signed is not None
        assert found.review_due == found.signed + timedelta(minutes=minutes)


async def test_a_returned_one_is_replaced_and_tells_why(city: City) -> None:
    visit = await city.visit()
    number = await city.signed(visit)
    async with city.pharmacist() as pharmacist, city.doctor() as doctor:
        await pharmacist.post(f"{_DEED}claim", json=parameters(number=number))
        assert reason(await pharmacist.post(f"{_DEED}return", json=parameters(number=number))) == "drugs.no-reason"
        assert said(await pharmacist.post(f"{_DEED}return", json=parameters(number=number, reason="剂量请核实")))["state"] == "returned"
        fresh = said(await doctor.post(f"{_DEED}prescribe", json=prescribe(visit, line(dose=2.5), replaces=number)))
        assert fresh["state"] == "signed"
        again = await doctor.post(f"{_DEED}prescribe", json=prescribe(visit, line(), replaces=number))
        assert (again.status_code, reason(again)) == (409, "drugs.not-returned")
        assert "剂量请核实" in (await _page(city, number))
    task = await city.system.read("Task", f"{number}-review")
    assert task is not None
    assert task["note"][-1]["text"] == "剂量请核实"
    assert await city.state(number) == "replaced"
    kept = await city.system.read("MedicationRequest", f"{number}-1")
    assert kept is not None
    assert kept["status"] == "cancelled"


async def test_what_is_grave_needs_the_doctors_second_signature(city: City) -> None:
    visit = await city.visit()
    number = await city.signed(visit, line(dose=15, quantity=1))
    async with city.pharmacist() as pharmacist, city.doctor() as doctor:
        await pharmacist.post(f"{_DEED}claim", json=parameters(number=number))
        early = await pharmacist.post(f"{_DEED}pass", json=parameters(number=number, reason="可以"))
        assert (early.status_code, reason(early)) == (409, "drugs.needs-confirmation")
        assert said(await pharmacist.post(f"{_DEED}ask", json=parameters(number=number, reason="超过常用最大量")))["state"] == "confirming"
        assert reason(await doctor.post(f"{_DEED}confirm", json=parameters(number=number))) == "drugs.no-reason"
        assert said(await doctor.post(f"{_DEED}confirm", json=parameters(number=number, reason="心内科会诊意见")))["state"] == "signed"
        assert said(await pharmacist.post(f"{_DEED}claim"))["number"] == number, "it comes back to who has asked, before all others"
        passed = await pharmacist.post(f"{_DEED}pass", json=parameters(number=number, reason="医生已确认"))
        assert said(passed)["state"] == "passed"
        told = (await doctor.get(f"/fhir/MedicationRequest/{number}-1/$verify-signature")).json()["parameter"]
    purposes = [next(part["valueCode"] for part in one["part"] if part["name"] == "purpose") for one in told[1:]]
    assert told[0]["valueBoolean"] is True
    assert purposes == ["author", "reviewer", "coauthor", "reviewer"], told


async def test_a_reason_at_once_is_signed_twice_at_once(city: City) -> None:
    visit = await city.visit()
    number = await city.signed(visit, line(dose=15, extension=[{"url": "confirmed", "valueString": "心内科会诊意见"}]))
    async with city.doctor() as doctor:
        told = (await doctor.get(f"/fhir/MedicationRequest/{number}-1/$verify-signature")).json()["parameter"]
    assert [next(part["valueCode"] for part in one["part"] if part["name"] == "purpose") for one in told[1:]] == ["author", "coauthor"]


async def test_a_prescription_changed_behind_the_gate_does_not_pass(city: City) -> None:
    visit = await city.visit()
    number = await city.signed(visit)
    kept = await city.system.read("MedicationRequest", f"{number}-1")
    assert kept is not None
    async with city.doctor() as doctor:
        changed = {**kept, "dispenseRequest": {**kept["dispenseRequest"], "quantity": {"value": 9, "unit": "盒"}}}
        answer = await doctor.put(f"/fhir/MedicationRequest/{number}-1", json=changed)
        assert (answer.status_code, reason(answer)) == (409, "access.signed")
    await city.system.commit([Write("update", "MedicationRequest", changed, f"{number}-1")])
    async with city.pharmacist() as pharmacist:
        await pharmacist.post(f"{_DEED}claim", json=parameters(number=number))
        answer = await pharmacist.post(f"{_DEED}pass", json=parameters(number=number, reason="x1"))
    assert (answer.status_code, reason(answer)) == (409, "drugs.signature-broken")


async def test_a_refused_one_is_over(city: City) -> None:
    visit = await city.visit()
    number = await city.signed(visit)
    async with city.pharmacist() as pharmacist, city.doctor() as doctor:
        await pharmacist.post(f"{_DEED}claim", json=parameters(number=number))
        assert said(await pharmacist.post(f"{_DEED}refuse-to-dispense", json=parameters(number=number, reason="伪造处方")))["state"] == "refused"
        assert (await doctor.post(f"{_DEED}cancel", json=parameters(number=number))).status_code == 409


async def test_controlled_drugs_are_not_prescribed_on_line(city: City) -> None:
    visit = await city.visit()
    known = (await drugs.catalogue(city.system)).drugs
    controlled = next(one for one in known.values() if one.control == "psychotropic2")
    wish = line(controlled.code, dose=controlled.dose.usual, unit=controlled.dose.unit, frequency=controlled.dose.frequency, route=controlled.dose.route, package=controlled.package)
    async with city.doctor() as doctor:
        answer = await doctor.post(f"{_DEED}prescribe", json=prescribe(visit, wish, setting="internet"))
    assert (answer.status_code, reason(answer)) == (422, "drugs.not-legal"), answer.text


async def test_a_claim_opens_the_record_and_the_end_of_the_review_closes_it(city: City) -> None:
    visit = await city.visit()
    number = await city.signed(visit)
    at_other = Actor("user/far", "pharmacist", institution="d-hospital-2", practitioner=PHARMACIST, account="far")
    async with city.client(at_other) as far:
        assert (await far.get(f"/fhir/MedicationRequest/{number}-1")).status_code == 404
        await far.post(f"{_DEED}claim", json=parameters(number=number))
        assert (await far.get(f"/fhir/MedicationRequest/{number}-1")).status_code == 200
        assert said(await far.post(f"{_DEED}pass", json=parameters(number=number, reason="可以")))["state"] == "passed", "one pool for the whole city"
        assert (await far.get(f"/fhir/MedicationRequest/{number}-1")).status_code == 404
    assert HOSPITAL
