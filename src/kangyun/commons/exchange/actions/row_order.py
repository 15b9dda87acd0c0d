"""The order of a sender's rows about one resident: the day that a row is about decides, not when its sheet arrived.

What a row says of its own day has an id of its own by that day. A resident's particulars, and what outlasts the day, do not: a row of an
older sheet that comes later may only add what is missing. A row that tells no day is as new as its arrival.
"""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base.database import Connection
from kangyun.commons.access import Handle
from kangyun.commons.exchange.decisions.senders import Sender, key_of
from kangyun.commons.exchange.decisions.tables import Good
from kangyun.commons.exchange.queries.tables import sql
from kangyun.commons.population import Registration


async def find_late(handle: Handle, sender: Sender, rows: Sequence[Good], registrations: Sequence[Registration]) -> bool:
    """Mark the rows of whose residents the sender has told later; whether any is newly marked."""
    known = [(row, one.patient) for row, one in zip(rows, registrations, strict=True) if row.told and not row.late and _stands(one)]
    if not known:
        return False
    async with handle.connection() as connection:
        late = await overtaken(connection, sender, known)
    for row in late:
        row.late = True
    return bool(late)


def _stands(registration: Registration) -> bool:
    """Whether the Patient was there before: nothing is later than the first word of somebody."""
    return all(arrival.version > 1 for arrival in registration.arrivals if arrival.id == registration.patient)


async def overtaken(connection: Connection, sender: Sender, rows: Sequence[tuple[Good, str]]) -> list[Good]:
    """Those rows, each with the id of its Patient, that are older than what the sender has told."""
    dated = [(row, patient, row.told[1]) for row, patient in rows if row.told]
    if not dated:
        return []
    patients = [patient for _, patient, _ in dated]
    found = await connection.fetch(
        sql.overtaken, key_of(sender.key), patients, [key_of(one) for one in patients], [until for _, _, until in dated]
    )
    told_later = {(row["patient"], row["until"]) for row in found}
    return [row for row, patient, until in dated if (patient, until) in told_later]


async def note(handle: Handle, sender: Sender, rows: Sequence[Good], patients: Sequence[str]) -> None:
    """Remember until when rows that are stored tell of their residents."""
    async with handle.connection() as connection:
        await noted(connection, sender, list(zip(rows, patients, strict=True)))


async def noted(connection: Connection, sender: Sender, rows: Sequence[tuple[Good, str]]) -> None:
    """As `note`, in a transaction of the caller."""
    dated = [(key_of(patient), row.told[0]) for row, patient in rows if row.told]
    if dated:
        await connection.execute(sql.note_told, key_of(sender.key), [key for key, _ in dated], [start for _, start in dated])
