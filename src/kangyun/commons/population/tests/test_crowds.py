"""Many at once: two clinics bring the same new person in one second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.commons.population.actions.crowds import Crowd, place_crowd
from kangyun.commons.population.decisions.kept import kept
from kangyun.commons.population.decisions.traits import keys_of, traits
from kangyun.commons.population.model import Traits
from kangyun.commons.population.queries.placed import around, array_of
from kangyun.commons.population.queries.placed import sql as identity
from kangyun.commons.population.tests.people import id_number, resident
from kangyun.commons.records.actions.importing import load_resources

SOMEBODY: dict[str, Any] = {"birthDate": "1956-03-04", "address": "云州市东城区人民路街道幸福社区3组12号", "phone": "13905741234"}


def a_patient(*numbers: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **resident(*numbers, **more)}


async def bring(connection: Connection, source: str, *patients: dict[str, Any]) -> Crowd:
    crowd = await place_crowd(connection, source, patients)
    await load_resources(connection, [*crowd.patients, *crowd.persons])
    await crowd.keep(connection, set())
    return crowd


@asynccontextmanager
async def rolled_back(connection: Connection) -> AsyncGenerator[None]:
    """A transaction that leaves nothing behind."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def until_one_waits(database: Database) -> None:
    """Until a transaction waits for another one's lock; whoever never waits lets the test run out of time."""
    async with database.connection() as connection:
        for _ in range(400):
            if await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                return
            await asyncio.sleep(0.025)
    pytest.fail("nobody waited")


@pytest.mark.parametrize("other", [
    {"name": "周秀兰", "id_": id_number("1956-03-04", 2)},
    {"name": "周秀蘭"},   # no number
    {"name": "周秀岚", "birthDate": "1956-03-04"},   # another character of the same sound
], ids=["number", "variant", "homophone"])
async def test_a_new_person_whom_two_clinics_bring_at_one_moment_is_one(services: Services, other: dict[str, Any]) -> None:
    first = a_patient("M1", id_number("1956-03-04", 2), name="周秀兰", **SOMEBODY)
    second = a_patient("M2", **{**SOMEBODY, **other})

    async def follow() -> Crowd:
        async with services.database.connection() as connection, connection.transaction():
            return await bring(connection, "clinic-2", second)

    async with services.database.connection() as connection, connection.transaction():
        brought = await bring(connection, "clinic-1", first)
        assert brought.ids != [None]
        following = asyncio.create_task(follow())
        await until_one_waits(services.database)
    # Somebody is alike, so it goes the way of those who are placed by themselves, and is no new Person.
    found = await following
    assert found.ids == [None]
    assert found.persons == []


async def test_those_who_bring_different_people_do_not_wait(services: Services) -> None:
    async with services.database.connection() as one, one.transaction():
        await bring(one, "clinic-1", a_patient("M1", id_number("1956-03-04", 2), name="周秀兰", **SOMEBODY))
        async with asyncio.timeout(20), services.database.connection() as other, other.transaction():
            crowd = await bring(other, "clinic-2", a_patient("M2", id_number("1971-05-06", 3), name="吴建国", birthDate="1971-05-06", phone="13605740001"))
            assert len(crowd.persons) == 1


def one_of_many(number: int) -> Traits:
    """Somebody for whom the clinic put in its own telephone, as for everybody else."""
    given = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平"
    born = f"{1930 + number % 80}-{1 + number % 12:02d}-{1 + number % 28:02d}"
    name = f"王{given[number % 20]}{given[number // 20 % 20]}"
    return traits(a_patient(f"K{number}", name=name, birthDate=born, phone="13605749999"))


async def stand(connection: Connection, number: int, person: str, seen: Traits) -> None:
    await connection.execute(
        identity.put, number, f"p{number}", person, "clinic", 1, 1, "{}", [], array_of(keys_of(seen)), kept(f"p{number}", seen), clock.now())


async def test_a_telephone_that_a_crowd_bears_leads_to_nobody_and_the_name_still_does(services: Services) -> None:
    async with services.database.connection() as connection, rolled_back(connection):
        for number in range(300):
            await stand(connection, number, f"person-{number}", one_of_many(number))
        near = await around(connection, one_of_many(999), [])
        await stand(connection, 300, "person-300", one_of_many(300))
        far = await around(connection, one_of_many(999), [])
        again = await around(connection, one_of_many(7), [])
    assert len(near.groups) == 300
    assert len(far.groups) < 10
    assert "person-7" in again.groups


async def test_a_person_who_was_sent_a_thousand_times_is_found_again(services: Services) -> None:
    async with services.database.connection() as connection, rolled_back(connection):
        for number in range(320):
            await stand(connection, number, "person", one_of_many(7))
        found = await around(connection, one_of_many(7), [])
    assert {person: len(group) for person, group in found.groups.items()} == {"person": 320}
