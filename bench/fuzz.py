"""Fuzzing of every address as every role: how many requests, how they were answered, and what should not have been.

    python bench/fuzz.py [--number 10000] [--seed 1] [--each | --able] [--role courier --role site ...]

`--each` sends all of them as each role instead of dealing them out, `--able` each one as everybody whom its address lets in; `--role` only as these. The requests are made by schemathesis from the
description in tests/security/description.py; journeys of an internet hospital were played before, so that they find something. It ends with 1 when there was a 500 or a leak.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.security import fuzzing, hospital, world  # noqa: E402

from kangyun.app.services import open_services  # noqa: E402 - the tests stand beside the package, not in it
from kangyun.app.web import build  # noqa: E402
from kangyun.base import logs  # noqa: E402
from kangyun.base.settings import Settings  # noqa: E402


async def progress(tally: fuzzing.Tally) -> None:
    """Tell how far it is, every half minute."""
    while True:
        await asyncio.sleep(30)
        print(f"{time.strftime('%H:%M:%S')} {tally.shots:,} sent, {len(tally.faults)} faults", flush=True)


async def run(settings: Settings, found: hospital.Found, asked: argparse.Namespace) -> int:
    """Think the requests up, send them, and tell what came of it."""
    began = time.monotonic()
    made = list(fuzzing.shots(asked.number, asked.seed, found.ids))
    print(f"{len(made):,} requests made in {time.monotonic() - began:.0f} s", flush=True)
    tally = fuzzing.Tally(tell=lambda said: print(f"FAULT {said[:2000]}", flush=True))
    services = await open_services(settings)
    try:
        operator = httpx.ASGITransport(build(services, {}))
        async with httpx.AsyncClient(transport=operator, base_url="http://kangyun.test") as client:
            await world.fill(client)
        began = time.monotonic()
        telling = asyncio.create_task(progress(tally))
        await fuzzing.everybody(replace(services), made, fuzzing.Round(asked.way, asked.role, found.actors), tally)
        telling.cancel()
        seconds = time.monotonic() - began
    finally:
        await services.close()
        await services.database.stop_server(always=True)
    print(f"{tally.shots:,} requests as {len(asked.role or fuzzing.roles())} roles in {seconds:.0f} s, seed {asked.seed}")
    print("answers: " + ", ".join(f"{status}: {count:,}" for status, count in sorted(tally.statuses.items())))
    print(f"faults (500, or particulars where they may not be): {len(tally.faults)}")
    return 1 if tally.faults else 0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    arguments.add_argument("--number", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--each", dest="way", action="store_const", const="each", default="deal")
    arguments.add_argument("--able", dest="way", action="store_const", const="able")
    arguments.add_argument("--role", action="append", default=[])
    asked = arguments.parse_args()
    logs.set_up("json", "error")
    with tempfile.TemporaryDirectory(prefix="kangyun-bench-") as name, hospital.played(Path(name)) as (settings, found):
        return asyncio.run(run(settings, found, asked))


if __name__ == "__main__":
    sys.exit(main())
