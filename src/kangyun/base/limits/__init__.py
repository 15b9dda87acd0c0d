"""How often somebody may ask: buckets of requests that hold across all processes and cost a process next to nothing.

A caller's bucket is a row of the database; a process takes a share out of it at a time and then counts by itself. What
it has not used up after some seconds is lost, so processes together never grant more than the bucket held.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil, floor, inf
from typing import Any, Literal
from weakref import WeakKeyDictionary

from kangyun.base import clock, jobs
from kangyun.base.database import Database, queries
from kangyun.base.errors import Issue, Problem
from kangyun.base.rules import Rule, load

Group = Literal["anyone", "person", "machine"]

sql = queries("kangyun.base.limits", "limits.sql")

_LEASE_SECONDS = 10.0
_MOST_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket's size, what it gains in a second, and how many requests a process takes at a time."""

    burst: int
    per_second: float
    share: int


@dataclass(slots=True)
class _Lease:
    """What this process may still grant, until a second of its own clock; a `closed` one refuses until then."""

    tokens: float
    until: float
    closed: bool = False

    def good(self) -> bool:
        """Whether it still says something."""
        return (self.tokens >= 1 or self.closed) and time.monotonic() < self.until

    def spend(self) -> None:
        """Grant one request, or raise Problem 429."""
        if self.tokens < 1:
            raise refused(max(1, ceil(self.until - time.monotonic())))
        self.tokens -= 1


def rate(kind: str, group: Group) -> Rate | None:
    """The limit for a kind of request and a group of callers, from rules/rates.yaml; None: there is none."""
    for row in load("kangyun.base.limits", "rates.yaml").table:
        if (row["kind"], row["group"]) == (kind, group):
            return Rate(row["burst"], row["per_minute"] / 60, row["share"])
    return None


def wait(limit: Rate, tokens: float) -> int:
    """Whole seconds until a bucket that holds `tokens` has one to grant."""
    return max(0, ceil((1 - tokens) / limit.per_second))


class Limits:
    """The limits of one installation, as one process keeps them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._leases: dict[tuple[str, Group, str], _Lease] = {}
        self._locks = [asyncio.Lock() for _ in range(64)]

    async def take(self, kind: str, group: Group, who: str) -> None:
        """Count one request of `who`, an account, a client id or a network address; raises Problem 429 with Retry-After."""
        lease = self._leases.get((kind, group, who))
        if lease is None or not lease.good():
            # One of many that come at once takes a share for all; a few locks do for all callers.
            async with self._locks[hash(who) % len(self._locks)]:
                lease = self._leases.get((kind, group, who))
                lease = lease if lease and lease.good() else await self._settled(kind, group, who)
                lease.spend()
        else:
            lease.spend()

    async def _settled(self, kind: str, group: Group, who: str) -> _Lease:
        limit = rate(kind, group)
        made = await self._leased(kind, limit, who) if limit else _Lease(inf, time.monotonic() + _LEASE_SECONDS)
        if len(self._leases) >= _MOST_KNOWN:
            self._leases.clear()
        self._leases[kind, group, who] = made
        return made

    async def _leased(self, kind: str, limit: Rate, who: str) -> _Lease:
        hashed = blake2b(who.encode(), digest_size=16).digest()
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                sql.lease, kind, hashed, float(limit.share), float(limit.burst), limit.per_second, clock.now())
        assert row is not None
        lasts = _LEASE_SECONDS if row["granted"] else max(1, wait(limit, row["tokens"]))
        return _Lease(row["granted"], time.monotonic() + lasts, closed=not row["granted"])


_of: WeakKeyDictionary[Database, Limits] = WeakKeyDictionary()


def limits_of(database: Database) -> Limits:
    """The limits that all of a process share."""
    found = _of.get(database)
    if found is None:
        found = _of[database] = Limits(database)
    return found


def refused(seconds: int) -> Problem:
    """The refusal of a request that came too soon; it may come again after so many seconds."""
    problem = Problem(429, Issue("throttled", "base.too-often", {"seconds": str(seconds)}))
    problem.headers["retry-after"] = str(seconds)
    return problem


def check_example(_rule: Rule, given: Mapping[str, Any]) -> dict[str, int]:
    """What a bucket of which `spent` are gone grants after some seconds, and how long to wait when that is nothing."""
    limit = Rate(given["burst"], given["per_minute"] / 60, 1)
    held = min(limit.burst, limit.burst - given["spent"] + given["seconds"] * limit.per_second)
    return {"granted": floor(held), "wait": wait(limit, held)}


@jobs.every("limits.trim", seconds=3600)
async def trim(services: Any, _payload: dict[str, Any]) -> None:
    """Forget buckets that are full again."""
    async with services.database.connection() as connection:
        await connection.execute(sql.trim, clock.now())
