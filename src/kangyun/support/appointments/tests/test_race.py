"""1,000 people ask over HTTP for 50 numbers in the same moment: exactly 50 get one, each another."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import uvicorn
from tests.serving import free_port

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.commons.access import Actor, Write
from kangyun.commons.population import ID_NUMBER_SYSTEM
from kangyun.support.appointments.queries import bookings
from kangyun.support.appointments.tests.clinic import (
    HOSPITAL,
    Somebody,
    World,
    book,
    id_number,
    key_of,
    opened,
    parameters,
)

PEOPLE, NUMBERS = 1000, 50
_AT_ONCE = 250
_FAMILIES, _OTHERS = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨", "朱秦尤许何吕"


@pytest.fixture(scope="module")
async def world(services: Services) -> World:
    return await opened(services)


@pytest.fixture(scope="module")
async def port(services: Services) -> AsyncIterator[int]:
    """The application on a real port."""
    chosen = free_port()
    server = uvicorn.Server(uvicorn.Config(build(services, {}), port=chosen, log_config=None, access_log=False, lifespan="off", ws="none", backlog=2048))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this field only
        await asyncio.sleep(0.02)
    yield chosen
    server.should_exit = True
    await serving


async def crowd(services: Services) -> list[str]:
    """Access tokens of as many different people."""
    work = services.gate.system("test")
    for start in range(0, PEOPLE, _AT_ONCE):
        await work.commit([write for n in range(start, start + _AT_ONCE) for write in _somebody(n)])
    actors = [Actor(f"user/c{n}", "resident", person=f"c{n}", account=f"c{n}") for n in range(PEOPLE)]
    return [await services.entries.issue(one, kind="token", lasts=3600) for one in actors]


def _somebody(n: int) -> list[Write]:
    who = {"name": [{"text": f"居民{n}"}], "identifier": [{"system": ID_NUMBER_SYSTEM, "value": id_number()}]}
    patient = {"resourceType": "Patient", "id": f"c{n}", **who, "managingOrganization": {"reference": f"Organization/{HOSPITAL}"}}
    person = {"resourceType": "Person", "id": f"c{n}", "active": True, **who, "link": [{"target": {"reference": f"Patient/c{n}"}}]}
    return [Write("update", "Patient", patient, f"c{n}"), Write("update", "Person", person, f"c{n}")]


async def ask(port: int, token: str, sitting: str) -> tuple[int, str]:
    """One booking on a connection of its own: the status, and the number or the reason."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(parameters(sitting=sitting)).encode()
    head = f"POST /fhir/Appointment/$book HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/fhir+json\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    whole = await reader.read()
    writer.close()
    told = json.loads(whole.partition(b"\r\n\r\n")[2])
    reason = told["slot"][0]["reference"] if told["resourceType"] == "Appointment" else told["issue"][0]["diagnostics"]
    return int(whole[9:12]), reason


@pytest.mark.timeout(240)
async def test_a_thousand_race_for_fifty(world: World, port: int) -> None:
    tokens = await crowd(world.services)
    sitting = await world.sitting(NUMBERS)
    answers = await asyncio.gather(*(ask(port, token, sitting.id) for token in tokens))
    assert Counter(status for status, _ in answers) == {201: NUMBERS, 409: PEOPLE - NUMBERS}
    got = [number for status, number in answers if status == 201]
    assert len(set(got)) == NUMBERS
    assert {reason for status, reason in answers if status == 409} == {"appointments.full"}
    assert await world.states(sitting.id) == ["taken"] * NUMBERS
    async with world.services.database.connection() as connection:
        kept = await bookings.of_sitting(connection, sitting.id)
    assert len({one.patient for one in kept}) == len({one.number for one in kept}) == len(kept) == NUMBERS


async def test_one_person_with_many_devices_gets_one(world: World, port: int) -> None:
    token = await world.services.entries.issue(Actor("user/c7", "resident", person="c999", account="c999"), kind="token", lasts=3600)
    sittings = [await world.sitting(5) for _ in range(3)]
    answers = await asyncio.gather(*(ask(port, token, sittings[n % 3].id) for n in range(18)))
    assert Counter(status for status, _ in answers) == {201: 1, 409: 17}
    assert {reason for status, reason in answers if status == 409} <= {"appointments.same-department", "appointments.full"}


async def strangers(world: World, families: str) -> list[Somebody]:
    """One person of each family, of different ages: nobody takes one for another."""
    return [await world.resident(f"{family}明{family}", f"{1930 + 3 * n}-0{n % 9 + 1}-1{n % 9}") for n, family in enumerate(families)]


async def test_who_books_at_the_same_moment_is_judged_alone(world: World, port: int) -> None:
    """Those who are refused, for whatever reason, take nothing from those beside them."""
    people = await strangers(world, _FAMILIES)
    actors = [Actor(f"user/{one.person}", "resident", person=one.person, account=one.person) for one in people]
    tokens = [await world.services.entries.issue(one, kind="token", lasts=3600) for one in actors]
    first, second = await world.sitting(40), await world.sitting(40)
    asked = [(token, sitting) for token in tokens for sitting in (first, second)]
    answers = await asyncio.gather(*(ask(port, token, sitting.id) for token, sitting in asked))
    got = [number for status, number in answers if status == 201]
    assert len(got) == len(set(got)) == 16
    assert Counter(reason for status, reason in answers if status != 201) == {"appointments.same-department": 16}
    taken = await world.states(first.id) + await world.states(second.id)
    assert taken.count("taken") == 16


async def test_what_the_database_refuses_of_one_it_takes_of_the_others(world: World) -> None:
    """A key of a booking that is older than anybody looks back to: nobody else's booking fails by it."""
    people = await strangers(world, _OTHERS)
    sitting, old = await world.sitting(20), await world.sitting(2)
    async with world.as_resident(people[0]) as phone:
        assert (await book(phone, sitting=old.id, key="once")).status_code == 201
    async with world.services.database.connection() as connection:
        await connection.execute("UPDATE appointments_booking SET day = day - 500, booked = booked - interval '500 days' WHERE sitting = $1", old.id)

    async def one(who: Somebody) -> tuple[int, str]:
        async with world.as_resident(who) as phone:
            answer = await book(phone, sitting=sitting.id, key="once")
            return answer.status_code, "" if answer.status_code == 201 else key_of(answer)

    answers = await asyncio.gather(*map(one, people))
    assert answers == [(409, "appointments.key-used"), *[(201, "")] * 5]
    assert (await world.states(sitting.id)).count("taken") == 5
