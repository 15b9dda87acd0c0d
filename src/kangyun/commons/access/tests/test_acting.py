"""Work of the platform that somebody has started: who may start it, and under whose name it is written down."""

from __future__ import annotations

import pytest

from kangyun.app.services import Services
from kangyun.base.errors import Problem
from kangyun.commons.access import Actor, Write

SLOT = {"resourceType": "Basic", "id": "acting", "code": {"text": "a number"}}
RESIDENT = Actor("user/77", "resident", account="77", person="nobody")


async def test_work_may_write_what_the_role_may_not(services: Services) -> None:
    handle = services.gate.open(RESIDENT)
    with pytest.raises(Problem):
        await handle.commit([Write("update", "Basic", SLOT, "acting")])
    await handle.acting("resident.use", "appointments.book", writes="Basic").commit([Write("update", "Basic", SLOT, "acting")])
    assert await services.gate.system("test").read("Basic", "acting")


async def test_without_the_permission_nothing_starts(services: Services) -> None:
    with pytest.raises(Problem) as refused:
        services.gate.open(RESIDENT).acting("clinician.read", "appointments.book", writes="Basic")
    assert refused.value.status == 403


async def test_an_app_starts_only_what_its_scopes_allow(services: Services) -> None:
    app = Actor("user/77", "resident", account="77", person="nobody", scopes="patient/Observation.rs")
    with pytest.raises(Problem):
        services.gate.open(app).acting("resident.use", "appointments.book", writes="Basic")


async def test_the_trail_names_the_caller_with_the_work(services: Services) -> None:
    handle = services.gate.open(RESIDENT)
    own = handle.acting("resident.use", "appointments.book", writes="Basic")
    await own.commit([Write("update", "Basic", {**SLOT, "id": "told"}, "told")])
    await handle.settle("ok", "a.page")
    await services.trail.settled()
    async with services.database.connection() as connection:
        rows = await connection.fetch("SELECT body FROM audit_event WHERE name = 'user/77' AND body LIKE '%appointments.book%'")
    assert [("resident" in row["body"], "system" in row["body"], "Basic/told" in row["body"]) for row in rows] == [(True, False, True)]
