"""The rows of a file that were not stored, in its own columns with the reasons, for whoever mends and sends them again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from kangyun.commons.exchange.decisions.tables.grids import Grid, place, written
from kangyun.commons.exchange.decisions.tables.headers import header_of
from kangyun.commons.exchange.model import Fault

# (sheet, row) -> (column, what is wrong)
Held = Mapping[tuple[str, int], tuple[int, str]]


def report(grids: Sequence[Grid], kind: str, held: Held, words: tuple[str, str]) -> bytes:
    """A CSV that spreadsheet programs open (UTF-8 with its mark); `words` head the columns of place and reason."""
    text = io.StringIO(newline="")
    out = csv.writer(text)
    for grid in grids:
        out.writerows(_lines(grid, kind, held, words))
    return text.getvalue().encode("utf-8-sig")


def _lines(grid: Grid, kind: str, held: Held, words: tuple[str, str]) -> Iterator[list[str]]:
    rows = sorted(row for sheet, row in held if sheet == grid.name[:80])
    if not rows:
        return
    try:
        header = header_of(grid, kind)
    except Fault:
        return
    width = max(len(header.labels), *(len(grid.rows[row]) for row in rows if row < len(grid.rows)), 1)
    yield [*(harmless(label) for label in _filled(list(header.labels), width)), *words]
    for row in rows:
        column, reason = held[grid.name[:80], row]
        cells = [written(cell) for cell in grid.rows[row]] if row < len(grid.rows) else []
        yield [*(harmless(cell) for cell in _filled(cells, width)), place(grid.name, row, column), reason]


def _filled(cells: list[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))]


def harmless(text: str) -> str:
    """A cell that no spreadsheet program computes when the report is opened (an apostrophe makes it a text)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
