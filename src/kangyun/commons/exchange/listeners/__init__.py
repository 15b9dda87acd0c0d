"""Doors to other systems that push messages to us: MLLP connections and a watched folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from kangyun.base.errors import Problem
from kangyun.commons.exchange.actions import Intake
from kangyun.commons.exchange.actions.registering import refresh
from kangyun.commons.exchange.actions.sweep import take_over
from kangyun.commons.exchange.listeners.folder import Folder
from kangyun.commons.exchange.listeners.mllp import Limits, MllpServer, tls_context

log = structlog.get_logger()

_FRESH_SECONDS = 5.0

__all__ = ["Folder", "Limits", "MllpServer", "listening"]


@asynccontextmanager
async def listening(services: Any) -> AsyncGenerator[MllpServer | None]:
    """Listen as the settings say, until the block ends; `services` has settings, database, gate and keys.

    Gives the MLLP server, or None where `mllp_port` is 0. Raises OSError when the port is taken.
    """
    settings = services.settings
    intake = Intake(services.database, services.gate, services.keys)
    with suppress(Problem):
        await take_over(services.database)
        await refresh(services.database)
    watching = asyncio.create_task(_keep_fresh(services))
    folder = asyncio.create_task(Folder(Path(settings.folder_in), intake).watch()) if settings.folder_in else None
    server = MllpServer(intake.receive, intake.refuse, Limits(message=settings.mllp_max_bytes, half_frame=settings.mllp_idle_seconds))
    try:
        if settings.mllp_port:
            tls = tls_context(settings.mllp_tls_certificate, settings.mllp_tls_key)
            await server.start(settings.host, settings.mllp_port, tls)
            log.info("mllp.listening", port=server.port)
        yield server if settings.mllp_port else None
    finally:
        await server.close()
        tasks = {watching, folder} if folder else {watching}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _keep_fresh(services: Any) -> None:
    """What is registered on the pages of another process is in force here within seconds."""
    while True:
        await asyncio.sleep(_FRESH_SECONDS)
        with suppress(Problem):
            await refresh(services.database)
