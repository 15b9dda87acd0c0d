"""A prescription from the doctor to the patient: signed, reviewed, chosen, paid, dispensed once, delivered; and everything that is refused."""

from __future__ import annotations

import pytest

from kangyun.app.services import Services
from kangyun.support.drugs.tests.city import (
    DOCTOR,
    HOSPITAL,
    OTHER_HOSPITAL,
    PHARMACIST,
    PHARMACY,
    SECOND,
    SECOND_DOCTOR,
    STRANGER,
    City,
    choice,
    line,
    opened,
    parameters,
    prescribe,
    reason,
    said,
)


@pytest.fixture(scope="module")
async def city(services: Services) -> City:
    return await opened(services)


async def test_the_whole_way_to_the_door(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit, line(), line("metformin", dose=500, frequency="bid", quantity=1), way="courier")
    async with city.shop() as shop:
        assert said(await shop.post("/fhir/MedicationRequest/$lock", json=parameters(number=number, key="l1")))["state"] == "locked"
        answer = await shop.post("/fhir/MedicationRequest/$dispense", json=parameters(number=number, key="k1"))
        assert said(answer)["state"] == "dispensed", answer.text
    async with city.resident(visit) as resident:
        code = said(await resident.post("/fhir/MedicationRequest/$code", json=parameters(number=number)))["code"]
    async with city.rider() as rider:
        parcel = f"/fhir/SupplyDelivery/{number}-parcel"
        seen = (await rider.get(parcel)).text
        assert "氨氯地平" not in seen
        assert (await rider.get(f"/fhir/MedicationRequest/{number}-1")).status_code == 404 or (await rider.get(f"/fhir/MedicationRequest/{number}-1")).status_code == 403
        where = said(await rider.post(f"{parcel}/$address"))
        assert where == {"name": "周秀兰", "address": "云州市青溪区柳河路8号3单元501", "phone": "13900001234"}
        assert reason(await rider.post(f"{parcel}/$deliver", json=parameters(code=code))) == "drugs.parcel-packed"
        assert said(await rider.post(f"{parcel}/$pick-up"))["state"] == "picked-up"
        wrong = await rider.post(f"{parcel}/$deliver", json=parameters(code="000000" if code != "000000" else "111111"))
        assert (wrong.status_code, reason(wrong)) == (403, "drugs.wrong-code")
        done = await rider.post(f"{parcel}/$deliver", json=parameters(code=code))
        assert said(done)["state"] == "delivered", done.text
        assert said(await rider.post(f"{parcel}/$deliver", json=parameters(code=code)))["state"] == "delivered", "a retry is answered alike"
        assert reason(await rider.post(f"{parcel}/$address")) == "drugs.parcel-delivered"
    assert await city.state(number) == "delivered"
    kept = await city.system.read("MedicationRequest", f"{number}-1")
    assert kept is not None
    assert kept["status"] == "completed"


async def test_both_signatures_hold_to_the_end(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    async with city.shop() as shop:
        await shop.post("/fhir/MedicationRequest/$lock", json=parameters(number=number))
        await shop.post("/fhir/MedicationRequest/$dispense", json=parameters(number=number, key="k"))
    async with city.resident(visit) as resident:
        told = (await resident.post(f"/fhir/MedicationRequest/{number}-1/$verify-signature")).json()["parameter"]
    assert told[0] == {"name": "result", "valueBoolean": True}
    signers = [next(part for part in one["part"] if part["name"] == "who")["valueReference"]["reference"] for one in told[1:]]
    assert signers == [f"Practitioner/{DOCTOR}", f"Practitioner/{PHARMACIST}"]


async def test_nothing_is_dispensed_before_the_review_and_before_it_is_paid(city: City) -> None:
    visit = await city.visit()
    number = await city.signed(visit)
    async with city.resident(visit) as resident, city.shop() as shop:
        early = await resident.post("/fhir/MedicationRequest/$choose", json=choice(number))
        assert (early.status_code, reason(early)) == (409, "drugs.not-now.signed")
        assert (await shop.post("/fhir/MedicationRequest/$lock", json=parameters(number=number))).status_code == 404
        number = await city.chosen(visit, paid=False)
        assert (await shop.post("/fhir/MedicationRequest/$dispense", json=parameters(number=number, key="k"))).status_code == 409
        await shop.post("/fhir/MedicationRequest/$lock", json=parameters(number=number))
        unpaid = await shop.post("/fhir/MedicationRequest/$dispense", json=parameters(number=number, key="k"))
        assert (unpaid.status_code, reason(unpaid)) == (409, "drugs.not-paid")


async def test_a_doctor_outside_his_scope_prescribes_nothing(city: City) -> None:
    visit = await city.visit()
    foreign = await city.visit(doctor=STRANGER)
    over = await city.visit(status="finished")
    for doctor, institution, where, key in (
        (SECOND_DOCTOR, HOSPITAL, visit, "drugs.not-treating"), (DOCTOR, OTHER_HOSPITAL, visit, "drugs.not-treating"), (STRANGER, OTHER_HOSPITAL, visit, "drugs.no-encounter"),
        (STRANGER, HOSPITAL, foreign, "drugs.not-registered"), (DOCTOR, HOSPITAL, over, "drugs.encounter-over"),
    ):
        async with city.doctor(doctor, institution) as client:
            answer = await client.post("/fhir/MedicationRequest/$prescribe", json=prescribe(where, line()))
        assert reason(answer) == key, answer.text
    async with city.resident(visit) as resident:
        assert (await resident.post("/fhir/MedicationRequest/$prescribe", json=prescribe(visit, line()))).status_code == 403


@pytest.mark.parametrize(("wrong", "key", "place"), [
    ({"code": "no-such-drug"}, "drugs.wrong-drug", "medicationCodeableConcept"), ({"dose": 0}, "drugs.wrong-dose", "dosageInstruction"),
    ({"quantity": -1}, "drugs.wrong-quantity", "dispenseRequest.quantity"), ({"days": 0}, "drugs.wrong-days", "expectedSupplyDuration"),
    ({"package": "车"}, "drugs.wrong-unit", "quantity.unit"), ({"frequency": ""}, "drugs.wrong-frequency", "timing"),
])
async def test_what_cannot_be_prescribed_is_refused_by_its_field(city: City, wrong: dict[str, object], key: str, place: str) -> None:
    visit = await city.visit()
    async with city.doctor() as client:
        answer = await client.post("/fhir/MedicationRequest/$prescribe", json=prescribe(visit, line(), line(**wrong)))  # pyright: ignore[reportArgumentType]
        assert (answer.status_code, reason(answer)) == (422, key)
        assert place in answer.json()["issue"][0]["expression"][0]
        assert "[1]" in answer.json()["issue"][0]["expression"][0]
        assert (await client.get(f"/fhir/MedicationRequest?patient=Patient/{visit.patient}")).json()["total"] == 0


async def test_only_one_pharmacy_locks_and_a_returned_one_is_chosen_anew(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    async with city.shop() as first, city.shop(SECOND) as second, city.resident(visit) as resident:
        assert (await second.post("/fhir/MedicationRequest/$lock", json=parameters(number=number))).status_code == 404, "another one was chosen"
        await first.post("/fhir/MedicationRequest/$lock", json=parameters(number=number, key="a"))
        assert said(await first.post("/fhir/MedicationRequest/$lock", json=parameters(number=number, key="a")))["state"] == "locked"
        busy = await resident.post("/fhir/MedicationRequest/$choose", json=choice(number, pharmacy=SECOND))
        assert (busy.status_code, reason(busy)) == (409, "drugs.locked")
        assert said(await first.post("/fhir/MedicationRequest/$unlock", json=parameters(number=number)))["state"] == "circulated"
        assert (await resident.post("/fhir/MedicationRequest/$choose", json=choice(number, pharmacy=SECOND))).status_code == 200
        assert (await first.post("/fhir/MedicationRequest/$lock", json=parameters(number=number))).status_code == 404
        assert said(await second.post("/fhir/MedicationRequest/$lock", json=parameters(number=number)))["state"] == "locked"


async def test_somebody_else_chooses_and_sees_nothing(city: City) -> None:
    visit, other = await city.visit(), await city.visit("陈明", "1980-02-03")
    number = await city.passed(visit)
    async with city.resident(other) as stranger:
        for deed in ("choose", "code", "decline", "agree", "new-code"):
            assert (await stranger.post(f"/fhir/MedicationRequest/${deed}", json=choice(number))).status_code == 404, deed
        assert (await stranger.get(f"/fhir/MedicationRequest/{number}-1")).status_code == 404


async def test_a_retail_pharmacy_sees_what_it_dispenses_and_no_diagnosis(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit)
    await city.system.commit([])
    async with city.shop() as shop, city.shop(SECOND) as other:
        assert (await shop.get(f"/fhir/MedicationRequest/{number}-1")).status_code == 200
        assert (await other.get(f"/fhir/MedicationRequest/{number}-1")).status_code == 404
        assert (await shop.get(f"/fhir/Condition?patient=Patient/{visit.patient}")).status_code == 403


async def test_a_courier_of_another_company_has_no_part_in_it(city: City) -> None:
    visit = await city.visit()
    number = await city.chosen(visit, way="courier", pharmacy=PHARMACY)
    async with city.shop() as shop:
        await shop.post("/fhir/MedicationRequest/$lock", json=parameters(number=number))
        await shop.post("/fhir/MedicationRequest/$dispense", json=parameters(number=number, key="k"))
    async with city.rider("d-pharmacy-2") as other:
        for deed in ("address", "pick-up", "deliver", "fail", "temperature"):
            assert (await other.post(f"/fhir/SupplyDelivery/{number}-parcel/${deed}", json=parameters(celsius=4))).status_code == 404, deed
