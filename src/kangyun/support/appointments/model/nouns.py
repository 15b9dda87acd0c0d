"""The nouns of the pool: schedules, templates, sittings, numbers, and bookings of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

# States of a booking that hold a number.
ACTIVE = frozenset({"pending", "booked", "checked-in", "arrived"})


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who or which room offers numbers of one kind at an institution; names are as people read them, `fee` in fen."""

    id: str
    institution: str
    kind: str
    department: str
    house: str
    title: str
    examination: str = ""
    practitioner: str = ""
    service: str = ""
    doctor: str = ""
    rank: str = ""
    room: str = ""
    words: str = ""
    latitude: float | None = None
    longitude: float | None = None
    fee: int = 0
    outside: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a day: when it begins, how long a number lasts in minutes, how many there are, how many a channel keeps."""

    begins: time
    minutes: int
    numbers: int
    quotas: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Template:
    """A part that comes every week; weekday 1 is Monday; in force from `since` to `until`, both days among it."""

    weekday: int
    part: Part
    since: date
    until: date | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Departure:
    """A day that departs from the templates: closed, or with one sitting more."""

    day: date
    kind: str
    part: Part | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sitting:
    """A schedule on one part of one day; the practitioner may be a substitute's id."""

    id: str
    schedule: str
    day: date
    starts: datetime
    ends: datetime
    practitioner: str = ""
    doctor: str = ""
    room: str = ""
    state: str = "open"
    reason: str = ""
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a sitting, a Slot of the record; `channel` keeps it until it is released."""

    id: str
    sitting: str
    number: int
    starts: datetime
    ends: datetime
    channel: str = ""
    state: str = "free"
    free_at: datetime | None = None
    appointment: str = ""


@dataclass(frozen=True, slots=True)
class Booking:
    """Who holds, held or waits for a number, as the table has it."""

    appointment: str
    resident: int
    patient: str
    person: str
    number: str
    sitting: str
    institution: str
    department: str
    kind: str
    day: date
    starts: datetime
    channel: str
    state: str
    based_on: str
    account: str
    source: str
    key: str
    booked: datetime
    ended: datetime | None
    late: bool
    excused: bool
    place: int | None
    queued: datetime | None
    called: datetime | None
    calls: int
    # Until then a number is held that is not paid for yet; None for what is booked for good.
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of service: outpatient, online, examination, checkup, admission."""

    kind: str
    titles: Mapping[str, str]
    minutes: int
    order: bool
    step: str
    icon: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to a number: who books by it, how many days ahead and from which hour, and when what it keeps is released."""

    channel: str
    titles: Mapping[str, str]
    roles: tuple[str, ...]
    days: int
    opens: time
    release_hours: int | None
    real_name: bool


@dataclass(frozen=True, slots=True)
class Department:
    """A subject of care with its official code, and whom it is for."""

    code: str
    titles: Mapping[str, str]
    sex: str = ""
    under: int | None = None


@dataclass(frozen=True, slots=True)
class Whom:
    """For whom a booking is: the Person, the Patients that institutions keep, and what the rules ask about."""

    person: str
    patients: tuple[str, ...]
    name: str
    sex: str
    born: str
    documented: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for: a number by its id, or any of a sitting; `key` makes a repetition the same request."""

    sitting: str
    number: str = ""
    order: str = ""
    key: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A sitting as somebody of a channel finds it: how many numbers are free for it, and from when it may be booked."""

    schedule: Schedule
    sitting: Sitting
    free: int
    total: int
    opens: datetime
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A schedule that was found, with its next sitting that still has a number; None when none has."""

    schedule: Schedule
    next: datetime | None
    free: int
    sitting: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """An institution with numbers and where it is, in degrees."""

    id: str
    name: str
    latitude: float | None
    longitude: float | None


def record(row: Any) -> dict[str, Any]:
    """A database row as arguments of one of the nouns."""
    return dict(row)
