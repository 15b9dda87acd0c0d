"""Where prescriptions stand: rows of this room's tables as nouns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.drugs.model import Prescription
from kangyun.support.drugs.model.circulation import Amount, Held, dispense_id
from kangyun.support.drugs.model.orders import prescription_of

sql = queries("kangyun.support.drugs", "queries/prescriptions.sql")


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a prescription; actor: a name of the audit trail, institution: an id or ''."""

    version: int
    event: str
    state: str
    at: datetime
    actor: str
    institution: str


def unknown() -> Exception:
    """The refusal of a number that is not there, or not for this caller: both look the same."""
    return refuse(404, "not-found", "drugs.no-prescription")


async def held(connection: Connection, number: str, *, lock: bool = False) -> Held:
    """A prescription by number; with `lock` its row is kept until the transaction ends. Raises Problem 404."""
    row = await connection.fetchrow(sql.hold if lock else sql.one, number)
    if row is None:
        raise unknown()
    return Held(**dict(row))


async def many(handle: Handle, statement: str, *given: object) -> list[Held]:
    """Prescriptions that a statement of prescriptions.sql finds."""
    async with handle.connection() as connection:
        return [Held(**dict(row)) for row in await connection.fetch(statement, *given)]


async def written_by(handle: Handle, practitioner: str, most: int = 50) -> list[Held]:
    """What a doctor has prescribed, newest first."""
    return await many(handle, sql.of_practitioner, practitioner, most)


async def of_patients(handle: Handle, patients: Sequence[str], most: int = 100) -> list[Held]:
    """What was prescribed for a person, newest first, drafts left out."""
    return await many(handle, sql.of_patients, list(patients), most)


async def pool(handle: Handle, most: int = 200) -> list[Held]:
    """What waits for a pharmacist or is being judged, the most urgent first."""
    return await many(handle, sql.pool, clock.now(), most)


async def at_pharmacy(handle: Handle, pharmacy: str, states: Sequence[str], most: int = 200) -> list[Held]:
    """What a pharmacy was chosen for, newest first."""
    return await many(handle, sql.of_pharmacy, pharmacy, list(states), most)


async def steps(handle: Handle, number: str) -> list[Step]:
    """What has happened to a prescription, first things first."""
    async with handle.connection() as connection:
        return [Step(**dict(row)) for row in await connection.fetch(sql.steps, number)]


async def amounts(connection: Connection, number: str) -> list[Amount]:
    """How much of each line is to be dispensed and was."""
    return [Amount(**dict(row)) for row in await connection.fetch(sql.amounts, number)]


async def dispense_ids(connection: Connection, number: str) -> list[str]:
    """The ids of the MedicationDispenses of a prescription, first things first."""
    return [dispense_id(number, row["line"], row["key"]) for row in await connection.fetch(sql.dispensed, number)]


async def lines_of(handle: Handle, found: Held) -> list[dict[str, Any]]:
    """The MedicationRequests of a prescription, for a caller who may read them. Raises Problem 404."""
    resources = [await handle.read("MedicationRequest", one) for one in found.line_ids]
    if any(one is None for one in resources):
        raise unknown()
    return [one for one in resources if one is not None]


async def content_of(handle: Handle, found: Held) -> Prescription:
    """What is prescribed, for a caller who may read it. Raises Problem 404."""
    return prescription_of(await lines_of(handle, found))
