"""Running the platform in one process: web, worker, reactions and listeners on one event loop."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import structlog
import uvicorn

from kangyun.app import siblings
from kangyun.app.connections import bounded
from kangyun.app.encrypting import encrypted
from kangyun.app.rooms import doors
from kangyun.app.services import Services, collect_less, open_services
from kangyun.app.web import build
from kangyun.base import health
from kangyun.base.door import Door, Tally, listen
from kangyun.base.jobs import Worker
from kangyun.base.reactions import Reaction, run_feed
from kangyun.base.settings import Settings
from kangyun.commons.records import ChangeFeed

log = structlog.get_logger()

# What comes through a WebSocket of ours: a description of a call's media is some 10 KB.
_LARGEST_WORD = 64 * 1024
# A phone that lost its network says nothing: who talks with it sees after 15 seconds at the most that it is gone.
_PING_SECONDS, _PONG_SECONDS = 5.0, 10.0

Announce = Callable[[Services], Coroutine[Any, Any, None]]


async def serve(settings: Settings, announce: Announce | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `announce` runs beside the server once everything is up."""
    # Before anything else is started: a port in use is told at once, as OSError.
    sockets = [listen(*place) for place in [(settings.host, settings.port), *(place for _, place in _pushing(settings))]]
    tally = Tally.new(len(sockets), siblings.count(settings))
    services = await open_services(settings)
    try:
        await _serve(services, sockets, tally, announce)
    finally:
        await services.close()
        await services.database.stop_server(always=True)


async def answer(settings: Settings, sockets: Sequence[socket.socket], tally: int, process: int) -> None:
    """Answer HTTP and take messages, beside the process that does the rest; the first one has migrated the database.

    `tally` is the number of the open file in which all count, `process` this one's place in it.
    """
    services = await open_services(settings)
    door, *others = _doors(sockets, Tally(len(sockets), tally), process)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(services.close)
        await services.trail.take_over()
        await stack.enter_async_context(services.entries.listening())
        for (module, _), one in zip(_pushing(settings), others, strict=True):
            await stack.enter_async_context(module.accepting(services, one))
        tls = await stack.enter_async_context(encrypted(settings))
        server = _Server(_config(services, health.database_checks(services.database), tls), door, settings.slow_client_seconds)
        collect_less()
        serving = asyncio.create_task(server.serve())
        try:
            await asyncio.shield(serving)
        finally:
            # All at once: whoever is started in the place of a killed one needs the ports, and what goes on here may take long.
            for one in (door, *others):
                one.close()
            server.should_exit = True
            await asyncio.wait({serving}, timeout=11)


async def work(settings: Settings) -> None:
    """Run background jobs and reactions only, until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    services = await open_services(settings)
    async with AsyncExitStack() as stack:
        await _start_work(stack, services, lambda: 0)
        await ended.wait()
    await services.close()
    await services.database.stop_server()


def _pushing(settings: Settings) -> list[tuple[ModuleType, tuple[str, int]]]:
    """The rooms to which other systems push messages, each with the host and port at which they do."""
    return [(module, place) for module in doors("listeners") if (place := module.place(settings))]


def _doors(sockets: Sequence[socket.socket], tally: Tally, process: int) -> list[Door]:
    return [Door(sock, tally.at(number), process) for number, sock in enumerate(sockets)]


async def _serve(services: Services, sockets: Sequence[socket.socket], tally: Tally, announce: Announce | None) -> None:
    door, *others = _doors(sockets, tally, 0)
    async with AsyncExitStack() as stack:
        checks = health.database_checks(services.database)
        crowd = _Crowd()
        await services.trail.take_over()
        await stack.enter_async_context(services.entries.listening())
        if services.settings.worker:
            checks |= await _start_work(stack, services, crowd)
        pushed = {module: one for (module, _), one in zip(_pushing(services.settings), others, strict=True)}
        for module in doors("listeners"):
            await stack.enter_async_context(module.listening(services, pushed.get(module)))
        await stack.enter_async_context(siblings.running(services.settings, sockets, tally, services.database.dsn))
        tls = await stack.enter_async_context(encrypted(services.settings))
        crowd.server = server = _Server(_config(services, checks, tls), door, services.settings.slow_client_seconds)
        if announce:
            task = asyncio.create_task(announce(services))
            stack.callback(task.cancel)
        collect_less()
        await server.serve()


class _Crowd:
    """How many requests this process is answering."""

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None

    def __call__(self) -> int:
        return len(self.server.server_state.tasks) if self.server else 0


class _Server(uvicorn.Server):
    """Takes connections at our door, and leaves the signals' meaning to us: uvicorn raises them again when it has ended, before we have."""

    def __init__(self, config: uvicorn.Config, door: Door, patience: float) -> None:
        super().__init__(config)
        self._door, self._patience = door, patience

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the door."""
        await super().startup(sockets or [])
        make = partial(self.config.http_protocol_class, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        self._door.open(make, self.config.ssl, self._patience)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door before those who are inside are asked to finish."""
        self._door.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Both signals end the server in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _config(services: Services, checks: dict[str, health.Check], tls: ssl.SSLContext | None) -> uvicorn.Config:
    settings = services.settings
    return uvicorn.Config(
        build(services, checks), host=settings.host, port=settings.port, loop="uvloop", http=bounded(settings.slow_client_seconds),
        log_config=None, access_log=False, server_header=False, lifespan="off", proxy_headers=False,
        ws="websockets-sansio", ws_max_size=_LARGEST_WORD, ws_ping_interval=_PING_SECONDS, ws_ping_timeout=_PONG_SECONDS,
        timeout_graceful_shutdown=10, timeout_keep_alive=75,
        ssl_context_factory=(lambda *_: tls) if tls else None,
    )


async def _start_work(stack: AsyncExitStack, services: Services, crowd: Callable[[], int]) -> dict[str, health.Check]:
    """Background jobs and reactions; they end with the stack."""
    list(doors("jobs"))
    list(doors("actions"))  # Importing a room's actions registers its jobs.
    worker = Worker(services.database, services)
    working = asyncio.create_task(worker.run())
    reactions: list[Reaction] = [r for module in doors("reactions") for r in module.reactions()]
    pulse = health.Pulse()
    feed = asyncio.create_task(run_feed(
        services.database, reactions, ChangeFeed(), services.gate.system, pulse=pulse, crowd=crowd))
    stack.push_async_callback(_end, feed)
    stack.push_async_callback(_finish, worker, working)
    checks: dict[str, health.Check] = {"worker": worker.pulse.check}
    if reactions:
        checks["reactions"] = pulse.check
    return checks


async def _finish(worker: Worker, working: asyncio.Task[None]) -> None:
    worker.stop(grace=5)
    await asyncio.wait({working}, timeout=10)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=5)
