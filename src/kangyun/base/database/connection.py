"""A pool of connections that survives the database going away and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import asyncpg

from kangyun.base.database.embedded import EmbeddedServer, watch
from kangyun.base.errors import refuse
from kangyun.base.settings import Settings

# asyncpg hands out proxies from a pool; both speak the same.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    ConnectionError,
    FileNotFoundError,
    TimeoutError,
)


class Database:
    """The database of one process."""

    def __init__(self, dsn: str, pool: asyncpg.Pool[asyncpg.Record], server: EmbeddedServer | None) -> None:
        self.dsn = dsn
        self.pool = pool
        self.server = server
        self._watch = asyncio.create_task(watch(server)) if server else None

    @classmethod
    async def open(cls, settings: Settings) -> Database:
        """Start the embedded server when no address is set, and open the pool."""
        server = None
        dsn = settings.database_url
        if not dsn:
            server = EmbeddedServer(Path(settings.data) / "postgres", settings.database_shared_buffers)
            await asyncio.to_thread(server.ensure_running)
            await _create_database(server, "kangyun")
            dsn = server.dsn()
        pool = await open_pool(dsn, settings.database_pool, settings.statement_seconds)
        return cls(dsn, pool, server)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection from the pool; raises Problem 503 while the database is away or full."""
        try:
            async with self.pool.acquire(timeout=20) as connection:
                yield connection
        except AWAY as error:
            raise refuse(503, "transient", "base.database-away") from error
        except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError) as error:
            raise refuse(507, "no-store", "base.storage-full") from error
        except asyncpg.QueryCanceledError as error:
            raise refuse(503, "timeout", "base.too-slow") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction that commits when the block ends well."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def close(self) -> None:
        """Give back the pool; the embedded server goes on until `stop_server`."""
        if self._watch:
            self._watch.cancel()
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    async def stop_server(self) -> None:
        """Stop the embedded server, if it is one."""
        if self.server:
            await asyncio.to_thread(self.server.stop)


async def open_pool(dsn: str, size: int, statement_seconds: float) -> asyncpg.Pool[asyncpg.Record]:
    """A pool whose searches are planned with their values: the frequency of a token decides the plan."""
    return await asyncpg.create_pool(
        dsn, min_size=0, max_size=size, reset=_reset, max_inactive_connection_lifetime=0,
        command_timeout=statement_seconds + 5,
        server_settings={
            "application_name": "kangyun",
            "plan_cache_mode": "force_custom_plan",
            "statement_timeout": str(int(statement_seconds * 1000)),
            "jit": "off",
            "timezone": "UTC",
        },
    )


async def _reset(connection: Connection) -> None:
    """Asyncpg's own reset costs a round trip a request (-40 % reads); an open transaction is all we could leave."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def _create_database(server: EmbeddedServer, name: str) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        pass  # Another starting process was quicker.
    finally:
        await connection.close()
