"""Findings of the audit as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from kangyun.base.database import Connection
from kangyun.base.money import Fen
from kangyun.support.insurance.model import Finding
from kangyun.support.insurance.queries.settlements import sql


@dataclass(frozen=True, slots=True)
class Kept:
    """A finding with where it stands: settlement, Patient, place, insurer, state, the appeal's Task, and what its lines cost."""

    id: str
    finding: Finding
    state: str
    settlement: str
    patient: str
    place: str
    insurer: str
    amount: Fen
    made: datetime
    task: str


def kept_of(row: asyncpg.Record) -> Kept:
    """A row as a finding."""
    finding = Finding(row["rule"], row["number"], row["result"], "note", tuple(row["lines"]), orjson.loads(row["facts"]))
    return Kept(
        row["id"], finding, row["state"], row["settlement"], row["patient"], row["place"], row["insurer"], row["amount"], row["made"], row["task"])


async def finding_of(connection: Connection, id_: str) -> Kept | None:
    """The finding of an id."""
    row = await connection.fetchrow(sql.finding, id_)
    return kept_of(row) if row else None


async def findings_at(connection: Connection, side: str, institution: str, state: str) -> list[Kept]:
    """The findings of an insurer or a place, those that wait for it first; at most 200."""
    statement = sql.findings_of_insurer if side == "insurer" else sql.findings_of_place
    return [kept_of(row) for row in await connection.fetch(statement, institution, state)]


async def findings_in(connection: Connection, settlement: str) -> list[Kept]:
    """The findings of a settlement."""
    return [kept_of(row) for row in await connection.fetch(sql.findings_of_settlement, settlement)]


async def table(connection: Connection, statement: str, *values: Any) -> list[dict[str, Any]]:
    """The rows of a statement as plain data."""
    return [dict(row) for row in await connection.fetch(statement, *values)]
