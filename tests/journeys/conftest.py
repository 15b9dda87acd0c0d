"""One internet hospital for all journeys of a run, since it takes some seconds to open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from kangyun.base.keys import FileKeys, vault
from tests.journeys.world import World, hospital_of


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory, run_keys: FileKeys) -> Iterator[World]:
    """The running hospital: two clinics, four residents with hypertension beside the old woman, and many doctors.

    A code of an authenticator is good once and for half a minute: with a doctor for each journey nobody waits for the next one.
    """
    with hospital_of(tmp_path_factory.mktemp("hospital"), clinics=2, residents=4, doctors=18) as made:
        vault.use(run_keys)
        yield made


@pytest.fixture
async def world(hospital: World) -> AsyncIterator[World]:
    """The same, whose connections are those of one test."""
    yield hospital
    await hospital.hang_up()
