"""A sheet as it was read: rows of plain cells, whatever file they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

Cell = str | int | float | bool | date | datetime | time | timedelta | None
Row = list[Cell]


@dataclass(frozen=True, slots=True)
class Grid:
    """One sheet. `formulas` are the places (row, column; both from 0) whose value a program computed."""

    name: str
    rows: list[Row]
    formulas: frozenset[tuple[int, int]] = field(default=frozenset[tuple[int, int]]())


def column_name(number: int) -> str:
    """The letters of a column counted from 0: 0 is A, 26 is AA."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def place(sheet: str, row: int | None = None, column: int | None = None) -> str:
    """A place as people find it in a spreadsheet program: `Sheet1!C7`; row and column count from 0."""
    letters = "" if column is None else column_name(column)
    spot = f"{letters}{'' if row is None else row + 1}"
    return f"{sheet}!{spot}" if sheet and spot else sheet or spot


def written(cell: Cell) -> str:
    """A cell as text: numbers without a needless fraction, dates as YYYY-MM-DD, blanks around it cut."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e21 else repr(cell)
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d") if cell.time() == time() else cell.isoformat(" ", "seconds")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
