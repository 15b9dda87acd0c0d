"""What lies below an institution is remembered, and never longer than it is true."""

from __future__ import annotations

import asyncio

from kangyun.app.services import Services
from kangyun.commons.access import Actor, Write

NURSE = Actor("user/1", "hospital_doctor", institution="county", account="1")


def organization(id_: str, part_of: str = "") -> Write:
    above = {"partOf": {"reference": f"Organization/{part_of}"}} if part_of else {}
    return Write("update", "Organization", {"resourceType": "Organization", "id": id_, "name": id_, **above}, id_)


async def below(services: Services) -> int:
    """How many institutions a doctor of the county hospital stands for."""
    return len((await services.gate.open(NURSE)._caller.facts()).institutions)  # pyright: ignore[reportPrivateUsage]


async def until(services: Services, wanted: int) -> None:
    async with asyncio.timeout(10):
        while await below(services) != wanted:  # noqa: ASYNC110 - another process told this one, which says so to nobody
            await asyncio.sleep(0.01)


async def test_a_change_of_the_institutions_holds_at_once_where_it_was_remembered(services: Services) -> None:
    system = services.gate.system("test")
    await system.commit([organization("county")])
    asked = services.gate.open(NURSE)._caller._questions()  # pyright: ignore[reportPrivateUsage]
    assert await below(services) == 1
    assert services.entries.houses.known(asked) is None, "who hears of no changes remembers nothing"
    async with services.entries.listening():
        async with asyncio.timeout(10):
            while services.entries.houses.known(asked) is None:
                await below(services)
                await asyncio.sleep(0.01)
        await system.commit([organization("ward", "county")])
        await until(services, 2)
        await system.commit([organization("ward-2", "county")])
        await until(services, 3)
        await system.commit([organization("ward", "elsewhere")])
        await until(services, 2)
        assert services.entries.houses.known(asked) is not None
    assert services.entries.houses.known(asked) is None
    await system.commit([organization("ward", "county")])
    assert await below(services) == 3
