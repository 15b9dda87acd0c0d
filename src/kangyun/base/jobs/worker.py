"""Runs jobs: claims due rows, keeps their lease alive while they run, retries, and stops gracefully."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import structlog
from prometheus_client import Counter, Histogram

from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.base.health import Pulse
from kangyun.base.jobs.queue import CHANNEL, sql
from kangyun.base.jobs.registry import Job, registered, schedules
from kangyun.base.logs import fault
from kangyun.base.wakeup import Listener

log = structlog.get_logger()

RUNS = Counter("kangyun_job_runs", "Runs of background jobs, by name and outcome.", ["name", "outcome"])
SECONDS = Histogram("kangyun_job_seconds", "Seconds that a run of a background job took.", ["name"])

_AWAY = (Problem, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_DAYS_KEPT = 7
_SWEEP_EVERY = 3600.0
# So long after a look at the queue the next one waits: what is put in and what is done meanwhile shares its statement.
_APART = 0.02


class Worker:
    """One process's share of the work. `services` is handed to every job.

    Most jobs wait for somebody outside (a text message, the insurer): with eight at once, what a resident waits for stood
    behind texts for seconds while a fifth of the processors was idle.
    """

    def __init__(
        self, db: Database, services: Any, *, concurrency: int = 16, lease: float = 30.0, poll: float = 1.0,
    ) -> None:
        self.db = db
        self.services = services
        self.concurrency = concurrency
        self.lease = lease
        self.poll = poll
        self.id = uuid4()
        self.pulse = Pulse()
        self._running: dict[int, asyncio.Task[None]] = {}
        # Done, and not yet noted: the next claim says so, which saves each job a statement and a commit of its own.
        self._done: list[int] = []
        self._stopping = False
        self._grace = 0.0
        self._slots: dict[str, int] = {}
        self._swept = 0.0
        self._seen = 0
        self._looked = 0.0
        self._listener = Listener(db.dsn, CHANNEL)

    async def run(self) -> None:
        """Work until `stop()`; survives the database going away."""
        async with self._listener:
            beat = asyncio.create_task(self._keep_leases())
            try:
                while not self._stopping:
                    await self._round()
            finally:
                beat.cancel()
                await self._hand_back()

    def stop(self, grace: float = 20.0) -> None:
        """Take no more jobs, let the running ones finish within `grace` seconds, hand back the rest."""
        self._grace = grace
        self._stopping = True
        self._listener.call()

    async def _round(self) -> None:
        try:
            await self._start_scheduled()
            await self._sweep()
            more = await self._claim()
            self.pulse.beat()
        except _AWAY as error:
            log.warning("jobs.database_away", error=fault(error))
            await asyncio.sleep(self.poll)
            return
        if not more:
            self._seen = await self._listener.wait(self.poll, self._seen)

    async def _claim(self) -> bool:
        """Note what was done and take what is due; says whether there may be more to take."""
        await asyncio.sleep(self._looked + _APART - time.monotonic())
        free = self.concurrency - len(self._running)
        if free <= 0 and not self._done:
            return False
        self._looked = time.monotonic()
        rows = await self._exchange(list(registered()), max(free, 0))
        for row in rows:
            self._running[row["id"]] = asyncio.create_task(self._work(row))
        return bool(rows) and len(rows) == free

    async def _exchange(self, names: Sequence[str], free: int) -> Sequence[asyncpg.Record]:
        done, self._done = self._done, []
        try:
            async with self.db.connection() as connection:
                return await connection.fetch(sql.claim, names, free, self.id, self.lease, done)
        except BaseException:
            self._done += done
            raise

    async def _work(self, row: asyncpg.Record) -> None:
        try:
            outcome = await self._attempt(row)
            RUNS.labels(row["name"], outcome).inc()
        except _AWAY as error:
            # Its lease runs out and somebody takes it again.
            log.warning("jobs.outcome_lost", job=row["id"], error=fault(error))
        finally:
            self._running.pop(row["id"], None)
            self._listener.call()

    async def _attempt(self, row: asyncpg.Record) -> str:
        job = registered()[row["name"]]
        if row["attempts"] > job.tries:
            await self._settle(sql.fail, row["id"], "its worker died each time")
            return "failed"
        try:
            with SECONDS.labels(job.name).time():
                await job.act(self.services, orjson.loads(row["payload"]))
        except Exception as error:  # noqa: BLE001 - a job's fault must not stop the others
            return await self._fail(row, job, error)
        self._done.append(row["id"])
        return "done"

    async def _fail(self, row: asyncpg.Record, job: Job, error: Exception) -> str:
        last = row["attempts"] >= job.tries
        log.warning("jobs.failed" if last else "jobs.retry", job=row["id"], type=job.name, attempt=row["attempts"],
                    exc_info=error)
        if last:
            await self._settle(sql.fail, row["id"], fault(error))
            return "failed"
        pause = job.pause(row["attempts"]) * random.uniform(0.75, 1.25)  # noqa: S311 - spreading, not secrecy
        await self._settle(sql.retry, row["id"], fault(error), pause)
        return "retried"

    async def _settle(self, statement: str, number: int, *values: Any) -> None:
        async with self.db.connection() as connection:
            await connection.execute(statement, number, self.id, *values)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self.lease / 3)
            mine = [*self._running, *self._done]
            if not mine:
                continue
            try:
                async with self.db.connection() as connection:
                    kept = await connection.fetch(sql.beat, mine, self.id, self.lease)
                self._drop(set(mine) - {row["id"] for row in kept})
            except _AWAY as error:
                log.warning("jobs.heartbeat_lost", error=fault(error))

    def _drop(self, lost: set[int]) -> None:
        """Somebody else has these now: two must not work on one."""
        for number in lost:
            if number in self._running:
                self._running[number].cancel()

    async def _start_scheduled(self) -> None:
        for schedule in schedules():
            slot = schedule.slot(time.time())
            if slot <= self._slots.get(schedule.name, -1):
                continue
            async with self.db.transaction() as connection:
                if await connection.fetchval(sql.claim_slot, schedule.name, slot) is not None:
                    await connection.execute(sql.enqueue_scheduled, schedule.name)
            self._slots[schedule.name] = slot

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept > _SWEEP_EVERY or not self._swept:
            async with self.db.connection() as connection:
                await connection.execute(sql.sweep, _DAYS_KEPT)
            self._swept = time.monotonic()

    async def _hand_back(self) -> None:
        if self._running:
            await self._end_running()
        if self._done:
            await self._exchange([], 0)

    async def _end_running(self) -> None:
        """Let the running ones finish for a while; the others are somebody else's again."""
        tasks: Sequence[asyncio.Task[None]] = list(self._running.values())
        _, late = await asyncio.wait(tasks, timeout=self._grace)
        numbers = [number for number, task in self._running.items() if task in late]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if numbers:
            async with self.db.connection() as connection:
                await connection.execute(sql.release, numbers, self.id)
