"""One device of each side in a consultation, and one talk by video of a doctor: decided in the transaction that needs it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kangyun.base import clock, jobs
from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.care.internet_hospital.decisions.papers import limit
from kangyun.care.internet_hospital.model.consultations import Consultation
from kangyun.commons.access import Actor, key_of

sql = queries("kangyun.care.internet_hospital", "queries/seats.sql")
_OLD = timedelta(days=7)


async def take(connection: Connection, of: Consultation, party: str, actor: Actor, *, over: bool = False) -> None:
    """Take or keep the place of a party (patient, doctor) for this session; `over`: from another device.

    Raises Problem 409 while another device is there that was heard of in the last minutes.
    """
    now = clock.now()
    stale = now - timedelta(minutes=limit("seat_minutes"))
    taken = await connection.fetchval(
        sql.take, key_of("Patient", of.patient), of.id, party, actor.session or actor.name, now, stale, over)
    if taken is None:
        raise refuse(409, "conflict", "internet_hospital.other-device")


async def keep(connection: Connection, of: Consultation, party: str, actor: Actor) -> None:
    """As `take`, for whoever only looks: written down once in a while, since pages ask every few seconds."""
    lately = clock.now() - timedelta(minutes=limit("seat_minutes")) / 4
    if not await connection.fetchval(sql.kept, key_of("Patient", of.patient), of.id, party, actor.session or actor.name, lately):
        await take(connection, of, party, actor)


async def leave(connection: Connection, of: Consultation) -> None:
    """The consultation is over: all places and the talk by video are free."""
    await connection.execute(sql.leave, key_of("Patient", of.patient), of.id)
    await connection.execute(sql.end_live, of.id)


async def go_live(connection: Connection, of: Consultation, practitioner: str) -> None:
    """Begin the one talk by video of a doctor. Raises Problem 409 when he is in another one."""
    if await connection.fetchval(sql.go_live, practitioner, of.id, clock.now()) is None:
        raise refuse(409, "conflict", "internet_hospital.parallel")


@jobs.every("internet_hospital.trim_seats", seconds=3600)
async def trim(services: Any, _payload: dict[str, Any]) -> None:
    """Forget places in consultations that nobody has been in for a week."""
    async with services.database.connection() as connection:
        await connection.execute(sql.trim, clock.now() - _OLD)
