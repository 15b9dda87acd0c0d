"""What operators watch: counted requests without identifiers, and honest readiness."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from kangyun.base import health, metrics
from kangyun.base.database import Database
from tests.base.waiting import becomes


def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def fine() -> str:
    return "ok"


async def broken() -> str:
    raise OSError("a text that stays inside")


async def asleep() -> str:
    await asyncio.sleep(60)
    return "ok"


async def test_requests_are_counted_by_template() -> None:
    app = metrics.HttpMetrics(Starlette(routes=[Route("/probe/{id}", hello), Route("/metrics", metrics.show)]))
    async with client(app) as caller:
        for number in range(3):
            await caller.get(f"/probe/{number}")
        await caller.request("BREW", "/probe/4")
        shown = (await caller.get("/metrics")).text
    assert 'kangyun_http_requests_total{method="GET",route="/probe/{id}",status="200"} 3.0' in shown
    assert 'method="other"' in shown
    assert "/probe/1" not in shown


def test_our_metrics_have_a_reference() -> None:
    rows = metrics.reference()
    assert any(name == "kangyun_http_requests" for name, _, _ in rows)
    assert all(meaning for _, _, meaning in rows)
    assert REGISTRY.get_sample_value("kangyun_nothing") is None


async def test_live_answers_always_and_ready_only_when_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_PATIENCE", 0.2)
    app = Starlette(routes=[
        Mount("/health", routes=[
            Route("/live", health.live),
            Route("/good", health.ready({"one": fine})),
            Route("/bad", health.ready({"one": fine, "two": broken, "three": asleep})),
        ]),
    ])
    async with client(app) as caller:
        assert (await caller.get("/health/live")).json() == {"status": "ok"}
        assert (await caller.get("/health/good")).status_code == 200
        bad = await caller.get("/health/bad")
    assert bad.status_code == 503
    assert bad.json() == {"status": "not-ready", "checks": {"one": "ok", "two": "OSError", "three": "TimeoutError"}}


async def test_the_database_checks_see_a_missing_migration(database: Database) -> None:
    checks = health.database_checks(database)
    assert [await check() for check in checks.values()] == ["ok", "ok"]
    async with database.connection() as connection:
        await connection.execute("DELETE FROM migration WHERE number = (SELECT max(number) FROM migration)")
    assert await checks["migrations"]() == "1-missing"


async def test_a_pulse_that_stops_is_noticed() -> None:
    pulse = health.Pulse(allowed=60)
    assert await pulse.check() == "ok"
    pulse.allowed = 0
    assert await pulse.check() == "silent"
    pulse = health.Pulse(allowed=0.1)
    await becomes(pulse.check, "silent")
    pulse.allowed = 60
    pulse.beat()
    assert await pulse.check() == "ok"
