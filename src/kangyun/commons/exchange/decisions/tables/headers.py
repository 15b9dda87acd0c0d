"""Where the header of a sheet stands, what kind of sheet it is, and which column holds what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kangyun.commons.exchange.decisions.tables.grids import Grid, Row, written
from kangyun.commons.exchange.decisions.tables.kinds import Kind, kinds, known_to, labels_of
from kangyun.commons.exchange.model import Fault

_LOOKED_AT = 25
_FEWEST = 2
_DISTINCTIVE = 3


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one sheet: its kind, column names by place, the labels, and the first row of data (from 0)."""

    kind: Kind
    columns: dict[int, str]
    labels: tuple[str, ...]
    first: int
    titles: str

    @property
    def unread(self) -> tuple[str, ...]:
        """The labels of columns that no rule reads."""
        return tuple(label for place, label in enumerate(self.labels) if label and place not in self.columns)


def header_of(grid: Grid, kind: str = "", hint: str = "") -> Header:
    """Find the header; `kind` is told by the sender, `hint` is the file's name. Raises Fault."""
    if kind and kind not in kinds():
        raise Fault("exchange.sheet-unknown-kind", grid.name, {"kind": kind[:40]}, unreadable=True)
    best: tuple[int, Header] | None = None
    for number in range(min(_LOOKED_AT, len(grid.rows))):
        titles = " ".join(_words(grid.rows[:number]))
        for one in _candidates(kind, f"{titles} {grid.name}", hint):
            found = _header(grid, number, one, titles)
            score = _score(found)
            if score and (best is None or score > best[0]):
                best = (score, found)
    if best is None:
        raise Fault("exchange.sheet-no-header", grid.name, unreadable=True)
    missing = [name for name in best[1].kind.required if name not in best[1].columns.values()]
    if missing:
        column = best[1].kind.columns[missing[0]]
        raise Fault("exchange.sheet-no-column", grid.name, {"column": str(column.options.get("shown_as") or missing[0])}, unreadable=True)
    return best[1]


def _candidates(kind: str, titles: str, hint: str) -> Iterable[Kind]:
    if kind:
        return [kinds()[kind]]
    for text in (titles.lower(), hint.lower()):
        named = [one for one in kinds().values() if any(word in text for word in one.hints)]
        if len(named) == 1:
            return named
    return kinds().values()


def _words(rows: list[Row]) -> list[str]:
    return [cell for row in rows for cell in row if isinstance(cell, str) and cell.strip()]


def _score(header: Header) -> int:
    """How well a row serves as header: labels that only this kind knows count more, a missing required one counts against."""
    names = set(header.columns.values())
    if len(names) < _FEWEST or not names & {"name", "id_number", "record_number"}:
        return 0
    told = sum(_DISTINCTIVE if _is_distinctive(header, place) else 1 for place in header.columns)
    missing = sum(name not in names for name in header.kind.required)
    return max(1, told * 2 - missing * 20)


def _is_distinctive(header: Header, place: int) -> bool:
    return any(known_to()[label] == 1 for label in labels_of(header.labels[place]) if label in header.kind.labels)


def _header(grid: Grid, number: int, kind: Kind, titles: str) -> Header:
    """The row as header, together with the next one where groups are parted into columns below."""
    upper = [written(cell) for cell in grid.rows[number]]
    columns = _columns(upper, kind)
    below = [written(cell) for cell in grid.rows[number + 1]] if number + 1 < len(grid.rows) else []
    joined = _joined(upper, below)
    both = _columns(joined, kind)
    if len(both) > len(columns) >= _FEWEST and all(both.get(place) == name for place, name in columns.items() if not _at(below, place)):
        return Header(kind, both, tuple(joined), number + 2, titles)
    return Header(kind, columns, tuple(upper), number + 1, titles)


def _joined(upper: list[str], below: list[str]) -> list[str]:
    """Labels of two rows: where the lower one says something, that is the column; a merged upper cell covers blanks."""
    width = max(len(upper), len(below))
    return [_at(below, place) or _at(upper, place) for place in range(width)]


def _at(row: list[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def _columns(labels: list[str], kind: Kind) -> dict[int, str]:
    """The known columns by place; of two with one name the first counts."""
    found: dict[int, str] = {}
    for place, text in enumerate(labels):
        if not text or len(text) > 60:
            continue
        name = next((kind.labels[one] for one in labels_of(text) if one in kind.labels), None)
        if name and name not in found.values():
            found[place] = name
    return found
