"""Playing many journeys at once in a world: everybody logs in, journeys run side by side, and in the end everything is examined."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import asyncpg

from kangyun.app.journeys import Verdict, examine
from tests.faults.storm import dsn
from tests.journeys.world import World
from yunzhou.actors import Actor, RefusalError
from yunzhou.journey import Cast, Clock, Doctor, Journey, LostError


@dataclass
class Played:
    """What came of journeys: the numbers of prescriptions, and how the others ended."""

    done: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])


async def cast_of(world: World, doctors: int = 1, at_once: int = 8) -> Cast:
    """Everybody of the staff, logged in; so many doctors, some logging in at the same time."""
    places = asyncio.Semaphore(at_once)

    async def doctor(number: int) -> Doctor:
        login = world.open.doctors[number]
        async with places:
            return Doctor(await world.worker(login), login.practitioner, world.authenticator(login))

    played = await asyncio.gather(*(doctor(number) for number in range(doctors)))
    pharmacists = [await world.worker(world.staff[role]) for role in ("pharmacist", "second_pharmacist")]
    pharmacy, courier = await world.worker(world.staff["retail_pharmacist"]), await world.worker(world.staff["courier"])
    return Cast(
        world.open.clinics[0], world.bank, list(played), pharmacists, [pharmacy], [courier],
        world.places["retail_pharmacist"], world.places["courier"])


async def residents_of(world: World, count: int, at_once: int = 8) -> list[Actor]:
    """So many residents, logged in by telephone, each from a network address of its own."""
    places = asyncio.Semaphore(at_once)

    async def resident(number: int) -> Actor:
        async with places:
            return await world.resident(world.people[number], f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")

    return list(await asyncio.gather(*(resident(number) for number in range(count))))


async def play(cast: Cast, residents: list[Actor], count: int, clock: Clock, *, first: int = 0, at_once: int = 0) -> Played:
    """Play so many journeys, as many side by side as there are residents, or `at_once`; each resident has one at a time."""
    played, left, free = Played(), iter(range(first, first + count)), deque(residents)

    async def one_after_the_other() -> None:
        for place in left:
            resident = free.popleft()
            journey = Journey(cast, Actor(resident.line, resident.token, resident.patient, resident.name, resident.patience), place, clock)
            try:
                played.done.append(await journey.run())
            except (RefusalError, LostError) as error:
                played.failed.append(f"{place} {journey.visit} {journey.number}: {error}")
            # Whoever waited longest is next.
            free.append(resident)

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once or len(residents))))
    return played


async def verdict(world: World, patience: float = 60) -> Verdict:
    """What the platform's own examination finds, as soon as nothing moves any more or patience is over."""
    connection = await asyncpg.connect(dsn(world.server))
    try:
        found = await examine(connection)
        for _ in range(int(patience / 0.5)):
            if not any(one.check in {"unsettled", "work", "money_back", "waiting_money", "settlements"} for one in found.faults):
                break
            await asyncio.sleep(0.5)
            found = await examine(connection)
        return found
    finally:
        await connection.close()
