"""The one source of time, so that tests can set it and every instant has the same precision."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

# How far the calendars of senders may be ahead of ours.
_AHEAD = timedelta(days=2)
_source: Callable[[], datetime] | None = None


def set_source(source: Callable[[], datetime] | None) -> None:
    """Replace the clock (tests), or give None to return to the machine's."""
    global _source  # noqa: PLW0603 - the clock is the one global that everybody shares on purpose
    _source = source


def now() -> datetime:
    """The current instant: aware, UTC, cut to milliseconds as FHIR instants are written."""
    moment = _source() if _source else datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def seconds() -> float:
    """The current instant in seconds since 1970: for what asks many times a message and needs no date object."""
    return _source().timestamp() if _source else time.time()


def is_later(told: str, received: datetime, ahead: timedelta = _AHEAD) -> bool:
    """Whether a FHIR date or dateTime lies after the receipt of what tells it, and more `ahead` than clocks and zones explain."""
    latest = received + ahead
    return told[:10] > latest.date().isoformat()[: len(told[:10])]


def instant(moment: datetime) -> str:
    """Write a moment as a FHIR instant, for example 2026-11-22T08:00:00.123Z."""
    there = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return there.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
