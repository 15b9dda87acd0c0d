"""What the tests of this room share."""

from __future__ import annotations

import pytest

from kangyun.app.services import Services
from kangyun.care.internet_hospital.tests.scene import Scene, set_up


@pytest.fixture(scope="module")
async def scene(services: Services) -> Scene:
    """A hospital with its internet licence, a clinic for hypertension and one for children."""
    return await set_up(services)
