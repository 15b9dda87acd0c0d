"""The doctor's pages with a lifelong record open: the desk of a consultation under way, and the record beside it.

Run: ``.venv/bin/python bench/doctor.py [--visits 200]``. A real platform with one web process, real HTTP, a resident with ten
years of results, visits, medicine and papers. The reach is 300 ms for 95 of 100 pages. The server's own processor time stands
beside it, since other work on the machine makes pages wait.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.conversation import Conversation
from tests.serving import Server

from kangyun.app.services import Services, open_services
from kangyun.base import logs
from kangyun.base.database.embedded import EmbeddedServer
from kangyun.base.settings import Settings
from kangyun.care.internet_hospital.tests.scene import Scene, set_up
from kangyun.commons.access import SESSION_COOKIE
from phone import month

REACH_MS = 300.0
YEARS = 10


async def main() -> int:
    """Measure both pages and print a table; 1 when one misses the reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=200)
    visits = parser.parse_args().visits
    logs.set_up(level="error")
    with tempfile.TemporaryDirectory(prefix="kangyun-doctor-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - a call of its own in asynchronous code
        # Reactions have nothing to do with a page that is read.
        server = Server(Path(folder) / "data", web_processes="1", worker="false")
        await asyncio.to_thread(server.start, 120)
        try:
            async with beside(server) as services:
                pages, cookie = await begun(services, server.url)
            missed = 0
            print("| page | median ms | p95 ms | processor ms | KB |\n| --- | --- | --- | --- | --- |")
            for page in pages:
                missed += await measured(server, page, cookie, visits)
            print(f"\nreach: p95 {REACH_MS:.0f} ms; pages that miss it: {missed}")
            return int(missed > 0)
        finally:
            server.stop()


@asynccontextmanager
async def beside(server: Server) -> AsyncGenerator[Services]:
    """The parts of the platform on the server's own database and keys."""
    dsn = EmbeddedServer(server.data / "postgres", "32MB").dsn()
    services = await open_services(replace(Settings(data=server.data), database_url=dsn, access_local_role="operator", worker=False))
    try:
        yield services
    finally:
        await services.close()


async def begun(services: Services, url: str) -> tuple[list[str], dict[str, str]]:
    """A consultation that a doctor has begun with a resident of a long life; its pages, and the doctor's cookie."""
    scene: Scene = await set_up(services)
    resident, doctor = await scene.resident("林秀英"), await scene.doctor("王建国")
    async with scene.at(resident) as patient, scene.at(doctor) as physician:
        visit = await scene.begun(patient, physician, kind="video")
        secret = physician.page.cookies[SESSION_COOKIE]
    who = Conversation(url, Path())
    who.patient = str(who.get(f"Encounter/{visit}")["subject"]["reference"]).removeprefix("Patient/")
    whom = {"reference": f"Patient/{who.patient}"}
    for start in range(0, 12 * YEARS, 12):
        entries = [{"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for number in range(start, start + 12) for one in month(whom, number, 2016)]
        async with httpx.AsyncClient(timeout=60) as client:
            (await client.post(f"{url}/fhir", json={"resourceType": "Bundle", "type": "batch", "entry": entries})).raise_for_status()
    return [f"/consult/doctor/visits/{visit}", f"/clinician/residents/{who.patient}"], {SESSION_COOKIE: secret}


async def measured(server: Server, page: str, cookie: dict[str, str], visits: int) -> bool:
    """Open a page many times, one after the other; prints its line, gives whether it misses the reach."""
    process = psutil.Process(server.pid)
    async with httpx.AsyncClient(base_url=server.url, cookies=cookie, headers={"accept": "text/html"}, timeout=60) as client:
        first = await client.get(page)
        if first.status_code != 200:
            print(f"| {page} answered {first.status_code} | | | | |")
            return True
        taken: list[float] = []
        before = process.cpu_times()
        for _ in range(visits):
            began = time.perf_counter()
            await client.get(page)
            taken.append((time.perf_counter() - began) * 1000)
    after = process.cpu_times()
    own = (after.user + after.system - before.user - before.system) * 1000 / visits
    slow = statistics.quantiles(taken, n=20)[-1]
    print(f"| {page.rpartition('/')[0]}/… | {statistics.median(taken):.0f} | {slow:.0f} | {own:.0f} | {len(first.content) / 1024:.0f} |{' misses' if slow > REACH_MS else ''}", flush=True)
    return slow > REACH_MS


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
