"""A held number that waits to be paid: what it comes to, and where people go to pay it.

Taking money is another room's; it settles here where its page is. Where nobody has, numbers are booked and paid at the hospital.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.money import Fen
from kangyun.base.settings import Settings
from kangyun.commons.access import Handle
from kangyun.support.appointments.actions import guarding
from kangyun.support.appointments.model import Schedule, Sitting
from kangyun.support.appointments.queries import bookings, pool

# The page of an Appointment (id) where its fee is paid.
Place = Callable[[str], str]
# Whether anybody can pay there now.
Open = Callable[[Settings], bool]

_places: list[tuple[Place, Open]] = []


@dataclass(frozen=True, slots=True)
class Owed:
    """A number held until a moment: for whom (ids of Person and Patient), who is owed (id of the Organization), and how much."""

    appointment: str
    person: str
    patient: str
    institution: str
    fen: Fen
    until: datetime
    number: str
    starts: datetime
    sitting: Sitting
    schedule: Schedule


def paid_at(place: Place, is_open: Open) -> None:
    """Settle where held numbers are paid."""
    _places[:] = [(place, is_open)]


def place_to_pay(appointment: str) -> str:
    """The page where a held number is paid; empty where nobody takes its fee."""
    return _places[0][0](appointment) if _places else ""


def is_sold(settings: Settings, schedule: Schedule, person: str | None) -> bool:
    """Whether a resident may pay for a number of this schedule while it is held."""
    return bool(person and schedule.fee and _places and _places[0][1](settings))


async def owed(handle: Handle, appointment: str) -> Owed:
    """What a held number of the caller's own comes to. Raises Problem 404 for another's, 409 when it is not held (any more)."""
    work = guarding.own(handle, guarding.BOOK)
    async with work.connection() as connection:
        kept = await bookings.one(connection, appointment)
        await guarding.guard_booking(handle, work, kept)
        sitting, schedule = await pool.sitting_and_schedule(connection, kept.sitting)
    if kept.state != "pending" or kept.held_until is None or kept.held_until <= clock.now():
        raise refuse(409, "business-rule", "appointments.not-held")
    return Owed(
        appointment, kept.person, kept.patient, kept.institution, schedule.fee, kept.held_until, kept.number.rpartition(".")[2], kept.starts, sitting,
        schedule)
