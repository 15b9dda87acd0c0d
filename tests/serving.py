"""A running `kangyun serve`: started, killed and started again as an operator or an accident would."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests import template

COMMAND = Path(sys.executable).with_name("kangyun")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(
    *arguments: str | Path, check: bool = True, cwd: Path | None = None, seconds: float = 100,
    settings: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command of `kangyun` to its end; `settings` are environment variables without KANGYUN_."""
    result = subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=seconds, check=False, cwd=cwd,
        env=environment(**(settings or {})),
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with settings, and a database and a number of processes small enough for a test."""
    given = {"database_shared_buffers": "32MB", "web_processes": "1", "access_local_role": "operator"} | settings
    # Where Python may not keep what it has compiled, each of the many starts of a run would compile the platform anew.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {f"KANGYUN_{name.upper()}": value for name, value in given.items()}


class Server:
    """One data folder and the process that serves it.

    `bare` leaves it to the platform to make its database from nothing; else a new folder gets a copy of the run's.
    """

    def __init__(self, data: Path, *, bare: bool = False, **settings: str) -> None:
        self.data = data
        self.bare = bare
        self.settings = settings
        self.port = free_port()
        self.mllp_port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data.with_name(f"{data.name}.log")

    @property
    def url(self) -> str:
        """The address of pages and API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the server."""
        assert self.process is not None
        return self.process.pid

    def start(self, seconds: float = 90) -> None:
        """Start and wait until it is ready; raises AssertionError with its log."""
        self.launch()
        self.wait(seconds)

    def launch(self) -> None:
        """Start without waiting."""
        # A benchmark uses this class too, outside of any run that could share a database.
        run = "PYTEST_DEBUG_TEMPROOT" in os.environ
        if run and not (self.bare or "database_url" in self.settings or (self.data / "postgres").exists()):
            template.copy_to(self.data / "postgres")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve", "--data", self.data, "--port", str(self.port), "--mllp-port", str(self.mllp_port)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment(**self.settings),
            )

    def wait(self, seconds: float = 90) -> None:
        """Return when it answers that it is ready."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process is None or self.process.poll() is None, self.words()
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=5, verify=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready after {seconds} s:\n{self.words()}")

    def words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def kill(self) -> None:
        """kill -9 of the server only; PostgreSQL goes on by itself."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def postmaster(self) -> int | None:
        """The process id of its PostgreSQL."""
        try:
            return int((self.data / "postgres" / "pgdata" / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def backends(self) -> list[int]:
        """The process ids of PostgreSQL's children."""
        return _children(self.postmaster())

    def siblings(self) -> list[int]:
        """The process ids of the web processes beside the first."""
        return [one for one in self._beside() if b"\0worker\0" not in _told(one)]

    def workers(self) -> list[int]:
        """The process id of the worker, where it has a process of its own."""
        return [one for one in self._beside() if b"\0worker\0" in _told(one)]

    def _beside(self) -> list[int]:
        return [one for one in _children(self.process and self.process.pid) if b"kangyun.app.siblings" in _told(one)]

    def resident_bytes(self) -> int:
        """The memory that the server holds now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        """End it in order, PostgreSQL included, and remove the data."""
        self.end()
        shutil.rmtree(self.data, ignore_errors=True)

    def end(self) -> int:
        """End it in order; returns the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        postmaster = self.postmaster()
        if postmaster:
            _quit(postmaster)
        return status


def _children(pid: int | None) -> list[int]:
    try:
        return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]
    except OSError:
        return []


def _told(pid: int) -> bytes:
    """The command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _quit(postmaster: int) -> None:
    """Stop a PostgreSQL whose server was killed."""
    try:
        os.kill(postmaster, signal.SIGINT)
        for _ in range(200):
            os.kill(postmaster, 0)
            time.sleep(0.05)
    except ProcessLookupError:
        return
