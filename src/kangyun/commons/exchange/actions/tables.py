"""A kept spreadsheet becomes records, row by row; good rows are stored, bad ones are held, each with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kangyun.base import clock, errors
from kangyun.base.errors import Problem
from kangyun.commons.access import Gate, Handle, Write
from kangyun.commons.exchange.actions import row_order
from kangyun.commons.exchange.actions.coding import coder_of
from kangyun.commons.exchange.actions.recognising import recognise, try_again
from kangyun.commons.exchange.decisions.facts import facts_of
from kangyun.commons.exchange.decisions.senders import Sender, sender_of
from kangyun.commons.exchange.decisions.tables import Bad, Good, Table, Unnumbered, grids_of, open_table
from kangyun.commons.exchange.decisions.tables.grids import Grid, place
from kangyun.commons.exchange.model import NOTHING, SENDER_SYSTEM, Facts, Fault, Outcome, RawMessage, Reason
from kangyun.commons.exchange.queries import current
from kangyun.commons.exchange.queries.tables import HeldRow, SheetResult, keep
from kangyun.commons.population import Ambiguous, Registration, beside, overtaken, prepare, telling, turn

_TOGETHER = 20
_RECOGNISED = 200
_TRIES = 8
_PASSING = {423, 429, 500, 502, 503, 504, 507}
_SAMPLE = 200

FORM = "table"


@dataclass(slots=True)
class _Run:
    """What became of one file so far."""

    results: list[SheetResult] = field(default_factory=list[SheetResult])
    held: list[HeldRow] = field(default_factory=list[HeldRow])
    stored: int = 0
    entries: int = 0
    facts: Facts = NOTHING
    patient: str | None = None


def today(sender: Sender) -> str:
    """The day at the sender, YYYY-MM-DD: what is later is a mistake."""
    return clock.now().astimezone(sender.zone).date().isoformat()


def opened(raw_body: bytes, kind: str, sender: Sender) -> tuple[list[Table], list[tuple[Grid, Fault]]]:
    """The sheets of a file that can be read, and those that cannot with their faults. Raises Fault when none can."""
    tables: list[Table] = []
    faults: list[tuple[Grid, Fault]] = []
    for grid in grids_of(raw_body):
        try:
            tables.append(open_table(grid, sender, today(sender), kind=kind))
        except Fault as fault:
            faults.append((grid, fault))
    if not tables:
        raise faults[0][1]
    # Beside the table people keep sheets of notes and pivot tables; a slipped table is no note.
    return tables, [one for one in faults if one[1].key != "exchange.sheet-no-header"]


async def process_table(gate: Gate, raw: RawMessage) -> Outcome:
    """Make records of a kept spreadsheet. Raises Fault when no sheet of it can be read."""
    sender = sender_of(raw.sender)
    tables, faults = await asyncio.to_thread(opened, raw.body, kind_of(raw.kind), sender)
    handle, run = gate.system("exchange"), _Run()
    for table in sorted(tables, key=lambda one: one.header.kind.turn):
        await _process_sheet(handle, table, run)
    for grid, fault in faults:
        run.results.append(SheetResult(grid.name[:80], "", len(grid.rows), 0, len(grid.rows)))
        run.held.append(HeldRow(grid.name[:80], 0, 0, "", Reason(fault.key, fault.place, fault.params)))
    async with handle.connection() as connection, connection.transaction():
        await keep(connection, raw.id, run.results, run.held)
        await try_again(connection, raw, run.results)
    return outcome_of(raw, run.held, run.results, run.patient, run.facts)


def kind_of(shown: str) -> str:
    """The kind of sheet in the kind of a message, `table/personal_basics`; empty where nobody told it."""
    return shown.partition("/")[2]


def outcome_of(
    raw: RawMessage, held: Sequence[HeldRow], results: Sequence[SheetResult], patient: str | None, facts: Facts
) -> Outcome:
    """Stored when every row was; else it waits, and its good rows are in the record."""
    kinds = sorted({one.kind for one in results if one.kind})
    shown = f"{FORM}/{kinds[0]}" if len(kinds) == 1 else raw.kind
    if not held:
        return Outcome("stored", "AA", None, raw.id, patient, shown, facts=facts)
    count, whole = sum(one.held for one in results), sum(one.rows for one in results)
    first = held[0]
    where = first.reason.place or place(first.sheet, first.row, first.col)
    params = {"held": str(count), "rows": str(whole)}
    return Outcome("quarantined", "AE", Reason("exchange.rows-held", where, params), raw.id, None, shown, facts=facts)


async def _process_sheet(handle: Handle, table: Table, run: _Run) -> None:
    await ensure_organization(handle, table)
    bad: list[Bad] = []
    patients: list[dict[str, Any]] = []
    resources: list[dict[str, Any]] = []
    group: list[Good] = []
    keys: set[tuple[str, str]] = set()
    stored = rows = 0

    async def flush() -> int:
        refused = await _store(handle, group, table.sender, run)
        bad.extend(refused)
        done = len(group) - len(refused)
        group.clear()
        keys.clear()
        return done

    for row in table.rows():
        rows += 1
        if isinstance(row, Unnumbered):
            continue
        if isinstance(row, Bad):
            bad.append(row)
            continue
        mine = telling(row.patient)
        if len(group) == _TOGETHER or keys & set(mine):
            stored += await flush()
        group.append(row)
        keys.update(mine)
        if len(patients) < _SAMPLE:
            patients.append(row.patient)
            resources += [draft[-1] for draft in row.drafts]
    stored += await flush()
    unnumbered = await _store_unnumbered(handle, table)
    bad += unnumbered
    stored += len(table.unnumbered) - len(unnumbered)
    name = table.grid.name[:80]
    run.facts = facts_of(patients, resources)
    run.stored += stored
    run.results.append(SheetResult(name, table.kind, rows, stored, len(bad), table.header.unread))
    run.held += held_of(table, bad)


async def _store_unnumbered(handle: Handle, table: Table) -> list[Bad]:
    """Store the rows whose resident is recognised, when all others are in the record; gives those that are held."""
    bad: list[Bad] = []
    for start in range(0, len(table.unnumbered), _RECOGNISED):
        known, unknown = await recognise(handle, table, table.unnumbered[start : start + _RECOGNISED])
        bad += [*unknown, *await store_rows(handle, known, table.sender)]
    return bad


def held_of(table: Table, bad: Iterable[Bad]) -> list[HeldRow]:
    """Bad rows as they are kept."""
    name = table.grid.name[:80]
    return [HeldRow(name, one.row, one.column, table.label(one.column)[:80], one.reason) for one in sorted(bad, key=lambda one: one.row)]


async def ensure_organization(handle: Handle, table: Table) -> None:
    """The sender stands in the directory before its residents refer to it."""
    organization = table.organization()
    if await handle.read("Organization", organization["id"]) is None:
        try:
            await handle.commit([Write("update", "Organization", organization, id=organization["id"], if_match=0)])
        except Problem as problem:
            if not overtaken(problem):
                raise


async def _store(handle: Handle, group: Sequence[Good], sender: Sender, run: _Run) -> list[Bad]:
    """Store some rows in one commit; when it is refused, each by itself, so that one bad row hinders no other."""
    if not group:
        return []
    try:
        await _commit(handle, group, sender, run)
    except (Ambiguous, Problem) as error:
        if isinstance(error, Problem) and error.status in _PASSING:
            raise
        if len(group) == 1:
            return [Bad(group[0].row, 0, _reason(error))]
        return [bad for one in group for bad in await _store(handle, [one], sender, run)]
    return []


async def store_rows(handle: Handle, rows: Sequence[Good], sender: Sender) -> list[Bad]:
    """Store rows in small commits; gives those that were refused. No resident may stand in two rows of one commit."""
    run, refused = _Run(), list[Bad]()
    for group in _groups(rows):
        refused += await _store(handle, group, sender, run)
    return refused


def _groups(rows: Iterable[Good]) -> Iterator[list[Good]]:
    group: list[Good] = []
    keys: set[tuple[str, str]] = set()
    for row in rows:
        mine = telling(row.patient)
        if len(group) == _TOGETHER or keys & set(mine):
            yield group
            group, keys = [], set()
        group.append(row)
        keys.update(mine)
    if group:
        yield group


def _reason(error: Ambiguous | Problem) -> Reason:
    if isinstance(error, Ambiguous):
        return Reason(f"exchange.{error.why}", code="204")
    issue = error.issues[0]
    params = {"text": errors.text(issue, "zh"), "text_en": errors.text(issue, "en")}
    return Reason("exchange.refused-by-record", "", {name: f"{text} ({issue.expression})" if issue.expression else text for name, text in params.items()})


async def _commit(handle: Handle, group: Sequence[Good], sender: Sender, run: _Run) -> None:
    async with turn(key for one in group for key in telling(one.patient)):
        for attempt in range(_TRIES):
            registrations = [await prepare(handle, one.patient, sender.key, attempt, late=one.late) for one in group]
            if await row_order.find_late(handle, sender, group, registrations):
                registrations = [await prepare(handle, one.patient, sender.key, attempt, late=one.late) for one in group]
            writes = await _writes(handle, group, registrations, sender)
            arrivals = [arrival for one in registrations for arrival in one.arrivals]
            try:
                if writes:
                    await handle.commit(writes, beside=beside(arrivals))
                await row_order.note(handle, sender, group, [one.patient for one in registrations])
            except Problem as problem:
                if not overtaken(problem) or attempt == _TRIES - 1:
                    raise
                continue
            run.entries += len(writes)
            run.patient = run.patient or registrations[0].patient
            return


async def _writes(
    handle: Handle, group: Sequence[Good], registrations: Sequence[Registration], sender: Sender
) -> list[Write]:
    writes = {(write.type, write.id): write for one in registrations for write in one.writes}
    settled = [resource for row, one in zip(group, registrations, strict=True) for resource in row.settle(one.patient)]
    spared = {spot for row in group if row.late for spot in row.lasting()}
    told = await coder_of(handle.database).code(handle, sender.key, settled)
    resources = {(resource["resourceType"], resource["id"]): resource for resource in told}
    held = await current(handle, resources)
    for spot, resource in resources.items():
        known = held.get(spot)
        if known is not None and (spot in spared or same(known, resource)):
            continue
        source = {"source": f"{SENDER_SYSTEM}:{sender.urn.rsplit(':', 1)[-1]}"}
        version = int(known["meta"]["versionId"]) if known else 0
        writes[spot] = Write("update", spot[0], {**resource, "meta": source}, id=spot[1], if_match=version)
    return list(writes.values())


def same(known: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether the record would not change but for its meta."""
    return {key: value for key, value in known.items() if key != "meta"} == {key: value for key, value in news.items() if key != "meta"}
