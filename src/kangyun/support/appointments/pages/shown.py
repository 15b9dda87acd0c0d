"""Times and choices as pages show them, and for whom somebody books."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from math import ceil
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from kangyun.base import clock, errors
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle
from kangyun.commons.population import legal_name, person_of
from kangyun.support.appointments.model import CHINA, Booking

FOR = "booking-for"


def is_held(one: Booking) -> bool:
    """Whether a number is held for whoever pays it."""
    return one.state == "pending" and one.held_until is not None and one.held_until > clock.now()


def minutes_left(one: Booking) -> int:
    """How many minutes a held number is held yet, the begun one included."""
    return ceil((one.held_until - clock.now()).total_seconds() / 60) if one.held_until else 0


def today() -> date:
    """The day it is in China."""
    return clock.now().astimezone(CHINA).date()


def hours(moment: datetime) -> str:
    """The time of day in China, such as 08:30."""
    return f"{moment.astimezone(CHINA):%H:%M}"


def weekday(moment: datetime) -> int:
    """The day of the week in China, 1 is Monday."""
    return moment.astimezone(CHINA).isoweekday()


def words() -> Mapping[str, Any]:
    """What every template of this room writes times with."""
    return {
        "is_held": is_held, "minutes_left": minutes_left, "hours": hours, "weekday": weekday, "instant": clock.instant, "instant_now": clock.instant(clock.now()), "today": today(),
    }


def told(request: Request, problem: Problem) -> str:
    """A refusal as a sentence in the reader's language."""
    return " ".join(errors.text(one, request.state.language) for one in problem.issues)


def said(form: FormData, name: str) -> str:
    """A posted text."""
    return str(form.get(name, "")).strip()[:300]


def number(form: FormData, name: str) -> int:
    """A posted whole number; 0 for anything else."""
    text = said(form, name)
    return int(text) if text.isdecimal() and len(text) < 8 else 0


def day(text: str, field: str = "day") -> date:
    """A posted date. Raises Problem 422."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise refuse(422, "value", "appointments.wrong-day" if text else "appointments.no-day", field) from error


def clock_time(text: str) -> time:
    """A posted time of day. Raises Problem 422."""
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError as error:
        raise refuse(422, "value", "appointments.wrong-time" if text else "appointments.no-time", "begins") from error


def chosen(request: Request) -> str:
    """For whom staff book, as the browser keeps it; an id says nothing without the gate. Empty for residents."""
    return "" if request.state.handle.actor.person else request.cookies.get(FOR, "")[:64]


async def whose_name(handle: Handle, patient: str) -> str:
    """The name of the one for whom is booked; empty when the caller sees nobody."""
    if handle.actor.person:
        person = await handle.read("Person", handle.actor.person)
        return legal_name(person) if person else ""
    found = await handle.read("Patient", patient) if patient else None
    return legal_name(await person_of(handle, patient) or found) if found else ""
