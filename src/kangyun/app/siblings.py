"""More web processes beside the first: each accepts from the same listening sockets, in turns (base/door.py).

Python uses one core in a process, so a machine with two cores answers nearly twice as much with two. The first process
also runs jobs and reactions and watches folders; its siblings answer HTTP and take messages over MLLP. They end when it ends,
however it ends: the pipe that is their standard input closes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import structlog

from kangyun.base.door import Tally
from kangyun.base.settings import Settings, load

log = structlog.get_logger()

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


@asynccontextmanager
async def running(settings: Settings, sockets: Sequence[socket.socket], tally: Tally, dsn: str) -> AsyncGenerator[None]:
    """Keep the siblings of this process running; one that ends is started again."""
    environment = os.environ | _environment(replace(settings, database_url=dsn, worker=False, web_processes=1))
    keepers = [asyncio.create_task(_keep(number, sockets, tally, environment)) for number in range(1, count(settings))]
    try:
        yield
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


def _environment(settings: Settings) -> dict[str, str]:
    return {f"KANGYUN_{one.name.upper()}": str(getattr(settings, one.name)) for one in fields(settings)}


async def _keep(number: int, sockets: Sequence[socket.socket], tally: Tally, environment: dict[str, str]) -> None:
    files = [tally.file, *(one.fileno() for one in sockets)]
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kangyun.app.siblings", *map(str, [number, *files]), env=environment, pass_fds=files,
            stdin=asyncio.subprocess.PIPE,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            # The end of its input tells it to finish what it is answering.
            assert process.stdin is not None
            process.stdin.close()
            await _ended(process)
            raise
        tally.leave(number)
        log.warning("web.sibling_ended", status=code)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), 12)
    except TimeoutError:
        process.kill()
        await process.wait()


def main(arguments: list[str]) -> None:
    """A sibling, until standard input ends; the arguments: its number, the tally's file, the sockets, HTTP first."""
    import uvloop  # noqa: PLC0415 - only a sibling needs them, its starter has its own

    from kangyun.app.serving import answer  # noqa: PLC0415
    from kangyun.base import logs  # noqa: PLC0415

    settings = load()
    logs.set_up(settings.log_format, settings.log_level)
    number, tally, *sockets = map(int, arguments)
    uvloop.run(_until_input_ends(answer(settings, [socket.socket(fileno=one) for one in sockets], tally, number)))


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
