"""Reads of bookings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.commons.access import key_of
from kangyun.support.appointments.model import Booking

sql = queries("kangyun.support.appointments", "queries/bookings.sql")


def keys(patients: Iterable[str]) -> list[int]:
    """The keys of the records that Patients open."""
    return [key_of("Patient", one) for one in patients]


async def one(connection: Connection, appointment: str) -> Booking:
    """A booking by the id of its Appointment; raises Problem 404."""
    row = await connection.fetchrow(sql.one, appointment)
    if row is None:
        raise refuse(404, "not-found", "appointments.unknown")
    return Booking(**row)


async def locked(connection: Connection, appointment: str) -> Booking:
    """As `one`, and nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(sql.lock, appointment)
    if row is None:
        raise refuse(404, "not-found", "appointments.unknown")
    return Booking(**row)


async def of_patients(connection: Connection, patients: Iterable[str], since: date) -> list[Booking]:
    """The bookings of somebody from a day on, latest first."""
    return [Booking(**row) for row in await connection.fetch(sql.of_residents, keys(patients), since)]


async def of_sitting(connection: Connection, sitting: str) -> list[Booking]:
    """All bookings of a sitting, by time."""
    return [Booking(**row) for row in await connection.fetch(sql.of_sitting, sitting)]


async def of_day(connection: Connection, patients: Iterable[str], day: date, institutions: Sequence[str]) -> list[Booking]:
    """What somebody holds at institutions on a day."""
    return [Booking(**row) for row in await connection.fetch(sql.of_day, keys(patients), day, list(institutions))]


async def waiting(connection: Connection, sitting: str) -> list[Booking]:
    """Who waits for a number of a sitting, in the order of asking."""
    return [Booking(**row) for row in await connection.fetch(sql.waiting, sitting)]


async def waiting_over(connection: Connection, now: datetime, most: int) -> list[Booking]:
    """Who waits for a sitting that is over."""
    return [Booking(**row) for row in await connection.fetch(sql.waiting_over, now, most)]
