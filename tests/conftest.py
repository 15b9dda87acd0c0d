"""What every test shares: one real PostgreSQL for the run, one cloned database for each test file."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher
from xdist.remote import Producer

from kangyun.app.services import Services, assemble
from kangyun.app.web import build
from kangyun.base import clock, partners
from kangyun.base.database import Database
from kangyun.base.database.connection import open_pool
from kangyun.base.database.embedded import EmbeddedServer
from kangyun.base.keys import FileKeys, vault
from kangyun.base.settings import Settings
from kangyun.commons.access.actions import passwords
from tests import order, template
from tests.order import WholeFiles
from tests.serving import Server

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
# The rooms' tests outlive no crash of the machine, so their PostgreSQL need not; those of tests/faults run on the platform's own.
# All workers of a run share it.
_FORGETFUL = "fsync = off\nfull_page_writes = off\nmax_connections = 200\n"
Hasher = Callable[[], PasswordHasher]
# Kept before any test: two conftest files define the fixture that replaces it.
OWN_HASHER: Hasher = passwords._hasher  # pyright: ignore[reportPrivateUsage] - no setting may make passwords cheap


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
    with (folder / "copy.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not server.pgdata.exists():
            template.copy_to(folder)
            with (server.pgdata / "postgresql.conf").open("a") as conf:
                conf.write(_FORGETFUL)
    server.ensure_running()
    # Two conftest files define this fixture, so one process may use the server twice.
    mark = folder / f"user-{worker_id}-{uuid.uuid4().hex}"
    mark.touch()
    yield server
    mark.unlink(missing_ok=True)
    if not any(folder.glob("user-*")):
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
async def database(postgres: EmbeddedServer) -> AsyncIterator[Database]:
    """An empty, migrated database for this test file."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    await connection.execute("SELECT pg_advisory_lock(2)")
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template.DATABASE} STRATEGY FILE_COPY")
    await connection.close()
    pool = open_pool(postgres.dsn(name), 8, 30)
    database = Database(postgres.dsn(name), pool, None)
    yield database
    await partners.hang_up()
    await database.close()
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture(scope="session", autouse=True)
def run_keys(tmp_path_factory: pytest.TempPathFactory) -> FileKeys:
    """The keys of this run: all databases that this process writes are sealed with them."""
    keys = FileKeys(tmp_path_factory.mktemp("keys"))
    vault.use(keys)
    return keys


@pytest.fixture(scope="session", autouse=True)
def dear_passwords() -> Iterator[Hasher]:
    """The platform's own way to hash a password, which is dear on purpose: here hundreds are hashed with as little work as may be."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        patch.setattr(passwords, "_hasher", lambda: cheap)
        yield OWN_HASHER


@pytest.fixture(autouse=True)
def same_keys(run_keys: FileKeys) -> Iterator[None]:
    """A test that opens an installation of its own has other keys; those after it have the run's again."""
    yield
    vault.use(run_keys)


@pytest.fixture(scope="module")
async def services(database: Database, run_keys: FileKeys, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """The opened parts of the platform over this file's database."""
    settings = Settings(data=tmp_path_factory.mktemp("data"), keys_folder=str(run_keys.folder), max_body_bytes=8_000_000, slow_client_seconds=0.3, access_local_role="operator")
    services = assemble(settings, database)
    yield services
    await services.trail.close()


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
def real_clock() -> Iterator[None]:
    """Whatever a test sets the clock to, the next one lives in its own time; without a leading underscore, so that rooms have it too."""
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first; what fails is tried once more, for it shares the machine with three other files."""
    items[:] = order.longest_first(items)
    for item in items:
        # Real processes, browsers and clocks: what fails twice is broken, what fails once is shown by the root's conftest.py.
        item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WholeFiles | None:
    """How `--dist loadfile` hands them out."""
    return order.scheduler(config, log) if config.getvalue("dist") == "loadfile" else None
