"""An empty, migrated PostgreSQL: made once in a run, copied by whoever needs one.

To make one anew (initdb, every migration) costs more than most test files do with it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from kangyun.base.database import migrate
from kangyun.base.database.embedded import EmbeddedServer
from kangyun.commons.access import settle_relations

# As the platform calls its own.
DATABASE = "kangyun"


def copy_to(folder: Path) -> None:
    """Put the run's template, a stopped PostgreSQL, into this folder."""
    made = _made(Path(os.environ["PYTEST_DEBUG_TEMPROOT"]))
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", f"{made / 'pgdata'}", folder], check=True)


def _made(run: Path) -> Path:
    """The template of the run; its first user makes it, and the other workers wait for that."""
    folder = run / "template"
    with (run / "template.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not folder.exists():
            # Another name until it is whole: after a failure the next one begins anew.
            making = run / f"template-{os.getpid()}"
            _make(EmbeddedServer(making, "32MB"))
            making.rename(folder)
    return folder


def _make(server: EmbeddedServer) -> None:
    server.ensure_running()
    try:
        # In a thread of its own, since a test whose loop is running may be the first user.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, _fill(server)).result()
    finally:
        server.stop()


async def _fill(server: EmbeddedServer) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    await connection.execute(f"CREATE DATABASE {DATABASE}")
    await connection.close()
    connection = await asyncpg.connect(server.dsn(DATABASE))
    await migrate(connection)
    await settle_relations(connection)
    await connection.close()
