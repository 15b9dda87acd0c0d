"""Reads what stands at the head of an institution's papers."""

from __future__ import annotations

from dataclasses import dataclass

from kangyun.base.database import Database, queries

sql = queries("kangyun.commons.access", "queries/letterheads.sql")


@dataclass(frozen=True, slots=True)
class Mark:
    """The colour (a name of rules/letterhead.yaml) and the logo of an institution, whose type is image/png or image/jpeg."""

    colour: str
    logo: bytes | None = None
    logo_type: str | None = None


async def mark_of(database: Database, institution: str) -> Mark | None:
    """The mark of the Organization with this id; None when it has not chosen one."""
    async with database.connection() as connection:
        row = await connection.fetchrow(sql.letterhead, institution)
    return Mark(**row) if row else None
