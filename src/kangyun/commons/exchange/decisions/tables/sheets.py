"""A sheet opened: its header found, its columns tried, its rows ready to be read one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions.drafts import Draft
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.decisions.tables.cells import FITS, is_empty, is_formula, plain
from kangyun.commons.exchange.decisions.tables.grids import Cell, Grid, Row, place
from kangyun.commons.exchange.decisions.tables.headers import Header, header_of
from kangyun.commons.exchange.decisions.tables.rows import Bad, Good, Reader, Unnumbered
from kangyun.commons.exchange.model import SENDER_SYSTEM, Fault, Reason

__all__ = ["Bad", "Good", "Table", "Unnumbered", "open_table"]

_TRIED = 400
_FEW_CELLS = 2


@dataclass(slots=True)
class Table:
    """One sheet of a known kind. `unnumbered` are the rows, among those read, that name their resident without any number."""

    grid: Grid
    header: Header
    sender: Sender
    reader: Reader
    twice: frozenset[str]
    told: tuple[int, ...] = ()
    unnumbered: list[int] = field(default_factory=list[int])
    _turns: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]], init=False)

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return self.header.kind.name

    @property
    def size(self) -> int:
        """How many lines stand below the header."""
        return len(self.grid.rows) - self.header.first

    def organization(self) -> dict[str, Any]:
        """The directory entry of the sender."""
        return {"resourceType": "Organization", "id": organization_id(self.sender), **_organization(self.sender)}

    def rows(self) -> Iterator[Good | Bad]:
        """What the lines become; blank lines, totals and notes are no rows."""
        self._turns.clear()
        self.unnumbered.clear()
        for number in range(self.header.first, len(self.grid.rows)):
            row = self.grid.rows[number]
            if not self._is_row(row):
                continue
            found = self._shifted(number, row) or self.reader.read(number, row, self.grid.formulas)
            if isinstance(found, Good):
                self._take_turn(found, found.patient["identifier"][:1])
            elif isinstance(found, Unnumbered):
                self.unnumbered.append(number)
            yield found

    def again(self, numbers: Iterable[int]) -> Iterator[Unnumbered]:
        """The unnumbered rows once more, when all others of the sheet have been read."""
        for number in numbers:
            found = self.reader.read(number, self.grid.rows[number], self.grid.formulas)
            if isinstance(found, Unnumbered):
                yield found

    def recognised(self, row: Unnumbered, identifiers: list[dict[str, Any]]) -> Good:
        """The row of a resident whom the sender has registered; it tells nothing new of the person."""
        row.whole.patient = {"resourceType": "Patient", "identifier": identifiers}
        self._take_turn(row.whole, identifiers)
        return row.whole

    def place_of(self, bad: Bad) -> str:
        """Where a bad cell stands, as spreadsheet programs say it."""
        return place(self.grid.name, bad.row, bad.column)

    def label(self, column: int) -> str:
        """The header of a column."""
        return self.header.labels[column] if column < len(self.header.labels) else ""

    def _take_turn(self, found: Good, identifiers: list[dict[str, Any]]) -> None:
        """Two visits of one resident on one day are two, told apart by their order in the sheet."""
        if not found.when:
            return
        keys = [(str(one["value"]), found.when) for one in identifiers]
        turn = 1 + max(self._turns[key] for key in keys)
        for key in keys:
            self._turns[key] = turn
        if turn > 1:
            found.when = f"{found.when}|{turn}"

    def _is_row(self, row: Row) -> bool:
        told = any(at < len(row) and not is_empty(row[at]) for at in self.told)
        if not told and sum(not is_empty(cell) for cell in row) <= _FEW_CELLS:
            # A note below the table fills a cell or two, none of which is a name's.
            return False
        return not _is_total(next((cell for cell in row if not is_empty(cell)), None)) and not self._is_header_again(row)

    def _is_header_again(self, row: Row) -> bool:
        """Printed sheets repeat their header on every page."""
        labels = self.header.labels
        return sum(cell == label for cell, label in zip(row, labels, strict=False) if label) * 2 > len(self.header.columns)

    def _shifted(self, number: int, row: Row) -> Bad | None:
        """Cells beyond the last column mean that this row slipped; a number that two people have is nobody's."""
        width = len(self.header.labels)
        beyond = next((at for at in range(width, len(row)) if not is_empty(row[at])), None)
        if beyond is not None:
            return Bad(number, beyond, Reason("exchange.row-slipped"))
        if self.twice:
            at = next(at for at, name in self.header.columns.items() if name == "id_number")
            if at < len(row) and plain(row[at]).upper() in self.twice:
                return Bad(number, at, Reason("exchange.id-number-twice"))
        return None


def open_table(grid: Grid, sender: Sender, today: str, *, kind: str = "", hint: str = "") -> Table:
    """Open a sheet; `today` (YYYY-MM-DD) bounds its dates. Raises Fault when it cannot be read as a whole."""
    header = header_of(grid, kind, hint)
    _try_columns(grid, header, sender)
    reference = {"reference": f"Organization/{organization_id(sender)}", "display": sender.name}
    reader = Reader(header.kind, header.columns, sender, reference, today)
    reader.defaults = _told_by_title(header)
    told = tuple(at for at, name in header.columns.items() if name in {"name", "id_number", "record_number"})
    return Table(grid, header, sender, reader, _numbers_of_two(grid, header), told)


def organization_id(sender: Sender) -> str:
    """The id of the sender's own directory entry, the same whatever form its messages have."""
    return Draft({"resourceType": "Organization"}, (sender.key,)).settle("")


def _organization(sender: Sender) -> dict[str, Any]:
    return {"active": True, "identifier": [{"system": SENDER_SYSTEM, "value": sender.key}], "name": sender.name}


def _try_columns(grid: Grid, header: Header, sender: Sender) -> None:
    """Columns that hold mostly what they cannot hold have slipped; then no cell of the sheet can be trusted. Raises Fault."""
    rows = grid.rows[header.first : header.first + _TRIED]
    for at, name in header.columns.items():
        column = header.kind.columns[name]
        fits = FITS.get(column.kind)
        if fits is None:
            continue
        cells = [row[at] for row in rows if at < len(row) and not is_empty(row[at]) and not is_formula(row[at])]
        misfits = sum(not fits(cell, column, sender) for cell in cells)
        if misfits * 2 > len(cells):
            raise Fault("exchange.sheet-slipped", place(grid.name, None, at), {"column": header.labels[at][:40]}, unreadable=True)


def _told_by_title(header: Header) -> dict[str, Any]:
    """Values that the title gives to every row: a list of hypertensives does not repeat the diagnosis."""
    found: dict[str, Any] = {}
    for one in header.kind.titles:
        if str(one["word"]) in header.titles and str(one["column"]) not in header.columns.values():
            found.setdefault(str(one["column"]), one["value"])
    return found


def _numbers_of_two(grid: Grid, header: Header) -> frozenset[str]:
    """ID numbers under which a sheet has people of different names."""
    places = {name: at for at, name in header.columns.items()}
    if "id_number" not in places or "name" not in places:
        return frozenset()
    id_at, name_at = places["id_number"], places["name"]
    names: dict[Cell, Cell] = {}
    twice: set[str] = set()
    for row in grid.rows[header.first :]:
        if len(row) <= max(id_at, name_at) or not isinstance(row[id_at], str) or is_empty(row[id_at]):
            continue
        if names.setdefault(row[id_at], row[name_at]) != row[name_at] and plain(names[row[id_at]]).replace(" ", "") != plain(row[name_at]).replace(" ", ""):
            twice.add(plain(row[id_at]).upper())
    return frozenset(twice)


def _is_total(cell: Cell) -> bool:
    return isinstance(cell, str) and plain(cell).replace(" ", "").rstrip(":") in _totals()


@lru_cache(maxsize=1)
def _totals() -> frozenset[str]:
    return frozenset(rules.load("kangyun.commons.exchange", "tables/words.yaml").body["totals"])
