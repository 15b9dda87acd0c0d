"""Not coming and cancelling too late: how it adds up, and until when it closes the channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from kangyun.support.appointments.decisions.tables import rule
from kangyun.support.appointments.model import CHINA, Booking


@dataclass(frozen=True, slots=True)
class Offence:
    """One offence: noshow or late, and the day of the visit."""

    kind: str
    day: date


def offences(bookings: Iterable[Booking]) -> list[Offence]:
    """The offences among somebody's bookings; excused ones are none."""
    found: list[Offence] = []
    for one in bookings:
        if one.state == "noshow" and not one.excused:
            found.append(Offence("noshow", one.day))
        elif one.state == "cancelled" and one.late and not one.excused and one.ended:
            found.append(Offence("late", one.ended.astimezone(CHINA).date()))
    return found


def closed_until(told: Sequence[Offence], on: date) -> date | None:
    """The first day on which somebody may book again; None when nothing is closed on this day.

    Each offence that brings the sum of the days before to a step closes for as long as that step says.
    """
    said = rule("no_show").map
    in_order = sorted(told, key=lambda one: one.day)
    until: date | None = None
    for at, one in enumerate(in_order):
        points = sum(said["weights"][other.kind] for other in in_order[: at + 1] if one.day - other.day < timedelta(days=said["days"]))
        days = max((step["days"] for step in said["steps"] if points >= step["points"]), default=0)
        if days and one.day <= on:
            ends = one.day + timedelta(days=days)
            until = max(until or ends, ends)
    return until if until and on < until else None
