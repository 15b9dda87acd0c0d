"""Doors to other systems that push messages to us: MLLP connections and a watched folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from kangyun.base import tls
from kangyun.base.door import Door, listen
from kangyun.base.errors import Problem
from kangyun.base.settings import Settings
from kangyun.commons.exchange.actions import Intake
from kangyun.commons.exchange.actions.registering import refresh
from kangyun.commons.exchange.actions.sweep import take_over
from kangyun.commons.exchange.listeners.folder import Folder
from kangyun.commons.exchange.listeners.mllp import Limits, MllpServer

log = structlog.get_logger()

_FRESH_SECONDS = 5.0
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

__all__ = ["Folder", "Limits", "MllpServer", "accepting", "following", "listening", "place"]


def place(settings: Settings) -> tuple[str, int] | None:
    """Where other systems connect, so that whoever starts all processes can open it for them; None where nobody may."""
    return (_host(settings), settings.mllp_port) if settings.mllp_port else None


@asynccontextmanager
async def listening(services: Any, door: Door | None = None) -> AsyncGenerator[MllpServer | None]:
    """Listen as the settings say, until the block ends; `services` has settings, database, gate and keys.

    Gives the MLLP server, or None where `mllp_port` is 0. Without a door it opens one and raises OSError when the port is taken.
    """
    settings = services.settings
    if settings.mllp_port and _host(settings) != settings.host:
        log.warning("mllp.loopback_only")
    with suppress(Problem):
        await take_over(services.database)
    async with accepting(services, door) as server:
        folder: asyncio.Task[None] | None = None
        if settings.folder_in:
            folder = asyncio.create_task(Folder(Path(settings.folder_in), _intake(services)).watch())
        try:
            yield server
        finally:
            await _ended(folder)


@asynccontextmanager
async def following(services: Any) -> AsyncGenerator[None]:
    """Know what is registered of the senders, also on the pages of other processes, until the block ends.

    Every process that takes messages, or replays them, does so in it.
    """
    with suppress(Problem):
        await refresh(services.database)
    watching = asyncio.create_task(_keep_fresh(services))
    try:
        yield
    finally:
        await _ended(watching)


@asynccontextmanager
async def accepting(services: Any, door: Door | None = None) -> AsyncGenerator[MllpServer | None]:
    """Take MLLP connections until the block ends, which any number of processes may do at one door."""
    settings = services.settings
    renewing: asyncio.Task[None] | None = None
    intake = _intake(services)
    server = MllpServer(intake.receive, intake.refuse, Limits(message=settings.mllp_max_bytes, half_frame=settings.mllp_idle_seconds))
    try:
        if settings.mllp_port:
            papers = tls.Papers(settings.mllp_tls_certificate, settings.mllp_tls_key, settings.mllp_tls_authorities)
            context = papers.context() if papers.certificate else None
            renewing = asyncio.create_task(tls.renew(context, papers)) if context else None
            server.start(door or Door(listen(_host(settings), settings.mllp_port)), context)
            log.info("mllp.listening", port=server.port)
        yield server if settings.mllp_port else None
    finally:
        await server.close()
        await _ended(renewing)


def _intake(services: Any) -> Intake:
    return Intake(services.database, services.gate, services.keys)


async def _ended(*tasks: asyncio.Task[None] | None) -> None:
    running = {task for task in tasks if task}
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)


def _host(settings: Settings) -> str:
    """Where MLLP listens: what is not encrypted stays on this machine unless the operator wants it otherwise."""
    if settings.mllp_tls_certificate or settings.mllp_plain or settings.host in _LOOPBACK:
        return settings.host
    return "127.0.0.1"


async def _keep_fresh(services: Any) -> None:
    """What is registered on the pages of another process is in force here within seconds."""
    while True:
        await asyncio.sleep(_FRESH_SECONDS)
        with suppress(Problem):
            await refresh(services.database)
