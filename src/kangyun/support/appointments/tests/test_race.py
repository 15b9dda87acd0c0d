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
from kangyun.support.appointments.tests.clinic import HOSPITAL, World, id_number, opened, parameters

PEOPLE, NUMBERS = 1000, 50
_AT_ONCE = 250


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
