"""Kills the server, one of its siblings, its worker, its PostgreSQL or one of PostgreSQL's processes at random moments.

What does not start again by itself is started.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from dataclasses import dataclass, field

from tests.serving import Server

_KINDS = ("server", "postgres", "backend", "worker", "postgres", "sibling")
# So many answers one after the other say that it is ready: any of the processes may have given one.
_ANSWERS = 4


@dataclass
class Reaper:
    """What it strikes, and what it has struck so far. A server of one process runs the worker too."""

    server: Server
    chance: random.Random
    struck: list[str] = field(default_factory=list[str])

    async def reap(self, times: int, apart: float) -> None:
        """Strike so many times, on the average so many seconds apart; the server is up again at the end."""
        for number in range(times):
            await asyncio.sleep(apart * self.chance.uniform(0.5, 1.5))
            await self.strike(_KINDS[number % len(_KINDS)])

    async def reap_rested(self, times: int, longest: float) -> None:
        """Strike so many times, each a random moment after everything has stood again: a busy machine rises slowly."""
        for number in range(times):
            await self.stand()
            await asyncio.sleep(self.chance.uniform(0.0, longest))
            await self.strike(_KINDS[number % len(_KINDS)])
        await self.stand()

    async def stand(self) -> None:
        """Wait until it is ready again."""
        for _ in range(_ANSWERS):
            await asyncio.sleep(0.2)
            await asyncio.to_thread(self.server.wait, 120)

    async def strike(self, what: str) -> None:
        """One accident."""
        self.struck.append(what)
        beside = {"backend": self.server.backends, "sibling": self.server.siblings, "worker": self.server.workers}
        victims = beside.get(what, lambda: [self.server.postmaster() or 0])()
        if what == "server" or not victims:
            await asyncio.to_thread(self.server.kill)
            await asyncio.to_thread(self.server.start, 120)
            return
        victim = self.chance.choice(victims)
        if victim:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
