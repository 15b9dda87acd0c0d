"""`kangyun link`: everybody is compared with everybody, Persons are joined, doubts go to the review queue; resumable."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from kangyun.app.services import Services, collect_less, open_services
from kangyun.app.workers import Workers
from kangyun.base import rules
from kangyun.base.settings import Settings
from kangyun.commons.access import Handle, Stored
from kangyun.commons.population.actions import batch_learn, batch_pages, batch_store, newcomers
from kangyun.commons.population.actions.batch import Batch, Change, Decisions, Linkage
from kangyun.commons.population.decisions.matching import Weights, weights, weights_of
from kangyun.commons.records.actions.importing import create_resources

_ACTOR = "population.link"
_PAGE = 50
# Newcomers that are placed in one transaction: it holds a few locks for each, and PostgreSQL has six thousand.
_TOGETHER = 250
_ASKED = 500
# So many newcomers are worth the start of a process.
_WORTH = 5_000
_MOST_PROCESSES = 4
_SAMPLES = 20


def run_link(settings: Settings, proposed: Path | None, learn: Path | None, memory: str, processes: int) -> int:
    """Link everybody, or only report what a rule file would change, or learn a rule file."""
    if proposed is not None:
        with proposed.open("rb"):
            pass  # Whoever mistypes a name should not wait for the database first; raises OSError.
    return asyncio.run(_link(settings, proposed, learn, memory, processes))


async def _link(settings: Settings, proposed: Path | None, learn: Path | None, memory: str, processes: int) -> int:
    services = await open_services(settings)
    collect_less()
    folder = settings.data / "linking"
    folder.mkdir(exist_ok=True)
    try:
        if learn is not None:
            return await _learn(services, folder, learn, memory, processes)
        if proposed is not None:
            return await dry_run(services, folder, weights_of(rules.read(proposed)), memory, processes)
        await link_all(services, folder, memory, processes)
        return 0
    finally:
        await services.close()
        await services.database.stop_server()


async def _everybody(services: Services, workers: Workers, folder: Path, by: Weights, memory: str) -> tuple[Batch, Decisions]:
    batch = Batch(by, memory, folder=folder)
    number = new = 0
    async with services.database.connection() as connection:
        async for page in batch_store.everybody(connection):
            batch.admit(page)
            number += len(page)
        decisions = await batch_store.decisions(connection)
    async for told in workers.each(_tell, newcomers.unplaced(services.gate.system(_ACTOR))):
        new += batch.receive(told)
    print(f"{number + new} Patients read, {new} of them not yet placed", flush=True)
    return batch, decisions


async def _tell(_services: Services, patients: list[Stored]) -> bytes:
    return batch_pages.packed(newcomers.told(patients))


async def link_all(services: Services, folder: Path, memory: str, processes: int = 1) -> None:
    """Compare everybody, or take up the plan of a run that was killed, and carry it out."""
    started = time.monotonic()
    plan = Plan(folder / "plan.json")
    handle = services.gate.system(_ACTOR)
    if not plan.load():
        async with await _workers(services, processes) as workers:
            batch, decisions = await _everybody(services, workers, folder, weights(), memory)
            standing = Decisions([*decisions.together, *batch.standing()], decisions.apart)
            linkage = await asyncio.to_thread(batch.link, standing)
            print(f"{linkage.pairs} pairs compared in {time.monotonic() - started:.1f} s", flush=True)
            await _settle(workers, batch, linkage)
        await _ask(handle, batch, linkage)
        plan.save(batch.change(linkage).unions)
    else:
        print(f"going on where it stopped: {plan.done} of {len(plan.unions)} done", flush=True)
    await _unite(handle, plan)
    print(f"{len(plan.unions)} joins in {time.monotonic() - started:.1f} s")
    plan.finish()


async def _workers(services: Services, processes: int) -> Workers:
    many = await newcomers.are_unplaced(services.gate.system(_ACTOR), _WORTH)
    return Workers(services, min(processes, _MOST_PROCESSES) if many else 1)


async def _settle(workers: Workers, batch: Batch, linkage: Linkage) -> None:
    """Whoever has no Person gets one. A run that is killed here begins anew: those who have theirs are placed by then."""
    done, total = 0, batch.number_new()

    async def pages() -> AsyncIterator[bytes]:
        for page in batch.newcomers(linkage, _TOGETHER):
            yield page

    async for placed in workers.each(_place, pages()):
        done += placed
        _progress(done, total, "new records placed")


async def _place(services: Services, page: bytes) -> int:
    groups = batch_pages.unpacked(page)
    await batch_store.settle(services.gate.system(_ACTOR), groups, create_resources)
    return sum(map(len, groups))


async def _ask(handle: Handle, batch: Batch, linkage: Linkage) -> None:
    for page in _pages(linkage.doubts, _ASKED):
        await batch_store.ask(handle, batch.evidence(page))
    print(f"{len(linkage.doubts)} pairs for the review queue", flush=True)


async def _unite(handle: Handle, plan: Plan) -> None:
    for page in _pages(plan.unions[plan.done :], _PAGE):
        await batch_store.unite(handle, page)
        plan.advance(len(page))
        _progress(plan.done, len(plan.unions), "joined")


def _progress(done: int, total: int, what: str) -> None:
    end = "\r" if sys.stdout.isatty() else "\n"
    print(f"{done / total:6.1%}  {done} of {total} {what}", end=end, flush=True)


def _pages(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Plan:
    """Which Persons are to become one, on disk from the moment it is known, so that a killed run goes on.

    Joining what is joined already does nothing, so the page that was under way may safely be repeated.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mark = file.with_suffix(".done")
        self.unions: list[list[str]] = []
        self.done = 0

    def load(self) -> bool:
        """Take up a plan of today's rules that was not finished."""
        if not self._file.exists():
            return False
        kept = json.loads(self._file.read_text("utf-8"))
        if kept["rules"] != _fingerprint():
            return False
        self.unions = kept["unions"]
        self.done = int(self._mark.read_text("utf-8") or 0) if self._mark.exists() else 0
        return True

    def save(self, unions: list[list[str]]) -> None:
        """Write a new plan, whole or not at all."""
        self.unions, self.done = unions, 0
        self._mark.unlink(missing_ok=True)
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps({"rules": _fingerprint(), "unions": unions}), "utf-8")
        part.rename(self._file)

    def advance(self, number: int) -> None:
        """Note that some more are done."""
        self.done += number
        part = self._mark.with_suffix(".mark")
        part.write_text(str(self.done), "utf-8")
        part.rename(self._mark)

    def finish(self) -> None:
        """Forget the plan."""
        self._file.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)


def _fingerprint() -> str:
    return hashlib.sha256(rules.load("kangyun.commons.population", "matching.yaml").file.read_bytes()).hexdigest()


async def dry_run(services: Services, folder: Path, by: Weights, memory: str, processes: int = 1) -> int:
    """Print what other rules would change; writes nothing."""
    async with await _workers(services, processes) as workers:
        batch, decisions = await _everybody(services, workers, folder, by, memory)
    linkage = await asyncio.to_thread(batch.link, decisions)
    print(json.dumps(report(batch.change(linkage), linkage), indent=1))
    return 0


def report(change: Change, linkage: Linkage) -> dict[str, Any]:
    """What a rule file would change: numbers, sizes, and samples by id; no names."""
    sizes: dict[int, int] = {}
    for group in linkage.groups():
        sizes[len(group)] = sizes.get(len(group), 0) + 1
    return {
        "pairs_compared": linkage.pairs, "persons_joined": len(change.unions), "persons_parted": len(change.parted),
        "review_queue": len(linkage.doubts), "sizes": dict(sorted(sizes.items())),
        "samples_joined": [[f"Person/{one}" for one in union] for union in change.unions[:_SAMPLES]],
        "samples_parted": [f"Person/{person}" for person, _ in change.parted[:_SAMPLES]],
    }


async def _learn(services: Services, folder: Path, file: Path, memory: str, processes: int) -> int:
    async with await _workers(services, processes) as workers:
        batch, _ = await _everybody(services, workers, folder, weights(), memory)
    source = rules.load("kangyun.commons.population", "matching.yaml").file
    text = await asyncio.to_thread(batch_learn.proposal, batch, source)
    await asyncio.to_thread(file.write_text, text, "utf-8")
    print(f"{file} holds the proposed rules; compare with: kangyun link --dry-run {file}")
    return 0
