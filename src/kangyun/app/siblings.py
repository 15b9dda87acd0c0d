"""More processes beside the first: some that answer too, and one for jobs and reactions.

Those that answer accept from the same listening sockets, in turns (base/door.py).
Python uses one core in a process, so a machine with two cores answers nearly twice as much with two. The first process also watches
folders; its siblings answer HTTP and take messages over MLLP. They end when it ends, however it ends: the pipe that is their
standard input closes. Where one process answers, it does everything.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from kangyun.base.door import Tally
from kangyun.base.settings import Settings, load

log = structlog.get_logger()

WORKER = "worker"
_PAUSE_SECONDS = 2.0
_MOST = 4


def count(settings: Settings) -> int:
    """How many processes answer: as set, or one for each core and not more than four."""
    return settings.web_processes or min(os.cpu_count() or 1, _MOST)


def share_metrics(settings: Settings) -> None:
    """Let the processes count into files that each of them can show; before anything imports the metrics."""
    folder = Path(settings.data) / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def worker_apart(settings: Settings) -> bool:
    """Whether jobs and reactions have a process of their own."""
    return settings.worker and count(settings) > 1


@asynccontextmanager
async def running(settings: Settings, sockets: Sequence[socket.socket], tally: Tally, dsn: str) -> AsyncGenerator[None]:
    """Keep the siblings of this process running; one that ends is started again."""
    environment = os.environ | _environment(replace(settings, database_url=dsn, worker=False, web_processes=1))
    doors = [one.fileno() for one in sockets]
    keepers = [asyncio.create_task(_keep(str(number), [tally.file, *doors], environment, partial(tally.leave, number)))
               for number in range(1, count(settings))]
    if worker_apart(settings):
        keepers.append(asyncio.create_task(_keep(WORKER, [tally.file], environment, lambda: None, str(tally.doors))))
    try:
        yield
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


def _environment(settings: Settings) -> dict[str, str]:
    return {f"KANGYUN_{one.name.upper()}": str(getattr(settings, one.name)) for one in fields(settings)}


async def _keep(role: str, files: Sequence[int], environment: dict[str, str], left: Callable[[], None], *more: str) -> None:
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kangyun.app.siblings", role, *map(str, files), *more, env=environment, pass_fds=files,
            stdin=asyncio.subprocess.PIPE,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            # The end of its input tells it to finish what it is doing.
            assert process.stdin is not None
            process.stdin.close()
            await _ended(process)
            raise
        left()
        log.warning("web.sibling_ended", role=role, status=code)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), 12)
    except TimeoutError:
        process.kill()
        await process.wait()


def main(arguments: list[str]) -> None:
    """A sibling, until standard input ends.

    The arguments: its number, the tally's file and the sockets, HTTP first; or `worker`, the tally's file and the number of doors.
    """
    import uvloop  # noqa: PLC0415 - only a sibling needs them, its starter has its own

    from kangyun.app.serving import answer, work_beside  # noqa: PLC0415
    from kangyun.base import logs  # noqa: PLC0415

    settings = load()
    logs.set_up(settings.log_format, settings.log_level)
    role, (tally, *rest) = arguments[0], map(int, arguments[1:])
    if role == WORKER:
        work = work_beside(settings, Tally(rest[0], tally))
    else:
        work = answer(settings, [socket.socket(fileno=one) for one in rest], Tally(len(rest), tally), int(role))
    uvloop.run(_until_input_ends(work))


async def _until_input_ends(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)

    def wait() -> None:
        os.read(0, 1)
        loop.call_soon_threadsafe(task.cancel)

    threading.Thread(target=wait, daemon=True).start()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


if __name__ == "__main__":
    main(sys.argv[1:])
