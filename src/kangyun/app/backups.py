"""`kangyun backup` and `kangyun restore`: a full online copy by PostgreSQL's own tools, verified file by file."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from kangyun.base import clock
from kangyun.base.database.embedded import EmbeddedServer, give, let_through
from kangyun.base.settings import Settings

_NOTE = "kangyun-backup.json"


async def backup(settings: Settings, to: Path) -> int:
    """Copy the database while it works; returns 1 with a reason when that is not possible."""
    if settings.database_url:
        print("This installation uses its own PostgreSQL; back it up with pg_basebackup or pgBackRest.", file=sys.stderr)
        return 1
    if to.exists():  # noqa: ASYNC240 - a command line, nothing else waits
        print(f"{to} exists already; name a new folder.", file=sys.stderr)
        return 1
    server = EmbeddedServer(settings.data / "postgres", settings.database_shared_buffers)
    was_running = server.running()
    await asyncio.to_thread(server.ensure_running)
    await asyncio.to_thread(_copy, server, to)
    if not was_running:
        await asyncio.to_thread(server.stop)
    print(f"backed up and verified: {to}")
    return 0


def _copy(server: EmbeddedServer, to: Path) -> None:
    target = to.resolve() / "pgdata"
    target.mkdir(parents=True)
    let_through(target.parent)
    give(target)
    try:
        server.run_tool("pg_basebackup", "-h", str(server.socket), "-U", "postgres", "-D", str(target),
                        "-X", "stream", "-c", "fast", "--manifest-checksums=SHA256")
        server.run_tool("pg_verifybackup", "-q", str(target))
    except RuntimeError:
        shutil.rmtree(to)
        raise
    note = {"kangyun": version("kangyun"), "made": clock.instant(clock.now())}
    (to / _NOTE).write_text(json.dumps(note) + "\n")


def restore(settings: Settings, source: Path) -> int:
    """Put a backup into a data folder that has no database yet; returns 1 with a reason for a damaged one."""
    server = EmbeddedServer(settings.data / "postgres", settings.database_shared_buffers)
    if not (source / _NOTE).exists():
        print(f"{source} is not a backup made by kangyun backup.", file=sys.stderr)
        return 1
    if server.pgdata.exists():
        print(f"{settings.data} already holds a database; restore into an empty data folder.", file=sys.stderr)
        return 1
    try:
        _bring(server, source)
    except (OSError, RuntimeError) as error:
        shutil.rmtree(server.pgdata, ignore_errors=True)
        print(f"{source} cannot be restored: {error}", file=sys.stderr)
        return 1
    server.ensure_running()
    server.stop()
    print(f"restored into {settings.data}; start it with: kangyun serve --data {settings.data}")
    return 0


def _bring(server: EmbeddedServer, source: Path) -> None:
    """Copy, then verify the copy: the backup may lie where the account of PostgreSQL must not read."""
    server.folder.mkdir(parents=True, exist_ok=True)
    let_through(server.folder)
    shutil.copytree(source / "pgdata", server.pgdata, symlinks=True)
    server.pgdata.chmod(0o700)
    for path in (server.pgdata, *server.pgdata.rglob("*")):
        give(path)
    server.run_tool("pg_verifybackup", "-q", str(server.pgdata))
    for lock in server.pgdata.glob(".s.PGSQL.*"):
        lock.unlink()  # Of the running server that was copied: the new one would take it for alive.
