"""`kangyun verify-audit`: whether the audit trail is whole; names whatever was changed, left out, reordered or forged."""

from __future__ import annotations

import sys
import time

import asyncpg

from kangyun.base.database.embedded import EmbeddedServer
from kangyun.base.keys import open_keys
from kangyun.base.settings import Settings
from kangyun.commons.access.actions.examining import Examiner

_EVERY_SECONDS = 2.0
_MOST_TOLD = 1000


async def verify_audit(settings: Settings) -> int:
    """Examine everything; returns 1 when something is not as it was written, or there is nothing to examine."""
    server = None if settings.database_url else EmbeddedServer(settings.data / "postgres", settings.database_shared_buffers)
    if server is not None and not server.pgdata.exists():
        print(f"{settings.data} holds no database.", file=sys.stderr)
        return 1
    started = server is not None and server.ensure_running()
    try:
        return await _connected(settings.database_url or (server.dsn() if server else ""), settings)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidCatalogNameError):
        print("There is no audit trail in this database: nothing was ever served from it, or its tables were taken away.", file=sys.stderr)
        return 1
    finally:
        if server is not None and started:
            server.stop()


async def _connected(dsn: str, settings: Settings) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return await _examine(Examiner(connection, open_keys(settings), settings.data))
    finally:
        await connection.close()


async def _examine(examiner: Examiner) -> int:
    began = told = time.monotonic()
    found = 0
    async for one in examiner.findings():
        if not isinstance(one, int):
            found += 1
            if found <= _MOST_TOLD:
                print(one, flush=True)
        elif time.monotonic() - told > _EVERY_SECONDS:
            told = time.monotonic()
            print(f"{one:,} rows, {one / (told - began):,.0f} a second", file=sys.stderr, flush=True)
    print(f"{examiner.examination.rows:,} rows examined, {found:,} findings" if found else
          f"{examiner.examination.rows:,} rows examined, the trail is whole")
    return 1 if found else 0
