"""What a cancellation costs, and when the number that comes back may be taken again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kangyun.support.appointments.decisions.tables import rule


def _row(kind: str) -> Mapping[str, Any]:
    return next(row for row in rule("cancelling").table if row["kind"] == kind)


def free_until(kind: str, starts: datetime) -> datetime:
    """Until when a resident cancels without consequence."""
    return starts - timedelta(hours=_row(kind)["free_hours"])


def cost(kind: str, starts: datetime, now: datetime) -> str:
    """free, late (it counts as an offence) or refused."""
    if now >= starts:
        return "refused"
    return "free" if now <= free_until(kind, starts) else "late"


def open_again(kind: str, now: datetime, chance: float) -> datetime:
    """When a number that was given back opens to all; chance: 0 to 1, which nobody can foresee."""
    least, most = _row(kind)["pause"]
    return now + timedelta(minutes=least + (most - least) * chance)
