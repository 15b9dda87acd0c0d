"""What the gate with its audit trail costs: the same server with it and without it, over real HTTP, in the same run.

Run: ``.venv/bin/python bench/gate.py [--turns 9] [--clients 8] [--processes 2]``. Clients and web processes are those of the
record store's bench, which `kangyun serve` has on two cores; each process has its share of the clients. With it: a connected system shows an access token,
the policy judges, and the answer waits until the trail is durable. Without it: no token is shown and nothing is written down.
A doctor's figures show what conditions cost on top: each row that is found is asked about.

Both servers run all the time and are asked in turns of a second, since a machine that others use is twice as fast in one
minute as in the next; a cost is the median over neighbouring turns. Below the answers a second stands the processor time
of a request, of the server with its database, which is disturbed less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
import uvloop

import client
import kangyun
from kangyun.app.services import Services, open_services
from kangyun.app.web import build
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor, Gate, Write
from kangyun.commons.access.decisions import policy, sight
from kangyun.commons.records.actions.trimming import sort_in

PORT = 18090
RESIDENTS, EACH = 2_000, 10
_REPEATS = 20_000

# Answers a second, and microseconds of processor time of one, slice by slice.
Slices = list[tuple[float, float]]
Figures = dict[tuple[str, str], Slices]


async def fill(services: Services) -> None:
    """Residents of one hospital with a visit and some observations each."""
    handle = services.gate.system("bench")
    await handle.commit([Write("update", "Organization", {"resourceType": "Organization", "id": "county", "name": "县医院"}, "county")])
    for number in range(RESIDENTS):
        patient = {"reference": f"Patient/p{number}"}
        writes = [
            Write("update", "Patient", {"resourceType": "Patient", "id": f"p{number}", "name": [{"family": "周", "given": [str(number)]}],
                                        "managingOrganization": {"reference": "Organization/county"}}, f"p{number}"),
            Write("update", "Encounter", {"resourceType": "Encounter", "id": f"e{number}", "status": "in-progress", "class": {"code": "AMB"},
                                          "subject": patient, "serviceProvider": {"reference": "Organization/county"}}, f"e{number}"),
        ]
        writes += [
            Write("update", "Observation", {"resourceType": "Observation", "id": f"o{number}-{n}", "status": "final", "subject": patient,
                                            "code": {"coding": [{"system": "http://loinc.org", "code": f"code-{n}"}]}}, f"o{number}-{n}")
            for n in range(EACH)
        ]
        await handle.commit(writes)


async def serve(data: Path, port: int, *, bare: bool) -> None:
    """One web process on a filled folder; `bare`: nobody is judged beyond the operator's role, nothing is written down."""
    settings = Settings(data=data, access_local_role="operator" if bare else "", worker=False, region="bench", region_rules=str(data / "regions"))
    services = await open_services(settings)
    if bare:
        services = replace(services, gate=Gate(services.store, None))
    async with services.entries.listening():
        config = uvicorn.Config(build(services, {}), port=port, log_config=None, access_log=False, lifespan="off", ws="none")
        await uvicorn.Server(config).serve()


def numbers(limit: int) -> Iterator[int]:
    chance = random.Random(7)
    while True:
        yield chance.randrange(limit)


def read() -> Iterator[bytes]:
    return (client.get(f"/fhir/Observation/o{n}-3") for n in numbers(RESIDENTS))


def search() -> Iterator[bytes]:
    return (client.get(f"/fhir/Observation?patient=p{n}&code=code-{n % EACH}") for n in numbers(RESIDENTS))


def create() -> Iterator[bytes]:
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "血压"}}
    return (client.post("/fhir/Observation", json.dumps(body | {"subject": {"reference": f"Patient/p{n}"}}).encode()) for n in numbers(RESIDENTS))


WORKS: tuple[tuple[str, Callable[[], Iterator[bytes]], str], ...] = (
    ("read by id", read, "at most 30 %"), ("search of a resident", search, "at most 20 %"), ("create", create, "at most 20 %"))


@dataclass
class Server:
    """Running web processes on the filled folder, each at a port of its own."""

    ports: list[int]
    processes: list[subprocess.Popen[bytes]]


@contextmanager
def running(data: Path, who: str, ports: list[int]) -> Generator[Server]:
    """A server, `bare` or with its gate, until the end of the block."""
    command = [sys.executable, __file__, "--serve", who, "--data", str(data), "--port"]
    processes = [subprocess.Popen([*command, str(port)]) for port in ports]
    try:
        for port in ports:
            _wait(port)
        yield Server(ports, processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def measured(data: Path, asked: argparse.Namespace, servers: Mapping[str, Server], tokens: Mapping[str, str]) -> Figures:
    """By work and caller the slices: answers a second and microseconds of processor time of one. Callers take turns, slice by slice."""
    found: Figures = {}
    for work, requests, _ in WORKS:
        for turn in range(-1, asked.turns):
            for who, server in servers.items():
                client.show(tokens[who])
                before = _spent(data, server)
                figures = asyncio.run(client.measure(server.ports, requests, asked.seconds, asked.clients))
                spent = (_spent(data, server) - before) / max(1, figures.asked) * 1e6
                if turn >= 0:  # The first warms up.
                    found.setdefault((work, who), []).append((figures.rate, spent))
                if figures.errors:
                    print(f"{who} {work}: {figures.errors} ERRORS")
    return found


def _spent(data: Path, server: Server) -> float:
    """Processor seconds so far of the server and of its PostgreSQL with all processes that it has or had."""
    postmaster = int((data / "postgres" / "pgdata" / "postmaster.pid").read_text().split()[0])
    children = [int(one) for one in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
    web = sum(_of_process(one.pid, 11, 13) for one in server.processes)
    return web + _of_process(postmaster, 11, 15) + sum(_of_process(one, 11, 13) for one in children)


def _of_process(pid: int, first: int, last: int) -> float:
    """Fields of /proc/<pid>/stat behind the name, added up: user and system time, own (11, 12) and of ended children (13, 14)."""
    try:
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, values[first:last])) / os.sysconf("SC_CLK_TCK")


def _unlimited(data: Path) -> None:
    """A region whose people may search as often as they like: the bench is one doctor with the haste of many."""
    limits = Path(kangyun.__path__[0]) / "base" / "limits" / "rules" / "rates.yaml"
    text = limits.read_text("utf-8").replace("group: person, burst: 300, per_minute: 300", "group: person, burst: 900000, per_minute: 900000")
    target = data / "regions" / "bench" / "rules" / "base" / "limits" / "rates.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            if asyncio.run(client.ask(port, client.get("/health/live")))[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


async def _doctor(data: Path) -> str:
    services = await open_services(Settings(data=data))
    try:
        return await services.entries.issue(Actor("user/bench", "hospital_doctor", institution="county", account="bench"), kind="token", lasts=3600)
    finally:
        await services.close()


def decisions() -> None:
    """What one judgement takes, in microseconds: of a call, and of the conditions of a type that was not asked for before."""
    began = time.perf_counter()
    for _ in range(_REPEATS):
        policy.may_touch("hospital_doctor", "read", "Observation")
    call = (time.perf_counter() - began) / _REPEATS * 1e6
    began = time.perf_counter()
    for n in range(_REPEATS // 100):
        sight.restriction("hospital_doctor", "search", sight.Facts(institutions=(n,), account="1"))
    print(f"a decision: {call:.2f} us (wanted 50); all conditions of a role for a new caller: {(time.perf_counter() - began) / (_REPEATS // 100) * 1e6:.0f} us, once a session")


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0, help="of a slice")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2, help="web processes of each of the two servers")
    parser.add_argument("--turns", type=int, default=9, help="medians are of so many slices")
    parser.add_argument("--serve", choices=("bare", "gated"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--port", type=int, default=PORT)
    asked = parser.parse_args()
    if asked.serve:
        uvloop.run(serve(asked.data, asked.port, bare=asked.serve == "bare"))
        return 0
    decisions()
    with tempfile.TemporaryDirectory(prefix="kangyun-bench-") as name:
        data = Path(name)
        asyncio.run(_filled(data))
        ports = range(PORT, PORT + 2 * asked.processes)
        with running(data, "bare", list(ports[::2])) as bare, running(data, "gated", list(ports[1::2])) as gated:
            client.log_in(data, gated.ports[0])
            tokens = {"bare": "", "service": client.shown(), "doctor": asyncio.run(_doctor(data))}
            found = measured(data, asked, {"bare": bare, "service": gated, "doctor": gated}, tokens)
    for work, _, wanted in WORKS:
        _tell(work, wanted, {who: found[work, who] for who in ("bare", "service", "doctor")})
    return 0


def _tell(work: str, wanted: str, slices: Mapping[str, Slices]) -> None:
    """What a caller pays for the gate: as medians, and as the median of the ratios of neighbouring slices."""
    for which, unit in ((0, "/s"), (1, "us")):
        bare = [one[which] for one in slices["bare"]]
        told = f"{work if not which else '  processor':22} without {_median(bare):6,.0f} {unit}"
        for who in ("service", "doctor"):
            theirs = [one[which] for one in slices[who]]
            cost = _median([1 - (b / a if which else a / b) for a, b in zip(theirs, bare, strict=True)])
            told += f"   {who} {_median(theirs):6,.0f} {unit}: costs {cost:4.0%}"
        print(f"{told}   ({wanted})")


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


async def _filled(data: Path) -> None:
    _unlimited(data)
    services = await open_services(Settings(data=data))
    await fill(services)
    # What the worker and PostgreSQL would do within seconds, so that no slice pays for it.
    await sort_in(services, {})
    async with services.database.connection() as connection:
        await connection.execute("ANALYZE")
    await services.close()
    await services.database.stop_server()


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")
    sys.exit(main())
