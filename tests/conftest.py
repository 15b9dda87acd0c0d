"""What every test shares: one real PostgreSQL for the run, one cloned database for each test file."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base import clock
from kangyun.base.database import Database, migrate
from kangyun.base.database.connection import open_pool
from kangyun.base.database.embedded import EmbeddedServer
from kangyun.base.keys import open_keys
from kangyun.base.settings import Settings
from kangyun.commons.access import Gate
from kangyun.commons.records import Store
from tests.serving import Server

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"


def shared(name: str) -> Path:
    """A folder of outside test material, or a skip that says what is absent."""
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"outside test material {name} is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def postgres(worker_id: str, testrun_uid: str) -> Iterator[EmbeddedServer]:
    """The run's PostgreSQL server; parallel workers share it through its lock file."""
    folder = Path(tempfile.gettempdir()) / f"kangyun-test-{testrun_uid[:12]}"
    folder.mkdir(mode=0o755, exist_ok=True)
    server = EmbeddedServer(folder, "128MB")
    server.ensure_running()
    _make_template(server)
    # Two conftest files define this fixture, so one process may use the server twice.
    mark = folder / f"user-{worker_id}-{uuid.uuid4().hex}"
    mark.touch()
    yield server
    mark.unlink(missing_ok=True)
    if not any(folder.glob("user-*")):
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _make_template(server: EmbeddedServer) -> None:
    async def make() -> None:
        connection = await asyncpg.connect(server.dsn("postgres"))
        try:
            await connection.execute("SELECT pg_advisory_lock(1)")
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'template_kangyun'"):
                await connection.execute("CREATE DATABASE template_kangyun")
                template = await asyncpg.connect(server.dsn("template_kangyun"))
                await migrate(template)
                await template.close()
        finally:
            await connection.close()

    asyncio.run(make())


@pytest.fixture(scope="module")
async def database(postgres: EmbeddedServer) -> AsyncIterator[Database]:
    """An empty, migrated database for this test file."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    await connection.execute("SELECT pg_advisory_lock(2)")
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template_kangyun STRATEGY FILE_COPY")
    await connection.close()
    pool = open_pool(postgres.dsn(name), 8, 30)
    database = Database(postgres.dsn(name), pool, None)
    yield database
    await database.close()
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture(scope="module")
async def services(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """The opened parts of the platform over this file's database."""
    store = Store(database)
    settings = Settings(data=tmp_path_factory.mktemp("data"), max_body_bytes=8_000_000, slow_client_seconds=0.3)
    return Services(settings, database, store, Gate(store), open_keys(settings))


@pytest.fixture(scope="module")
async def api(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this machine of the whole web application, without a network between them."""
    transport = httpx.ASGITransport(build(services, {}), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test") as client:
        yield client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real platform in a process of its own, with its own database; each test file has one."""
    running = Server(tmp_path_factory.mktemp("server"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a fresh data folder."""
    return Settings(data=tmp_path)


@pytest.fixture(autouse=True)
def _real_clock() -> Iterator[None]:
    yield
    clock.set_source(None)


def pytest_configure(config: pytest.Config) -> None:
    """Keep a developer's own settings out of the tests, and other runs out of our folders."""
    for name in [n for n in os.environ if n.startswith("KANGYUN_")]:
        del os.environ[name]
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ:
        # pytest closes the folder that it shares with other runs; a database that runs in it as another user would lose its files.
        folder = os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp(prefix="kangyun-run-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
