"""Residents of several messages at once: each is found and placed as if it came alone."""

from __future__ import annotations

import asyncio

import pytest

from kangyun.base.database import Database
from kangyun.commons.access import Gate, Handle
from kangyun.commons.population import beside, prepare, register
from kangyun.commons.population.tests.people import ADDRESS, id_number, one_person, persons, resident
from kangyun.commons.records import Store

NAMES = ("周秀兰", "吴桂英", "李建国", "郑克爽", "钱多多")


@pytest.fixture
async def handle(database: Database) -> Handle:
    async with database.connection() as connection:
        await connection.execute("TRUNCATE identity, candidate, resource, span, history, change, commit_once")
    return Gate(Store(database)).system("test")


async def test_senders_who_ask_at_once_are_each_told_their_own_resident(handle: Handle):
    told = {(source, number): resident(f"M{number}", name=name, birthDate=f"19{number + 2}0-03-04") for source in ("A", "B") for number, name in enumerate(NAMES)}
    known = {key: await register(handle, patient, key[0]) for key, patient in told.items()}
    told["A", 9] = resident("M9", name="孙小小", birthDate="1999-09-09")
    found = dict(zip(told, await asyncio.gather(*(prepare(handle, patient, key[0]) for key, patient in told.items())), strict=True))
    assert {key: found[key].patient for key in known} == known
    assert not any(found[key].writes for key in known)
    [new] = found["A", 9].writes
    assert (new.if_match, new.id in known.values()) == (0, False)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
async def test_of_those_who_are_placed_together_the_same_come_under_one_person(handle: Handle, order: tuple[int, ...]):
    same = {"id_": id_number("1956-03-04", 42), "phone": "13905741234", "address": ADDRESS}
    arriving = [("A", resident("M1", **same)), ("B", resident("K7", **same)), ("C", resident("L5", name="郑克爽", birthDate="1988-08-08", gender="male"))]
    ready = [await prepare(handle, patient, source) for source, patient in arriving]
    parts = [ready[place] for place in order]
    await handle.commit([write for one in parts for write in one.writes], beside=beside([arrival for one in parts for arrival in one.arrivals]))
    first, second, other = (one.patient for one in ready)
    assert await one_person(handle, first, second)
    assert await persons(handle, other) != await persons(handle, first)
