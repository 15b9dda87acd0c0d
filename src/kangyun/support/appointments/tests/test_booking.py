"""Booking over HTTP: one number for one person, for whom one may, within the limits, and a repetition is the same request."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.support.appointments.tests.clinic import (
    CLINIC,
    HOSPITAL,
    OTHER,
    World,
    at,
    book,
    in_china,
    key_of,
    opened,
    today,
)


@pytest.fixture(scope="module")
async def world(services: Services) -> World:
    return await opened(services)


async def test_a_resident_books_and_everybody_sees_the_same(world: World) -> None:
    sitting, who = await world.sitting(2), await world.resident()
    async with world.as_resident(who) as phone:
        made = await book(phone, sitting=sitting.id)
        assert made.status_code == 201, made.text
        told = made.json()
        assert (told["status"], told["slot"][0]["reference"]) == ("booked", f"Slot/{sitting.id}.1")
        # The hospital has got a Patient of its own for the person, who still is one.
        patient = next(one["actor"]["reference"] for one in told["participant"] if one["actor"]["reference"].startswith("Patient/"))
        kept = (await phone.get(f"/fhir/{patient}")).json()
        assert kept["managingOrganization"]["reference"] == f"Organization/{HOSPITAL}"
        assert (await phone.get(f"/fhir/Slot/{sitting.id}.1")).json()["status"] == "busy"
        assert (await phone.get(f"/fhir/Slot/{sitting.id}.2")).json()["status"] == "free"
        assert (await phone.get("/fhir/Appointment", params={"patient": patient})).json()["total"] == 1


async def test_a_named_number_is_had_once(world: World) -> None:
    sitting = await world.sitting(2)
    first, second = await world.resident(), await world.resident("吴桂英")
    async with world.as_resident(first) as one, world.as_resident(second) as other:
        assert (await book(one, slot=f"{sitting.id}.2")).status_code == 201
        refused = await book(other, slot=f"{sitting.id}.2")
        assert (refused.status_code, key_of(refused)) == (409, "appointments.taken")
        assert (await book(other, sitting=sitting.id)).status_code == 201
        third = await world.resident("郑玉梅")
        async with world.as_resident(third) as late:
            assert key_of(await book(late, sitting=sitting.id)) == "appointments.full"
    assert await world.states(sitting.id) == ["taken", "taken"]


async def test_a_repeated_request_is_answered_and_takes_nothing(world: World) -> None:
    sitting, who = await world.sitting(3), await world.resident()
    async with world.as_resident(who) as phone:
        first = await book(phone, sitting=sitting.id, key="tap-1")
        again = await book(phone, sitting=sitting.id, key="tap-1")
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
        other = await world.sitting(3)
        assert key_of(await book(phone, sitting=other.id, key="tap-1")) == "appointments.key-used"
        # Without the key it would be a second number.
        assert key_of(await book(phone, sitting=sitting.id)) == "appointments.same-department"
    assert (await world.states(sitting.id)).count("taken") == 1


async def test_nobody_books_cancels_or_reads_for_somebody_else(world: World) -> None:
    sitting, who, other = await world.sitting(3), await world.resident(), await world.resident("吴桂英")
    async with world.as_resident(who) as phone, world.as_resident(other) as stranger:
        refused = await book(stranger, sitting=sitting.id, patient=who.patient)
        assert (refused.status_code, key_of(refused)) == (404, "appointments.nobody")
        made = (await book(phone, sitting=sitting.id, patient=who.patient)).json()
        assert (await stranger.post(f"/fhir/Appointment/{made['id']}/$cancel")).status_code == 404
        assert (await stranger.get(f"/fhir/Appointment/{made['id']}")).status_code == 404
        # By a plain write of the record neither.
        assert (await stranger.put(f"/fhir/Appointment/{made['id']}", json={**made, "status": "cancelled"})).status_code in {403, 404}
        assert (await phone.put(f"/fhir/Slot/{sitting.id}.1", json={"resourceType": "Slot", "id": f"{sitting.id}.1", "status": "free"})).status_code == 403
        async with world.as_staff("clerk", OTHER) as clerk:
            assert (await clerk.post(f"/fhir/Appointment/{made['id']}/$cancel")).status_code == 404
            assert key_of(await book(clerk, sitting=sitting.id, patient=who.patient)) == "appointments.other-place"
        async with world.as_staff("pharmacist") as pharmacist:
            assert (await book(pharmacist, sitting=sitting.id, patient=who.patient)).status_code == 403


async def test_a_guardian_books_for_the_ward_and_the_clerk_on_site(world: World) -> None:
    from kangyun.commons.access import Actor

    sitting = await world.sitting(3, on_site=1)
    ward, guardian = await world.resident("李小宝"), await world.resident("李大山")
    acting = Actor("user/g", "guardian", person=ward.person, account=guardian.person)
    async with world.client(acting) as phone:
        assert (await book(phone, sitting=sitting.id, patient=guardian.patient)).status_code == 404
        made = (await book(phone, sitting=sitting.id)).json()
    own = [one["actor"]["reference"] for one in made["participant"]]
    assert not any(guardian.patient in one for one in own)
    async with world.as_staff("clerk") as clerk:
        stranger = await world.resident("无证者", document=False)
        assert (await book(clerk, sitting=sitting.id)).status_code == 422
        here = await book(clerk, sitting=sitting.id, patient=stranger.patient)
        assert here.json()["meta"]["tag"][0]["code"] == "on_site"


@pytest.mark.parametrize(("born", "sex", "department", "expected"), [
    ("1990-01-01", "male", "05.02", "appointments.not-for-sex"),
    ("1990-01-01", "female", "07", "appointments.not-for-age"),
    ("1990-01-01", "female", "05.02", ""),
])
async def test_departments_are_for_whom_they_are(world: World, born: str, sex: str, department: str, expected: str) -> None:
    sitting = await world.sitting(2, schedule=await world.schedule(department=department))
    who = await world.resident("张三", born, sex=sex)
    async with world.as_resident(who) as phone:
        answer = await book(phone, sitting=sitting.id)
        assert (key_of(answer) if expected else answer.status_code) == (expected or 201)


async def test_the_web_asks_for_a_real_name_and_an_examination_for_an_order(world: World) -> None:
    nobody, who = await world.resident("无名", document=False), await world.resident()
    sitting = await world.sitting(2)
    async with world.as_resident(nobody) as phone:
        assert key_of(await book(phone, sitting=sitting.id)) == "appointments.no-real-name"
    ultrasound = await world.sitting(2, schedule=await world.schedule(kind="examination", department="32.05", examination="us-abdomen", practitioner="", title="腹部超声"))
    async with world.as_resident(who) as phone:
        assert key_of(await book(phone, sitting=ultrasound.id)) == "appointments.no-order"
        id_ = f"o-{who.person}"
        order = {"resourceType": "ServiceRequest", "id": id_, "status": "active", "intent": "order", "subject": {"reference": f"Patient/{who.patient}"}}
        from kangyun.commons.access import Write

        await world.services.gate.system("test").commit([Write("update", "ServiceRequest", order, id_)])
        made = await book(phone, sitting=ultrasound.id, order=id_)
        assert made.json()["basedOn"] == [{"reference": f"ServiceRequest/{id_}"}]
        again = await world.sitting(2, ahead=2, schedule=await world.schedule(kind="examination", department="32.05", examination="us-heart", practitioner="", title="心脏超声"))
        assert key_of(await book(phone, sitting=again.id, order=id_)) == "appointments.order-used"


async def test_two_a_day_three_a_week(world: World) -> None:
    who = await world.resident()
    departments = ["03.01", "03.02", "03.03", "10", "11"]
    sittings = [
        await world.sitting(2, ahead=ahead, schedule=await world.schedule(department=department))
        for ahead, department in zip([1, 1, 1, 2, 3], departments, strict=True)
    ]
    async with world.as_resident(who) as phone:
        answers = [await book(phone, sitting=one.id) for one in sittings]
        assert [one.status_code for one in answers] == [201, 201, 409, 201, 409]
        assert [key_of(answers[n]) for n in (2, 4)] == ["appointments.window"] * 2
    # A doctor who refers decides himself.
    async with world.as_staff("clerk") as clerk:
        assert (await book(clerk, sitting=sittings[2].id, patient=who.patient)).status_code == 201


async def test_an_account_that_books_for_many_is_stopped(world: World) -> None:
    from kangyun.commons.access import Actor

    sitting = await world.sitting(9)
    family = [await world.resident(f"家人{n}") for n in range(6)]
    answers = []
    for one in family:
        async with world.client(Actor("user/scalper", "guardian", person=one.person, account="scalper")) as phone:
            answers.append(await book(phone, sitting=sitting.id))
    assert [one.status_code for one in answers] == [201] * 5 + [403]
    assert key_of(answers[5]) == "appointments.account"


async def test_numbers_open_at_their_hour_and_not_at_midnight(world: World) -> None:
    who, day = await world.resident(), today() + timedelta(days=8)
    sitting = await world.sitting(2, ahead=8)
    async with world.as_resident(who) as phone:
        # Seven days before, in China's time: at midnight it is the day already, and still too early.
        for moment, status in [(in_china(day - timedelta(days=7), 0), 409), (in_china(day - timedelta(days=7), 6, 59), 409), (in_china(day - timedelta(days=7), 7), 201)]:
            at(moment)
            assert (await book(phone, sitting=sitting.id)).status_code == status
        clock.set_source(None)


async def test_quotas_are_kept_and_family_doctors_come_first(world: World) -> None:
    sitting = await world.sitting(3, family_doctor=1, on_site=1)
    people = [await world.resident(f"居民{n}") for n in range(3)]
    async with world.as_resident(people[0]) as one, world.as_resident(people[1]) as two:
        assert (await book(one, sitting=sitting.id)).status_code == 201
        assert key_of(await book(two, sitting=sitting.id)) == "appointments.full"
    async with world.as_staff("village_doctor", CLINIC) as village:
        made = await book(village, sitting=sitting.id, patient=people[2].patient)
        assert made.status_code == 201, made.text
        assert made.json()["meta"]["tag"][0]["code"] == "family_doctor"


@pytest.mark.parametrize(("values", "status"), [
    ({}, 400), ({"sitting": "nowhere"}, 404), ({"slot": "nowhere.1"}, 404), ({"slot": "x" * 300}, 400), ({"sitting": 7}, 400),
])
async def test_bad_input_is_refused_and_nothing_changes(world: World, values: dict[str, str | int], status: int) -> None:
    async with world.as_resident(await world.resident()) as phone:
        answer = await book(phone, **values)
        assert answer.status_code == status, answer.text
        assert answer.json()["resourceType"] == "OperationOutcome"
