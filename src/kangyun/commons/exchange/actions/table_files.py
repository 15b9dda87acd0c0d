"""Spreadsheets in bulk: a file is kept and settled as any message; its rows go to the record by the hundred.

What a slice of rows needs of other rooms is handed in: the way to store many resources belongs to the application.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.keys import KeyStore
from kangyun.commons.exchange.actions import sealing
from kangyun.commons.exchange.actions.intake import key_of
from kangyun.commons.exchange.actions.keeping import Arrived, keeper_of
from kangyun.commons.exchange.actions.recognising import try_again
from kangyun.commons.exchange.actions.tables import FORM, held_of, kind_of, opened, outcome_of
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.tables import Bad, Good, Table, Unnumbered, naming
from kangyun.commons.exchange.model import NOTHING, Fault, Origin, Outcome, RawMessage, Reason
from kangyun.commons.exchange.queries.tables import HeldRow, SheetResult, add_held, held_rows, keep, sql

SLICE = 400


@dataclass(slots=True)
class Slice:
    """Some rows of a sheet that are stored together; `start` is the number of the first."""

    table: Table
    start: int
    rows: list[Good]
    bad: list[Bad]


class TableFile:
    """One file on its way into the record."""

    def __init__(self, database: Database, keys: KeyStore, raw: RawMessage) -> None:
        self._keeper = keeper_of(database, keys)
        self._database = database
        self.raw = raw
        self.sender = sender_of(raw.sender)
        self.tables: list[Table] = []
        self._faults: list[HeldRow] = []

    def open(self) -> None:
        """Read the file. Raises Fault when no sheet of it can be read."""
        self.tables, faults = opened(self.raw.body, kind_of(self.raw.kind), self.sender)
        self._faults = [HeldRow(grid.name[:80], 0, 0, "", Reason(fault.key, fault.place, fault.params)) for grid, fault in faults]

    def slices(self, number: int, done: Sequence[int]) -> Iterator[Slice]:
        """The rows of a sheet by the hundred, without those that are done already."""
        table = self.tables[number]
        part: Slice | None = None
        # Every row is read even where it is stored already: what comes later is numbered after it.
        for row in table.rows():
            start = (row.row - table.header.first) // SLICE * SLICE
            if part is None or part.start != start:
                if part is not None and part.start not in done:
                    yield part
                part = Slice(table, start, [], [])
            if isinstance(row, Good):
                part.rows.append(row)
            elif not isinstance(row, Unnumbered):
                part.bad.append(row)
        if part is not None and part.start not in done:
            yield part

    async def hold(self, connection: Connection, part: Slice) -> None:
        """Put down the bad rows of a slice."""
        await add_held(connection, self.raw.id, held_of(part.table, part.bad))

    async def hold_again(self, connection: Connection, part: Slice, numbers: Sequence[int]) -> None:
        """Put down which of some rows are still held, in place of what an earlier try said of them."""
        await connection.execute(sql.forget_some, self.raw.id, part.table.grid.name[:80], list(numbers))
        await self.hold(connection, part)

    async def finish(self, stored: Sequence[int]) -> Outcome:
        """Note what became of the file; `stored` are the numbers of rows of each sheet."""
        async with self._database.connection() as connection, connection.transaction():
            held = [one for one in await held_rows(connection, self.raw.id) if one.label or one.col or one.row]
            counts = Counter(one.sheet for one in held)
            results = [_result(table, number, counts) for table, number in zip(self.tables, stored, strict=True)]
            results += [SheetResult(one.sheet, "", 1, 0, 1) for one in self._faults]
            held = [*held, *self._faults]
            await keep(connection, self.raw.id, results, held)
            await try_again(connection, self.raw, results)
        return await self.settle(outcome_of(self.raw, held, results, None, NOTHING))

    async def settle(self, outcome: Outcome) -> Outcome:
        """Note an outcome."""
        await self._keeper.note(self.raw, outcome)
        return outcome

    def refused(self, fault: Fault) -> Outcome:
        """The outcome of a file that could not be read as a whole."""
        reason = Reason(fault.key, fault.place, dict(fault.params), fault.code)
        return Outcome("quarantined", "AR", reason, self.raw.id, kind=self.raw.kind)


def _result(table: Table, stored: int, counts: Counter[str]) -> SheetResult:
    name = table.grid.name[:80]
    return SheetResult(name, table.kind, stored + counts[name], stored, counts[name], table.header.unread)


async def kept(database: Database, keys: KeyStore, body: bytes, name: str, folder: str) -> TableFile | None:
    """Keep a file before anything is made of it; None when its content was handled before.

    A file whose rows were partly held is handled again: meanwhile a rule may know better.
    """
    sender = naming.sender_in(name) or folder
    kind = naming.shown(naming.kind_in(name))
    digest = sealing.content_hash(keys, body)
    control = f"{sealing.MARK}{digest.hex()}"
    arrived = Arrived(sender, key_of(sender), control, digest, FORM, kind, body, clock.now(), Origin("folder", folder))
    known = await keeper_of(database, keys).keep(arrived)
    if known.state in {"stored", "dismissed"}:
        return None
    raw = RawMessage(known.id, sender, arrived.sender_key, control, kind, FORM, body, arrived.received, "received", 1)
    return TableFile(database, keys, raw)


def whole(resource: dict[str, Any], source: str) -> dict[str, Any]:
    """A resource with the mark of its sender."""
    return {**resource, "meta": {"source": source}}
