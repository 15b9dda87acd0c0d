"""The queue of a sitting: who is next."""

from __future__ import annotations

from datetime import datetime, timedelta

from kangyun.support.appointments.decisions.tables import rule


def place(number: int, late: timedelta, calling: int) -> int:
    """The place of somebody who is received; `calling`: the place that was called last. Who comes late goes back."""
    said = rule("queue").map
    return number if late <= timedelta(minutes=said["late_minutes"]) else max(number, calling + said["back"])


def back(calling: int) -> int:
    """The place of somebody who was called and did not come."""
    return calling + int(rule("queue").map["back"])


def too_early(starts: datetime, now: datetime) -> bool:
    """Whether somebody comes too early to be received; starts: of the sitting."""
    return now < starts - timedelta(minutes=rule("queue").map["early_minutes"])
