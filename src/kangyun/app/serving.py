"""Running the platform: web, worker, reactions and listeners on the event loop of one process, or of some that share the work."""

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
from starlette.types import ASGIApp, Receive, Scope, Send

from kangyun.app import siblings
from kangyun.app.connections import bounded
from kangyun.app.encrypting import encrypted
from kangyun.app.rooms import doors, load_jobs
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


async def answer(settings: Settings, sockets: Sequence[socket.socket], tally: Tally, process: int) -> None:
    """Answer HTTP and take messages, beside the process that does the rest; the first one has migrated the database.

    `process` is this one's place in the tally.
    """
    services = await open_services(settings)
    door, *others = _doors(sockets, tally, process)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(services.close)
        await services.trail.take_over()
        await stack.enter_async_context(services.entries.listening())
        await _follow(stack, services)
        for (module, _), one in zip(_pushing(settings), others, strict=True):
            await stack.enter_async_context(module.accepting(services, one))
        tls = await stack.enter_async_context(encrypted(settings))
        application = _counted(build(services, health.database_checks(services.database)), tally, process)
        server = _Server(_config(settings, application, tls), door, settings.slow_client_seconds)
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
        await _follow(stack, services)
        await _start_work(stack, services, lambda: 0)
        await ended.wait()
    await services.close()
    await services.database.stop_server()


async def work_beside(settings: Settings, tally: Tally) -> None:
    """Run background jobs and reactions beside the processes that answer, until cancelled, and give signs of life in the tally."""
    services = await open_services(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(services.close)
        await services.trail.take_over()
        await stack.enter_async_context(services.entries.listening())
        await _follow(stack, services)
        pulses = await _start_work(stack, services, tally.crowd)
        collect_less()
        while True:
            for place, pulse in enumerate(pulses.values()):
                tally.beats[place] = int(pulse.last)
            await asyncio.sleep(1)


def _pushing(settings: Settings) -> list[tuple[ModuleType, tuple[str, int]]]:
    """The rooms to which other systems push messages, each with the host and port at which they do."""
    return [(module, place) for module in doors("listeners") if (place := module.place(settings))]


async def _follow(stack: AsyncExitStack, services: Services) -> None:
    """Learn, until the stack ends, what other processes' pages change of the rooms to which messages are pushed."""
    for module in doors("listeners"):
        await stack.enter_async_context(module.following(services))


def _doors(sockets: Sequence[socket.socket], tally: Tally, process: int) -> list[Door]:
    return [Door(sock, tally.at(number), process) for number, sock in enumerate(sockets)]


async def _serve(services: Services, sockets: Sequence[socket.socket], tally: Tally, announce: Announce | None) -> None:
    door, *others = _doors(sockets, tally, 0)
    async with AsyncExitStack() as stack:
        settings, checks = services.settings, health.database_checks(services.database)
        await services.trail.take_over()
        await stack.enter_async_context(services.entries.listening())
        if siblings.worker_apart(settings):
            checks |= {name: _beating(tally, place) for place, name in enumerate(("worker", "reactions"))}
        elif settings.worker:
            checks |= {name: pulse.check for name, pulse in (await _start_work(stack, services, tally.crowd)).items()}
        await _follow(stack, services)
        pushed = {module: one for (module, _), one in zip(_pushing(settings), others, strict=True)}
        for module in doors("listeners"):
            await stack.enter_async_context(module.listening(services, pushed.get(module)))
        await stack.enter_async_context(siblings.running(settings, sockets, tally, services.database.dsn))
        tls = await stack.enter_async_context(encrypted(settings))
        server = _Server(_config(settings, _counted(build(services, checks), tally, 0), tls), door, settings.slow_client_seconds)
        if announce:
            task = asyncio.create_task(announce(services))
            stack.callback(task.cancel)
        collect_less()
        await server.serve()


def _counted(application: ASGIApp, tally: Tally, process: int) -> ASGIApp:
    """The application; the tally says how many requests it is answering."""
    answering = tally.answering
    answering[process] = 0

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        answering[process] += 1
        try:
            await application(scope, receive, send)
        finally:
            answering[process] -= 1

    return counted


def _beating(tally: Tally, place: int) -> health.Check:
    """The check of the worker in its own process, which has a minute to begin."""
    pulse = health.Pulse()
    tally.beats[place] = int(pulse.last)

    async def check() -> str:
        pulse.last = tally.beats[place]
        return await pulse.check()

    return check


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


def _config(settings: Settings, application: ASGIApp, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        application, host=settings.host, port=settings.port, loop="uvloop", http=bounded(settings.slow_client_seconds),
        log_config=None, access_log=False, server_header=False, lifespan="off", proxy_headers=False,
        ws="websockets-sansio", ws_max_size=_LARGEST_WORD, ws_ping_interval=_PING_SECONDS, ws_ping_timeout=_PONG_SECONDS,
        timeout_graceful_shutdown=10, timeout_keep_alive=75,
        ssl_context_factory=(lambda *_: tls) if tls else None,
    )


async def _start_work(stack: AsyncExitStack, services: Services, crowd: Callable[[], int]) -> dict[str, health.Pulse]:
    """Background jobs and reactions; they end with the stack."""
    load_jobs()
    worker = Worker(services.database, services)
    working = asyncio.create_task(worker.run())
    reactions: list[Reaction] = [r for module in doors("reactions") for r in module.reactions()]
    pulse = health.Pulse()
    feed = asyncio.create_task(run_feed(
        services.database, reactions, ChangeFeed(), services.gate.system, pulse=pulse, crowd=crowd))
    stack.push_async_callback(_end, feed)
    stack.push_async_callback(_finish, worker, working)
    return {"worker": worker.pulse, "reactions": pulse}


async def _finish(worker: Worker, working: asyncio.Task[None]) -> None:
    worker.stop(grace=5)
    await asyncio.wait({working}, timeout=10)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=5)
