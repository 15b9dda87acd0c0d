"""The database goes away and comes back, the disk fills and is freed: clear refusals, then work without a restart."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kangyun.base.database.embedded import EmbeddedServer
from tests.faults.storm import Known, Storm, check
from tests.fhir import create, patient, refused
from tests.serving import Server, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def recovered(http: httpx.AsyncClient, seconds: float = 40) -> float:
    """Seconds until a write succeeds again; what comes before is a 503 or 507 with a clear text."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        response = await http.post("/fhir/Patient", json=patient())
        if response.status_code == 201:
            return time.monotonic() - began
        assert response.status_code in {503, 507}, response.text
        refused(response, response.status_code)
        await asyncio.sleep(0.1)
    raise AssertionError(f"no write succeeded within {seconds} s")


async def test_postgres_is_killed_and_comes_back_by_itself(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        stored = await create(http, patient())
        process, killed = server.pid, server.postmaster()
        began = time.monotonic()
        os.kill(killed or 0, signal.SIGKILL)
        # Its children answer for an instant yet, and what they acknowledge is kept; the question is what follows them.
        for _ in range(800):
            if server.postmaster() not in {None, killed}:
                break
            await asyncio.sleep(0.05)
        await recovered(http)
        print(f"writing again {time.monotonic() - began:.1f} s after the kill")
        assert (await http.get(f"/fhir/Patient/{stored['id']}")).json() == stored
        assert (server.pid, server.process and server.process.poll()) == (process, None)


async def test_a_database_of_ones_own_may_be_stopped_for_a_while(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = EmbeddedServer(tmp_path_factory.mktemp("own"), "32MB")
    await asyncio.to_thread(own.ensure_running)
    server = Server(tmp_path_factory.mktemp("guest"), database_url=own.dsn("postgres"))
    try:
        await asyncio.to_thread(server.start)
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            stored = await create(http, patient())
            await asyncio.to_thread(own.stop)
            for method, address in (("GET", f"Patient/{stored['id']}"), ("POST", "Patient"), ("GET", "Patient"), ("GET", "_history"),
                                    ("DELETE", f"Patient/{stored['id']}"), ("GET", "Patient/_history")):
                began = time.monotonic()
                response = await http.request(method, f"/fhir/{address}", json=patient() if method == "POST" else None)
                refused(response, 503, "transient")
                assert time.monotonic() - began < 15
            assert (await http.get("/health/ready")).status_code == 503
            assert (await http.get("/health/live")).status_code == 200
            await asyncio.to_thread(own.ensure_running)
            print(f"writing again {await recovered(http):.1f} s after the start")
            assert (await http.get(f"/fhir/Patient/{stored['id']}")).json() == stored
            assert (await http.get("/health/ready")).status_code == 200
    finally:
        server.stop()
        own.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 MB that holds nothing but the data folder."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("this machine does not let root mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)


async def test_a_full_disk_refuses_writes_keeps_reads_and_recovers(small_disk: Path) -> None:
    server = Server(small_disk / "data", bare=True)
    server.log = small_disk.parent / "server.log"
    await asyncio.to_thread(server.start)
    try:
        known = Known()
        storm = Storm(server, random.Random(3), known, clients=3)
        await storm.rage(50)
        ballast = small_disk / "ballast"
        _fill(ballast)
        end_at = time.monotonic() + 30
        while not any(status >= 500 for status in known.answers[-20:]) and time.monotonic() < end_at:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await storm.end()
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            response = await _refused_write(http)
            issue = refused(response, response.status_code)
            print(f"full: {response.status_code} {issue['details']['text']}")
            ballast.unlink()
            print(f"writing again {await recovered(http):.1f} s after space was freed")
        assert {status for status in known.answers if status >= 500} <= {503, 507}
        await check(server, known)
    finally:
        server.stop()


def _fill(path: Path) -> None:
    with path.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * 65536)
                file.flush()
        except OSError:
            return


async def _refused_write(http: httpx.AsyncClient) -> httpx.Response:
    """Write until the last free corner of the files that PostgreSQL has already is used up."""
    for _ in range(400):
        response = await http.post("/fhir/Patient", json=patient(name=[{"text": random.Random(1).randbytes(4000).hex()}]))
        if response.status_code != 201:
            return response
    raise AssertionError("the disk never became full")


async def test_ports_in_use_and_unknown_settings_are_told(server: Server, tmp_path: Path) -> None:
    for ports in ((server.port, free_port()), (free_port(), server.mllp_port)):
        other = Server(tmp_path / "other")
        other.port, other.mllp_port = ports
        other.launch()
        assert other.process
        status = await asyncio.to_thread(other.process.wait, 60)
        assert status != 0
        assert str(server.port if ports[0] == server.port else server.mllp_port) in other.words()
        assert "Traceback" not in other.words()
        other.end()
