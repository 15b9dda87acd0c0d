"""Journeys while the server, its worker and PostgreSQL are killed and the banks' notices are lost, doubled, forged and late."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator

import pytest

from kangyun.base.keys import FileKeys, vault
from kangyun.support.payments.gateways.simulator import Faults
from tests.faults.reaper import Reaper
from tests.journeys.playing import cast_of, play, residents_of, verdict
from tests.journeys.world import World, hospital_of
from yunzhou.journey import Clock

SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
_JOURNEYS, _KILLS = 8, 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, run_keys: FileKeys) -> Iterator[World]:
    """A hospital of its own, since it will not be left in peace."""
    with hospital_of(tmp_path_factory.mktemp("hospital"), residents=_JOURNEYS, doctors=_JOURNEYS) as made:
        vault.use(run_keys)
        yield made


async def test_nothing_is_lost_doubled_or_left_unsettled(world: World) -> None:
    print(f"STORM_SEED={SEED}")
    cast, residents = await cast_of(world, _JOURNEYS), await residents_of(world, _JOURNEYS)
    world.around.channels.faults = Faults(lost=0.2, twice=0.3, forged=0.2, late=0.5)
    world.around.insurer.faults = ["late", "lost", "twice", "never"]
    world.around.insurer.lateness = 0.3
    reaper = Reaper(world.server, random.Random(SEED))
    deaths = asyncio.create_task(reaper.reap(_KILLS, 1.5))
    played = await play(cast, residents, _JOURNEYS, Clock())
    await deaths
    found = await verdict(world, 90)
    await world.hang_up()
    assert played.failed == [], reaper.struck
    assert found.faults == [], reaper.struck
    assert found.number("medicine", "closed") == _JOURNEYS, reaper.struck
    assert len(set(played.done)) == _JOURNEYS
