"""A record that everybody of a test file looks at."""

from __future__ import annotations

import httpx
import pytest

from tests.security import world as worlds


@pytest.fixture(scope="module")
async def world(api: httpx.AsyncClient) -> worlds.World:
    """The small record, written once for a test file."""
    return await worlds.fill(api)
