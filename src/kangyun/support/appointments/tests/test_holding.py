"""A number is held while somebody pays for it: nobody else gets it, and it comes back when the time is over."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.support.appointments.actions import sweeping
from kangyun.support.appointments.model import HELD_UNTIL
from kangyun.support.appointments.tests.clinic import HOSPITAL, OTHER, World, at, book, key_of, opened, parameters

MINUTES = timedelta(minutes=15)


@pytest.fixture(scope="module")
async def world(services: Services) -> World:
    return await opened(services)


async def hold(client: httpx.AsyncClient, **values: str) -> dict[str, Any]:
    answer = await client.post("/fhir/Appointment/$hold", json=parameters(**values))
    assert answer.status_code == 201, answer.text
    return answer.json()


def until(made: dict[str, Any]) -> datetime:
    return next(datetime.fromisoformat(one["valueInstant"]) for one in made["extension"] if one["url"] == HELD_UNTIL)


async def status(client: httpx.AsyncClient, id_: str) -> str:
    return str((await client.get(f"/fhir/Appointment/{id_}")).json()["status"])


async def notices(client: httpx.AsyncClient) -> list[str]:
    entries = (await client.get("/fhir/Communication", params={"_count": "50"})).json().get("entry", [])
    return [one["resource"]["payload"][0]["contentString"] for one in entries]


async def sweep(world: World) -> None:
    await sweeping.sweep(world.services, {})


async def test_a_held_number_is_nobody_elses_and_is_booked_once_when_it_is_paid(world: World) -> None:
    sitting, mine, other = await world.sitting(1), await world.resident("林秀英"), await world.resident("路人甲")
    async with world.as_resident(mine) as phone, world.as_resident(other) as stranger, world.as_staff() as clerk:
        made = await hold(phone, sitting=sitting.id)
        assert made["status"] == "pending"
        assert timedelta() < until(made) - clock.now() <= MINUTES
        assert key_of(await book(stranger, sitting=sitting.id)) == "appointments.full"
        assert (await phone.get(f"/fhir/Slot/{made['slot'][0]['reference'].partition('/')[2]}")).json()["status"] == "busy"
        assert not any("预约成功" in text for text in await notices(phone)), "nothing is booked yet"
        at(until(made) - timedelta(seconds=1))
        await sweep(world)
        assert await status(phone, made["id"]) == "pending"
        first = await clerk.post(f"/fhir/Appointment/{made['id']}/$confirm")
        assert (first.status_code, first.json()["status"]) == (200, "booked"), first.text
        assert "extension" not in first.json()
        again = await clerk.post(f"/fhir/Appointment/{made['id']}/$confirm")
        assert again.json()["meta"]["versionId"] == first.json()["meta"]["versionId"]
        at(until(made) + timedelta(hours=1))
        await sweep(world)
        assert await status(phone, made["id"]) == "booked"
        assert sum("预约成功" in text for text in await notices(phone)) == 1


async def test_what_is_not_paid_in_time_goes_at_once_to_whoever_waits(world: World) -> None:
    sitting = await world.sitting(1)
    mine, next_, other = [await world.resident(name) for name in ("林秀英", "吴桂英", "路人甲")]
    async with world.as_resident(mine) as phone, world.as_resident(next_) as second, world.as_resident(other) as stranger:
        made = await hold(phone, sitting=sitting.id)
        waits = (await second.post("/fhir/Appointment/$wait", json=parameters(sitting=sitting.id))).json()
        at(until(made))
        await sweep(world)
        assert (await status(phone, made["id"]), await status(second, waits["id"])) == ("cancelled", "booked")
        assert key_of(await book(stranger, sitting=sitting.id)) == "appointments.full"
        assert any("没有在时限内支付" in text for text in await notices(phone))
        async with world.as_staff() as clerk:
            late = await clerk.post(f"/fhir/Appointment/{made['id']}/$confirm")
            assert late.status_code == 409, "the number is another's: the money goes back"
    assert await world.states(sitting.id) == ["taken"]


async def test_what_is_not_paid_and_not_waited_for_is_free_for_all_again(world: World) -> None:
    sitting, mine, other = await world.sitting(1), await world.resident("林秀英"), await world.resident("路人甲")
    async with world.as_resident(mine) as phone, world.as_resident(other) as stranger:
        made = await hold(phone, sitting=sitting.id)
        at(until(made))
        await sweep(world)
        assert await world.states(sitting.id) == ["free"]
        at(until(made) + timedelta(minutes=31))
        assert (await book(stranger, sitting=sitting.id)).status_code == 201


async def test_the_resident_may_leave_without_consequence_but_not_say_that_it_is_paid(world: World) -> None:
    sitting, mine = await world.sitting(1), await world.resident("林秀英")
    async with world.as_resident(mine) as phone, world.as_staff(institution=OTHER) as elsewhere:
        made = await hold(phone, sitting=sitting.id)
        assert (await phone.post(f"/fhir/Appointment/{made['id']}/$confirm")).status_code == 403
        assert (await elsewhere.post(f"/fhir/Appointment/{made['id']}/$confirm")).status_code == 404
        at(sitting.starts - timedelta(minutes=10))
        left = await phone.post(f"/fhir/Appointment/{made['id']}/$cancel")
        assert (left.status_code, left.json()["status"]) == (200, "cancelled")


async def test_a_repetition_holds_one_number_and_a_hold_counts_as_a_booking(world: World) -> None:
    sitting, mine = await world.sitting(3), await world.resident("林秀英")
    async with world.as_resident(mine) as phone:
        made = await hold(phone, sitting=sitting.id, key="k1")
        assert (await hold(phone, sitting=sitting.id, key="k1"))["id"] == made["id"]
        assert key_of(await book(phone, sitting=sitting.id)) == "appointments.same-department"
    assert sorted(await world.states(sitting.id)) == ["free", "free", "taken"]


async def test_paying_and_running_out_of_time_at_once_end_in_one_of_the_two(world: World) -> None:
    sitting = await world.sitting(6)
    people = [await world.resident(f"居民{n}") for n in range(6)]
    made: list[dict[str, Any]] = []
    for one in people:
        async with world.as_resident(one) as phone:
            made.append(await hold(phone, sitting=sitting.id))
    at(max(map(until, made)))
    async with world.as_staff(institution=HOSPITAL) as clerk:
        answers, _ = await asyncio.gather(asyncio.gather(*(clerk.post(f"/fhir/Appointment/{one['id']}/$confirm") for one in made)), sweep(world))
        ended = [await status(clerk, one["id"]) for one in made]
    assert [answer.status_code for answer in answers] == [200 if state == "booked" else 409 for state in ended]
    assert sorted(await world.states(sitting.id)) == sorted("taken" if state == "booked" else "free" for state in ended)
