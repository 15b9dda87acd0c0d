"""A pool of connections that survives the database going away and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import asyncpg
import structlog

from kangyun.base.database.embedded import EmbeddedServer, watch
from kangyun.base.database.pool import Plans, Pool
from kangyun.base.errors import Problem, refuse
from kangyun.base.settings import Settings
from kangyun.base.wakeup import Bell

log = structlog.get_logger()

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # What asyncpg makes of a connection that breaks in the middle of an answer.
    ConnectionError,
    FileNotFoundError,
    TimeoutError,
)

_STATEMENTS = 400

# These leave the protocol in the middle of an answer.
_SPOILING = (asyncio.CancelledError, TimeoutError, asyncpg.InternalClientError)


class Lease:
    """`async with` on a connection; what the driver raises inside comes out as a Problem where people can wait it out.

    A class and not a generator: this is entered several thousand times a second.
    """

    __slots__ = ("_connection", "_plans", "_pool")

    def __init__(self, pool: Pool, plans: Plans = "auto") -> None:
        self._pool = pool
        self._plans: Plans = plans
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        """Take a connection."""
        try:
            self._connection = connection = await self._pool.acquire(self._plans)
        except AWAY as error:
            raise _told(error, refuse(503, "transient", "base.database-away")) from error
        return connection

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Give it back."""
        assert self._connection is not None
        self._pool.release(self._connection, spoilt=isinstance(error, _SPOILING))
        if error is not None:
            problem = _problem(error)
            if problem:
                raise _told(error, problem) from error


def _told(error: BaseException, problem: Problem) -> Problem:
    """Callers see only that it was the database; what it was stands in the log."""
    log.warning("database.refused", status=problem.status, error=type(error).__name__)
    return problem


def _problem(error: BaseException) -> Problem | None:
    if isinstance(error, AWAY):
        # It broke after we had begun: PostgreSQL may have committed, only the answer is missing.
        return refuse(503, "transient", "base.database-lost")
    if isinstance(error, asyncpg.DiskFullError | asyncpg.OutOfMemoryError):
        return refuse(507, "no-store", "base.storage-full")
    if isinstance(error, asyncpg.DeadlockDetectedError | asyncpg.SerializationError):
        return refuse(409, "conflict", "base.crossed")
    if isinstance(error, asyncpg.QueryCanceledError):
        return refuse(503, "timeout", "base.too-slow")
    return None


class Database:
    """The database of one process."""

    def __init__(
        self, dsn: str, pool: Pool, server: EmbeddedServer | None, *,
        started: bool = False,
    ) -> None:
        self.dsn = dsn
        self.pool = pool
        self.server = server
        self.closed = False
        self._started = started
        self._bells: dict[str, Bell] = {}
        pool.ring = self._ring
        self._watch = asyncio.create_task(watch(server)) if server else None

    @classmethod
    async def open(cls, settings: Settings) -> Database:
        """Start the embedded server when no address is set, and open the pool."""
        server, started = None, False
        dsn = settings.database_url
        if not dsn:
            server = EmbeddedServer(Path(settings.data) / "postgres", settings.database_shared_buffers)
            started = await asyncio.to_thread(server.ensure_running)
            await _create_database(server, "kangyun")
            dsn = server.dsn()
        pool = open_pool(dsn, settings.database_pool, settings.statement_seconds)
        return cls(dsn, pool, server, started=started)

    def connection(self, plans: Plans = "auto") -> Lease:
        """A connection from the pool; raises Problem 503 while the database is away, 507 when it is full.

        plans: whether each statement is planned with its values, as searches must be, or once for all values.
        """
        return Lease(self.pool, plans)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """A connection inside a transaction that commits when the block ends well."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    def _ring(self, channel: str) -> None:
        bell = self._bells.get(channel)
        if bell is None:
            bell = self._bells[channel] = Bell(self, channel)
        bell.ring()

    async def close(self) -> None:
        """Give back the pool; the embedded server goes on until `stop_server`."""
        self.closed = True
        if self._watch:
            self._watch.cancel()
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    async def stop_server(self, *, always: bool = False) -> None:
        """Stop the embedded server if this process started it; `always` is for the one that owns the folder."""
        if self.server and (always or self._started):
            await asyncio.to_thread(self.server.stop)


def open_pool(dsn: str, size: int, statement_seconds: float) -> Pool:
    """The pool of a process."""
    return Pool(
        dsn, size, timeout=10, command_timeout=statement_seconds + 5,
        # Each room has its statements and each search its own: a hundred kept for five minutes, as the driver would, are
        # prepared again and again.
        statement_cache_size=_STATEMENTS, max_cached_statement_lifetime=0,
        server_settings={
            "application_name": "kangyun",
            "statement_timeout": str(int(statement_seconds * 1000)),
            "jit": "off",
            # A page of twenty rows is read before parallel workers have started.
            "max_parallel_workers_per_gather": "0",
            "timezone": "UTC",
        },
    )


async def plan_by_values(connection: Connection) -> None:
    """From here to the end of the connection's transaction, plan each statement with its values, as searches must be."""
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")


async def _create_database(server: EmbeddedServer, name: str) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        pass  # Another starting process was quicker.
    finally:
        await connection.close()
