"""What becomes of a number: cancelled, waited for, released, missed, stopped, given to a substitute."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.support.appointments.actions import sweeping
from kangyun.support.appointments.tests.clinic import (
    CLINIC,
    DOCTOR,
    HOSPITAL,
    OTHER,
    Somebody,
    World,
    at,
    book,
    in_china,
    key_of,
    opened,
    parameters,
    today,
)


@pytest.fixture(scope="module")
async def world(services: Services) -> World:
    return await opened(services)


async def sweep(world: World) -> None:
    await sweeping.sweep(world.services, {})


async def status(client: httpx.AsyncClient, id_: str) -> str:
    return str((await client.get(f"/fhir/Appointment/{id_}")).json()["status"])


async def notices(world: World, who: Somebody) -> list[str]:
    """The Chinese texts that somebody was told."""
    async with world.as_resident(who) as phone:
        entries = (await phone.get("/fhir/Communication", params={"_count": "50"})).json().get("entry", [])
    return [one["resource"]["payload"][0]["contentString"] for one in entries]


async def test_a_cancelled_number_comes_back_after_a_while_and_once(world: World) -> None:
    sitting, who, other = await world.sitting(1), await world.resident(), await world.resident("吴桂英")
    async with world.as_resident(who) as phone, world.as_resident(other) as next_:
        made = (await book(phone, sitting=sitting.id)).json()
        first = await phone.post(f"/fhir/Appointment/{made['id']}/$cancel")
        assert (first.status_code, first.json()["status"]) == (200, "cancelled")
        assert (await phone.post(f"/fhir/Appointment/{made['id']}/$cancel")).json()["meta"]["versionId"] == first.json()["meta"]["versionId"]
        assert key_of(await book(next_, sitting=sitting.id)) == "appointments.full"
        now = clock.now()
        at(now + timedelta(minutes=31))
        assert (await book(next_, sitting=sitting.id)).status_code == 201
        # The first one cancels once more: it is another's number now.
        await phone.post(f"/fhir/Appointment/{made['id']}/$cancel")
    assert await world.states(sitting.id) == ["taken"]


async def test_who_waits_gets_the_number_in_the_order_of_asking(world: World) -> None:
    sitting = await world.sitting(1)
    holder, first, second, stranger = [await world.resident(name) for name in ("周秀兰", "吴桂英", "郑玉梅", "路人甲")]
    async with world.as_resident(holder) as one, world.as_resident(first) as two, world.as_resident(second) as three:
        free = await two.post("/fhir/Appointment/$wait", json=parameters(sitting=sitting.id))
        assert key_of(free) == "appointments.free-there"
        made = (await book(one, sitting=sitting.id)).json()
        waits = []
        for n, client in enumerate((two, three)):
            at(clock.now() + timedelta(seconds=n))
            waits.append((await client.post("/fhir/Appointment/$wait", json=parameters(sitting=sitting.id))).json())
        assert [entry["status"] for entry in waits] == ["waitlist", "waitlist"]
        await one.post(f"/fhir/Appointment/{made['id']}/$cancel")
        async with world.as_resident(stranger) as four:
            assert key_of(await book(four, sitting=sitting.id)) == "appointments.full"
        await sweep(world)
        assert (await status(two, waits[0]["id"]), await status(three, waits[1]["id"])) == ("booked", "waitlist")
    assert any("预约成功" in text for text in await notices(world, first))


async def test_unused_quotas_are_released_in_time(world: World) -> None:
    sitting, who = await world.sitting(2, ahead=2, family_doctor=2), await world.resident()
    async with world.as_resident(who) as phone:
        await sweep(world)
        assert key_of(await book(phone, sitting=sitting.id)) == "appointments.full"
        at(sitting.starts - timedelta(hours=23, minutes=59))
        await sweep(world)
        assert (await book(phone, sitting=sitting.id)).status_code == 201


async def test_three_missed_visits_close_the_web_and_the_hospital_may_excuse(world: World) -> None:
    who = await world.resident("孙凤英")
    missed: list[str] = []
    for ahead, department in ((1, "03.01"), (3, "03.02"), (9, "03.03")):
        sitting = await world.sitting(2, ahead=ahead, schedule=await world.schedule(department=department))
        at(in_china(today() if ahead < 8 else today() + timedelta(days=3), 12))
        async with world.as_resident(who) as phone:
            made = await book(phone, sitting=sitting.id)
            assert made.status_code == 201, made.text
            missed.append(made.json()["id"])
        at(sitting.ends + timedelta(minutes=31))
        await sweep(world)
        clock.set_source(None)
    last = today() + timedelta(days=9)
    at(in_china(last, 12))
    later = await world.sitting(3, ahead=2, schedule=await world.schedule(department="10"))
    async with world.as_resident(who) as phone, world.as_staff("clerk") as clerk:
        assert [await status(phone, id_) for id_ in missed] == ["noshow"] * 3
        refused = await book(phone, sitting=later.id)
        assert (refused.status_code, key_of(refused)) == (403, "appointments.closed")
        assert (last + timedelta(days=90)).isoformat() in refused.text
        async with world.as_staff("clerk", OTHER) as stranger:
            assert (await stranger.post(f"/fhir/Appointment/{missed[0]}/$excuse")).status_code == 404
        assert (await phone.post(f"/fhir/Appointment/{missed[0]}/$excuse")).status_code == 403
        assert (await clerk.post(f"/fhir/Appointment/{missed[0]}/$excuse")).status_code == 200
        assert (await book(phone, sitting=later.id)).status_code == 201


async def test_a_late_cancellation_counts_and_after_the_beginning_none_is_possible(world: World) -> None:
    who = await world.resident()
    first, second = [await world.sitting(2, schedule=await world.schedule(department=one)) for one in ("03.01", "03.02")]
    async with world.as_resident(who) as phone:
        made = [(await book(phone, sitting=one.id)).json()["id"] for one in (first, second)]
        at(first.starts - timedelta(hours=11))
        assert (await phone.post(f"/fhir/Appointment/{made[0]}/$cancel")).status_code == 200
        at(second.starts + timedelta(seconds=1))
        assert key_of(await phone.post(f"/fhir/Appointment/{made[1]}/$cancel")) == "appointments.too-late"
    async with world.services.database.connection() as connection:
        assert await connection.fetchval("SELECT late FROM appointments_booking WHERE appointment = $1", made[0])


async def test_who_books_and_cancels_again_and_again_pauses(world: World) -> None:
    who = await world.resident()
    async with world.as_resident(who) as phone:
        for department in ("03.01", "03.02", "03.03", "03.05"):
            made = await book(phone, sitting=(await world.sitting(1, schedule=await world.schedule(department=department))).id)
            assert made.status_code == 201, made.text
            await phone.post(f"/fhir/Appointment/{made.json()['id']}/$cancel")
        assert key_of(await book(phone, sitting=(await world.sitting(1)).id)) == "appointments.churn"


async def test_a_stopped_sitting_tells_everybody_and_opens_again(world: World) -> None:
    sitting = await world.sitting(3)
    people = [await world.resident(name) for name in ("周秀兰", "吴桂英")]
    made: list[str] = []
    for one in people:
        async with world.as_resident(one) as phone:
            made.append((await book(phone, sitting=sitting.id)).json()["id"])
    of = f"/fhir/Schedule/{sitting.schedule}"
    async with world.as_staff("clerk") as clerk, world.as_staff("clerk", OTHER) as stranger, world.as_staff("clerk", CLINIC) as below:
        for nobody in (stranger, below):
            assert (await nobody.post(f"{of}/$stop", json=parameters(sitting=sitting.id, reason="x"))).status_code == 404
        told = await clerk.post(f"{of}/$stop", json=parameters(sitting=sitting.id, reason="医生外出"))
        assert told.json()["parameter"] == [{"name": "told", "valueInteger": 2}]
        assert (await clerk.post(f"{of}/$stop", json=parameters(sitting=sitting.id, reason="again"))).status_code == 409
        assert await world.states(sitting.id) == ["closed"] * 3
        async with world.as_resident(people[0]) as phone:
            assert await status(phone, made[0]) == "cancelled"
            assert key_of(await book(phone, sitting=sitting.id)) == "appointments.stopped"
            assert (await phone.get(f"/fhir/Slot/{sitting.id}.3")).json()["status"] == "busy-unavailable"
            assert any("停诊" in text for text in await notices(world, people[0]))
            assert (await clerk.post(f"{of}/$reopen", json=parameters(sitting=sitting.id))).status_code == 200
            assert (await book(phone, sitting=sitting.id)).status_code == 201


async def test_a_substitute_is_told_and_one_may_leave_without_consequence(world: World) -> None:
    sitting, who = await world.sitting(2), await world.resident()
    async with world.as_resident(who) as phone, world.as_staff("institution_admin") as desk:
        made = (await book(phone, sitting=sitting.id)).json()
        assert any(one["actor"]["reference"] == f"Practitioner/{DOCTOR}" for one in made["participant"])
        changed = await desk.post(f"/fhir/Schedule/{sitting.schedule}/$change", json=parameters(sitting=sitting.id, practitioner="dr-li", room="7诊室"))
        assert changed.json()["parameter"][0]["valueInteger"] == 1, changed.text
        assert (await desk.post(f"/fhir/Schedule/{sitting.schedule}/$change", json=parameters(sitting=sitting.id, practitioner="nobody"))).status_code == 404
        now = (await phone.get(f"/fhir/Appointment/{made['id']}")).json()
        doctors = [one["actor"]["reference"] for one in now["participant"] if "Practitioner/" in one["actor"]["reference"]]
        assert doctors == ["Practitioner/dr-li"]
        at(sitting.starts - timedelta(hours=1))
        assert (await phone.post(f"/fhir/Appointment/{made['id']}/$cancel")).status_code == 200
    async with world.services.database.connection() as connection:
        assert not await connection.fetchval("SELECT late FROM appointments_booking WHERE appointment = $1", made["id"])


async def test_the_queue_follows_the_numbers_and_who_is_late_goes_back(world: World) -> None:
    sitting = await world.sitting(6, at=(in_china(today(), 8)).time())
    people = [await world.resident(f"居民{n}") for n in range(4)]
    made: list[str] = []
    for one in people:
        async with world.as_resident(one) as phone:
            made.append((await book(phone, sitting=sitting.id)).json()["id"])
    async with world.as_staff("nurse") as nurse, world.as_staff("nurse", OTHER) as stranger:
        early = await nurse.post(f"/fhir/Appointment/{made[0]}/$check-in")
        assert key_of(early) == "appointments.too-early"
        at(in_china(sitting.day, 7, 30))
        assert (await stranger.post(f"/fhir/Appointment/{made[1]}/$check-in")).status_code == 404
        assert (await nurse.post("/fhir/Appointment/$check-in", json=parameters(patient=people[2].patient))).status_code == 200
        assert (await nurse.post(f"/fhir/Appointment/{made[1]}/$check-in")).status_code == 200
        at(in_china(sitting.day, 8, 40))
        late = (await nurse.post(f"/fhir/Appointment/{made[0]}/$check-in")).json()["parameter"]
        assert {one["name"]: one.get("valueInteger") for one in late}["place"] == 3
        order: list[str] = []
        for _ in range(3):
            called = (await nurse.post("/fhir/Appointment/$call-next", json=parameters(sitting=sitting.id))).json()
            order.append(called["parameter"][0]["valueString"])
        assert order == [made[1], made[2], made[0]]
        assert (await nurse.post("/fhir/Appointment/$call-next", json=parameters(sitting=sitting.id))).json()["parameter"] == [{"name": "state", "valueString": "empty"}]
        passed = (await nurse.post(f"/fhir/Appointment/{order[0]}/$pass")).json()["parameter"]
        assert {one["name"]: one.get("valueString") for one in passed}["state"] == "checked-in"
        assert (await nurse.post(f"/fhir/Appointment/{order[1]}/$finish")).status_code == 200
        assert (await nurse.post(f"/fhir/Appointment/{order[1]}/$finish")).status_code == 409
        async with world.as_resident(people[0]) as phone:
            assert (await phone.post(f"/fhir/Appointment/{made[0]}/$check-in")).status_code == 403
            assert (await phone.post(f"/fhir/Appointment/{made[0]}/$cancel")).status_code == 409


async def test_an_institutions_own_system_brings_its_numbers(world: World) -> None:
    from kangyun.support.appointments.actions.mirroring import mirror_schedule, mirror_slot

    work = world.services.gate.system("test")
    day = today() + timedelta(days=2)
    async with world.as_staff("operator", None) as his:
        service = {"resourceType": "HealthcareService", "id": "his-skin", "name": "皮肤科", "providedBy": {"reference": f"Organization/{OTHER}"},
                   "specialty": [{"coding": [{"code": "13"}]}]}
        schedule = {"resourceType": "Schedule", "id": "his-1", "actor": [{"reference": "HealthcareService/his-skin"}]}
        slots = [{"resourceType": "Slot", "id": f"his-slot-{n}", "schedule": {"reference": "Schedule/his-1"}, "status": "free" if n else "busy",
                  "start": in_china(day, 9 + n).isoformat(), "end": in_china(day, 10 + n).isoformat()} for n in range(3)]
        for one in (service, schedule, *slots):
            assert (await his.put(f"/fhir/{one['resourceType']}/{one['id']}", json=one)).status_code == 201
        await mirror_schedule(work, "his-1")
        for _ in range(2):
            for one in slots:
                await mirror_slot(work, str(one["id"]))
    async with world.as_resident(await world.resident()) as phone:
        found = (await phone.post("/fhir/Appointment/$find", json=parameters(text="皮疹"))).json()
        assert [one["resource"]["description"] for one in found["entry"]] == ["皮肤科"]
        assert key_of(await book(phone, slot="his-slot-0")) == "appointments.taken"
        assert (await book(phone, slot="his-slot-2")).status_code == 201


async def test_a_schedule_is_arranged_over_fhir_by_its_own_institution(world: World) -> None:
    wish = {"institution": HOSPITAL, "kind": "checkup", "department": "51", "title": "健康体检", "fee": 30000}
    async with world.as_staff("institution_admin") as desk, world.as_staff("institution_admin", OTHER) as stranger, world.as_staff("hospital_doctor") as doctor:
        assert (await stranger.post("/fhir/Schedule/$arrange", json=parameters(**wish))).status_code == 404
        assert (await doctor.post("/fhir/Schedule/$arrange", json=parameters(**wish))).status_code == 403
        made = await desk.post("/fhir/Schedule/$arrange", json=parameters(**wish))
        assert made.status_code == 201, made.text
        of = f"/fhir/Schedule/{made.json()['id']}"
        day = today() + timedelta(days=4)
        part = {"weekday": day.isoweekday(), "begins": "08:00", "minutes": 30, "numbers": 4}
        assert (await desk.post(f"{of}/$template", json=parameters(**part))).status_code == 201
        assert (await desk.post(f"{of}/$template", json=parameters(**{**part, "begins": "25:00"}))).status_code == 400
        for wrong in (5, [{"name": "quota", "valueString": "x"}, {"name": "quota", "part": 5}], ["x"], [{"name": "quota", "part": [None]}]):
            refused = await desk.post(f"{of}/$template", json={"resourceType": "Parameters", "parameter": wrong})
            assert refused.status_code == 400, refused.text
        assert key_of(await desk.post(f"{of}/$template", json=parameters(**{**part, "begins": "13:00", "numbers": 99}))) == "appointments.wrong-numbers"
        assert (await stranger.post(f"{of}/$depart", json=parameters(day=day.isoformat(), kind="closed", reason="x"))).status_code == 404
        assert (await desk.post(f"{of}/$depart", json=parameters(day=day.isoformat(), kind="closed", reason="设备检修"))).status_code == 200
        offers = (await desk.post(f"{of}/$offers", json=parameters())).json()["parameter"][1:]
        states = [{part["name"]: part for part in one["part"]} for one in offers]
        assert [one["state"]["valueCode"] for one in states if one["id"]["valueId"].endswith(f"{day:%y%m%d}0800")] == ["stopped"]
