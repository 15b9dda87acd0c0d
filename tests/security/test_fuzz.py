"""Every address is tried out as every role: no 500, and nobody's particulars for who may not see them.

`bench/fuzz.py` does the same ten thousand times.
"""

from __future__ import annotations

import pytest

from kangyun.app.services import Services
from tests.security import fuzzing, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NUMBER, SEED = 600, 4


@pytest.mark.usefixtures("world")
async def test_nothing_breaks_and_nothing_leaks(services: Services) -> None:
    tally = await fuzzing.everybody(services, list(fuzzing.shots(NUMBER, SEED)))
    print(tally.shots, sorted(tally.statuses.items()))
    assert tally.faults == []
    assert tally.shots > NUMBER * 0.9


async def test_the_fuzzer_would_notice_a_leak(services: Services, world: world.World) -> None:
    del world
    shot = fuzzing.Shot("GET", "/fhir/Patient/marked", {}, None, None, "/fhir/Patient/{id}")
    for role, leaks in (("data_steward", True), ("researcher", False)):
        tally = fuzzing.Tally()
        async with fuzzing.acting(services, fuzzing.door(services), role) as client:
            answer = await client.send(fuzzing.request_of(client, shot))
            assert any(word in answer.content for word in fuzzing.forbidden()) == leaks
            await fuzzing.fire(client, role, [shot], tally)
        assert tally.faults == []
