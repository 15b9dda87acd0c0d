"""What became of spreadsheets: each sheet's figures, and the rows that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kangyun.base.database import Connection, queries
from kangyun.commons.exchange.model import Reason
from kangyun.commons.exchange.queries.messages import read_reason, write_reason

sql = queries("kangyun.commons.exchange", "queries/tables.sql")


@dataclass(frozen=True, slots=True)
class SheetResult:
    """One sheet of a file: how many rows it has, how many were stored and held, and the columns that nobody reads."""

    sheet: str
    kind: str
    rows: int
    stored: int
    held: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One row that was not stored: row and column count from 0; `label` is the header of the column."""

    sheet: str
    row: int
    col: int
    label: str
    reason: Reason


async def sheets(connection: Connection, message: int) -> list[SheetResult]:
    """The sheets of a file."""
    rows = await connection.fetch(sql.sheets, message)
    return [SheetResult(r["sheet"], r["kind"], r["rows"], r["stored"], r["held"], tuple(filter(None, r["columns"].split("\n")))) for r in rows]


async def held_rows(connection: Connection, message: int, limit: int = 100_000) -> list[HeldRow]:
    """The rows of a file that wait for a person, in their order."""
    rows = await connection.fetch(sql.rows, message, limit)
    return [HeldRow(r["sheet"], r["row"], r["col"], r["label"], read_reason(r["reason"]) or Reason("exchange.internal")) for r in rows]


async def keep(connection: Connection, message: int, results: Sequence[SheetResult], held: Sequence[HeldRow]) -> None:
    """Put down the result of a file in place of what an earlier try said."""
    await connection.execute(sql.forget_rows, message)
    await connection.execute(sql.forget_sheets, message)
    for one in results:
        await connection.execute(sql.put_sheet, message, one.sheet, one.kind, one.rows, one.stored, one.held, "\n".join(one.columns))
    await add_held(connection, message, held)


async def add_held(connection: Connection, message: int, held: Sequence[HeldRow]) -> None:
    """Put down rows that wait for a person."""
    if held:
        await connection.execute(
            sql.put_rows, message, [one.sheet for one in held], [one.row for one in held], [one.col for one in held],
            [one.label for one in held], [write_reason(one.reason) or "" for one in held],
        )
