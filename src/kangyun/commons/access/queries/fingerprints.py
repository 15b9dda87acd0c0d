"""Fingerprints of the keys that people sign with, as supervisors register them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from kangyun.base.database import Connection, queries

sql = queries("kangyun.commons.access", "queries/fingerprints.sql")


async def fingerprints(connection: Connection, practitioners: Sequence[str]) -> dict[str, str]:
    """SHA-256 of the current SM2 key (x and y) of each Practitioner (id) that has one, in hex."""
    rows = await connection.fetch(sql.current, list(practitioners))
    return {str(row["practitioner"]): sha256(bytes(row["x"]) + bytes(row["y"])).hexdigest() for row in rows}
