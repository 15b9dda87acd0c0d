"""A platform whose residents have simulated phones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kangyun.app.services import Services
from kangyun.base.simulators import listening
from kangyun.commons.access.gateways.sms_simulator import Simulator
from kangyun.commons.access.tests.doors import with_phones


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(key=b"between us")


@pytest.fixture(scope="module")
def platform(services: Services, simulator: Simulator) -> Iterator[Services]:
    with listening(simulator.app) as url:
        yield with_phones(services, url, simulator)
