"""Reads of the links by which residents share their summary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kangyun.base.database import queries
from kangyun.commons.access import Handle, key_of
from kangyun.commons.population.queries.persons import identities

sql = queries("kangyun.commons.population", "queries/sharing.sql")


@dataclass(frozen=True, slots=True)
class Link:
    """A link as its owner sees it; the key is in the link alone, so it cannot be shown again."""

    id: str
    label: str
    made: datetime
    expires: datetime
    ended: datetime | None
    has_passcode: bool
    tries: int
    openings: int
    last: datetime | None


async def residents_of(handle: Handle, patient_id: str) -> list[int]:
    """The record keys of all identities of a person."""
    return [key_of("Patient", one) for one in await identities(handle, patient_id)]


async def links(handle: Handle, patient_id: str) -> list[Link]:
    """The links of a person, newest first, ended ones too."""
    residents = await residents_of(handle, patient_id)
    async with handle.connection() as connection:
        return [Link(**row) for row in await connection.fetch(sql.of_residents, residents)]
