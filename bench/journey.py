"""Prescriptions from consultation to delivered and settled, everybody by HTTP: residents, doctors, pharmacists, pharmacy, courier, banks, insurer.

Run: ``.venv/bin/python bench/journey.py [--count 8000] [--kills 20]``. The city, the banks and the insurer are simulated in this
process and share the cores with the platform. Everybody logs in before the clock starts; then each resident has one consultation
after the other: asked and its fee paid, begun by a doctor with a fresh code of his authenticator, answered, prescribed and signed,
recorded and signed, judged and signed by a pharmacist, paid in one figure, settled with the insurer, dispensed, brought, rated.
With --kills, the server, its worker, its sibling, PostgreSQL or one of its processes die, each a random moment after everything
has stood again, and notices of the banks are lost, doubled, forged and late (so late that they overtake each other); journeys go on
until all have died. In the end the platform's own examination must find that everything agrees, to the fen.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# The tests' own world is outside of what is installed.
import httpx  # noqa: E402, I001

from kangyun.app.journeys import Verdict  # noqa: E402
from kangyun.support.payments.gateways.simulator import Faults  # noqa: E402
from tests.faults.reaper import Reaper  # noqa: E402
from tests.journeys.playing import Played, cast_of, play, residents_of, verdict  # noqa: E402
from tests.journeys.world import World, hospital_of  # noqa: E402
from yunzhou.entrance import RefusedError  # noqa: E402
from yunzhou.journey import Clock  # noqa: E402

_MINUTES = 15
# A doctor begins one consultation with each code of the authenticator, which changes every half minute.
_BEGUN_A_MINUTE = 2
# Nobody stares at the page of a payment; who waits for the pharmacy puts the telephone down.
_LOOK = 2.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a run: `work` in processor seconds by who spent them."""

    played: Played
    found: Verdict
    clock: Clock
    seconds: float
    work: Mapping[str, float]
    struck: list[str]


async def measure(world: World, asked: argparse.Namespace) -> int:
    """Log everybody in, play, examine, print. 1 when something was lost, doubled or left unsettled."""
    began = time.perf_counter()
    cast = await cast_of(world, asked.doctors)
    cast.patience, cast.look = 600.0, _LOOK
    residents = await residents_of(world, asked.residents)
    print(f"{asked.doctors} doctors, {asked.residents} residents ({asked.at_once} at once) and the others logged in by HTTP in {time.perf_counter() - began:.0f} s", flush=True)
    for one in [*residents, *(doctor.actor for doctor in cast.doctors), *cast.pharmacists, *cast.pharmacies, *cast.couriers]:
        one.patience = 300.0
    clock, reaper = Clock(), Reaper(world.server, random.Random(asked.seed))
    if asked.kills:
        world.around.channels.faults = Faults(lost=0.05, twice=0.1, forged=0.05, late=1.0)
    # The first journeys of a process read its rules and prepare its statements, seconds of work that eight thousand share.
    warm = await play(cast, residents, asked.warm, Clock(), first=asked.count * 10, at_once=asked.at_once)
    work = _work(world)
    began = time.perf_counter()
    deaths = asyncio.create_task(reaper.reap_rested(asked.kills, asked.rest))
    telling = asyncio.create_task(_tell(clock, asked.count, began, reaper.struck))
    played = await play(cast, residents, asked.count, clock, at_once=asked.at_once)
    while not deaths.done():
        more = await play(cast, residents, asked.at_once, clock, first=len(played.done) + len(played.failed), at_once=asked.at_once)
        played.done += more.done
        played.failed += more.failed
    asked.count = len(played.done) + len(played.failed)
    seconds = time.perf_counter() - began
    telling.cancel()
    await deaths
    found = await verdict(world, 180)
    await world.hang_up()
    after = _work(world)
    played.failed += warm.failed
    return _print(asked, Measured(played, found, clock, seconds, {name: after[name] - work[name] for name in after}, reaper.struck))


def _work(world: World) -> dict[str, float]:
    """Processor seconds so far: of the first process, of those beside it, of PostgreSQL, and of this process."""
    own, siblings, worker = os.times(), sum(map(_alone, world.server.siblings())), sum(map(_alone, world.server.workers()))
    return {
        "web": _family(world.server.pid) - siblings - worker, "sibling": siblings, "worker": worker,
        "PostgreSQL": _family(world.server.postmaster() or 0), "city, banks and insurer": own.user + own.system}


def _family(pid: int) -> float:
    """Processor seconds of a process and of those that it has started."""
    try:
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]
    except OSError:
        return 0.0
    return sum(map(int, values[11:15])) / os.sysconf("SC_CLK_TCK") + sum(_alone(one) for one in children)


def _alone(pid: int) -> float:
    try:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


async def _tell(clock: Clock, count: int, began: float, struck: list[str]) -> None:
    """Say every half minute how far it is."""
    while True:
        await asyncio.sleep(30)
        done, seconds = len(clock.spent.get("until closed", ())), time.perf_counter() - began
        print(f"  {done:,} of {count:,} after {seconds:,.0f} s: {done / seconds:.2f}/s, killed {len(struck)}", flush=True)


def _print(asked: argparse.Namespace, got: Measured) -> int:
    done, seconds, found, work = len(got.played.done), got.seconds, got.found, got.work
    wanted = asked.count / 8000 * _MINUTES * 60
    print(got.clock.table)
    print(f"{done:,} prescriptions from consultation to delivered and settled in {seconds:,.1f} s: {done / seconds:.2f}/s;"
          f" 8,000 would take {8000 * seconds / max(done, 1) / 60:.1f} minutes (wanted {_MINUTES}); ratio {wanted / seconds:.2f}")
    if not got.struck:
        parts = {name: value / max(done, 1) * 1000 for name, value in work.items()}
        print(f"processor milliseconds of one: {sum(parts.values()):.0f}: {', '.join(f'{name} {value:.0f}' for name, value in parts.items())}")
    if got.struck:
        print(f"killed: {', '.join(got.struck)}")
    print(found.table)
    for one in got.played.failed[:20]:
        print(f"  NOT DONE {one}")
    lost = asked.count + asked.warm - found.number("medicine", "closed")
    print(f"lost or doubled: {lost}; faults: {len(found.faults)}")
    return 1 if lost or found.faults or got.played.failed else 0


def main() -> int:
    """Open the hospital, measure, close it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=8000, help="prescriptions")
    parser.add_argument("--warm", type=int, default=32, help="prescriptions that are played before the clock starts")
    parser.add_argument("--kills", type=int, default=0, help="times that something is killed")
    parser.add_argument("--rest", type=float, default=5.0, help="at most so many seconds everything stands before something is killed again")
    parser.add_argument("--residents", type=int, default=0, help="residents, who have one consultation at a time (default: 1024, or as many as prescriptions)")
    parser.add_argument("--at-once", type=int, default=128, help="residents who have a consultation at the same time")
    parser.add_argument("--doctors", type=int, default=0, help="doctors (default: enough for the pace)")
    parser.add_argument("--pace", type=float, default=9.0, help="prescriptions a second that doctors are reckoned for")
    parser.add_argument("--processes", type=int, default=0, help="web processes (default: one for each core)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asked.residents = asked.residents or min(1024, asked.count)
    asked.at_once = min(asked.at_once, asked.residents)
    asked.doctors = asked.doctors or min(asked.count, int(asked.pace * 60 / _BEGUN_A_MINUTE * 1.2))
    with tempfile.TemporaryDirectory(prefix="kangyun-bench-") as name:
        settings = {"web_processes": str(asked.processes), "database_shared_buffers": "512MB"}
        with hospital_of(Path(name), clinics=1, residents=asked.residents, doctors=asked.doctors - 1, **settings) as world:
            try:
                return asyncio.run(measure(world, asked))
            except (httpx.HTTPError, RefusedError, OSError):
                print(world.server.words())
                raise


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")
    sys.exit(main())
