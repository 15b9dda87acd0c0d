"""Whether this process lives and whether it can do its work, as JSON for load balancers and people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kangyun.base.database import Database, pending

Check = Callable[[], Awaitable[str]]
"""Answers "ok", or a short code of what is wrong; an exception counts as wrong too."""

_PATIENCE = 3.0


class Pulse:
    """A sign of life that long-running work gives: `beat()` each round; silent for longer than `allowed` is dead."""

    def __init__(self, allowed: float = 60.0) -> None:
        self.allowed = allowed
        self.last = time.monotonic()

    def beat(self) -> None:
        """Say that a round was made."""
        self.last = time.monotonic()

    async def check(self) -> str:
        """The check for /health/ready."""
        return "ok" if time.monotonic() - self.last < self.allowed else "silent"


def database_checks(db: Database) -> dict[str, Check]:
    """The database answers, and no migration is missing."""

    async def answers() -> str:
        async with db.connection() as connection:
            return "ok" if await connection.fetchval("SELECT 1") == 1 else "wrong"

    async def current() -> str:
        async with db.connection() as connection:
            missing = await pending(connection)  # pyright: ignore[reportArgumentType] - a pool's proxy speaks the same
        return f"{len(missing)}-missing" if missing else "ok"

    return {"database": answers, "migrations": current}


async def live(_request: Request) -> Response:
    """GET /health/live: the process answers."""
    return JSONResponse({"status": "ok"})


def ready(checks: Mapping[str, Check]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that runs these checks."""

    async def endpoint(_request: Request) -> Response:
        """GET /health/ready: 200 when every check is ok, else 503; the body names each check with its answer."""
        answers = await asyncio.gather(*(_answer(check) for check in checks.values()))
        report = dict(zip(checks, answers, strict=True))
        good = all(answer == "ok" for answer in answers)
        body = {"status": "ok" if good else "not-ready", "checks": report}
        return JSONResponse(body, status_code=200 if good else 503)

    return endpoint


async def _answer(check: Check) -> str:
    try:
        return await asyncio.wait_for(check(), _PATIENCE)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in a check is its answer
        return type(error).__name__
