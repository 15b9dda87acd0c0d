"""The jobs that this process knows, filled by the decorators when their modules are imported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import time
from typing import Any

Act = Callable[[Any, dict[str, Any]], Awaitable[None]]

_DAY = 86_400

# Schedules by the hour of day are meant in China's one time zone.
_CHINA_OFFSET = 8 * 3600


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job: `tries` runs at most, the pause after the first failure in seconds, doubled each time."""

    name: str
    act: Act
    tries: int = 8
    first_pause: float = 2.0
    longest_pause: float = 3600.0

    def pause(self, attempts: int) -> float:
        """Seconds to wait after the given number of failed attempts."""
        return min(self.longest_pause, self.first_pause * 2 ** (attempts - 1))


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job started every `seconds`, counted from `offset` seconds after midnight UTC."""

    name: str
    seconds: int
    offset: int = 0

    def slot(self, epoch: float) -> int:
        """The number of the period that a moment falls into; a higher one means the job is due again."""
        return int((epoch - self.offset) // self.seconds)


_jobs: dict[str, Job] = {}
_schedules: dict[str, Schedule] = {}


def job(name: str, *, tries: int = 8, first_pause: float = 2.0) -> Callable[[Act], Act]:
    """Register an async function (services, payload) as a job."""

    def register(act: Act) -> Act:
        known = _jobs.get(name)
        if known is not None and known.act.__qualname__ != act.__qualname__:
            raise ValueError(f"two jobs are called {name}")
        _jobs[name] = Job(name, act, tries, first_pause)
        return act

    return register


def every(name: str, *, seconds: int = _DAY, at: time | None = None) -> Callable[[Act], Act]:
    """Register a job that starts by itself: every `seconds`, or with `at` every day at this time in China.

    Of many processes one starts it; while a run still waits or works, no second one begins.
    """

    def register(act: Act) -> Act:
        offset = 0 if at is None else (at.hour * 3600 + at.minute * 60 + at.second - _CHINA_OFFSET) % _DAY
        _schedules[name] = Schedule(name, seconds, offset)
        return job(name)(act)

    return register


def registered() -> dict[str, Job]:
    """All jobs by name."""
    return dict(_jobs)


def schedules() -> list[Schedule]:
    """All schedules, by name."""
    return [_schedules[name] for name in sorted(_schedules)]
