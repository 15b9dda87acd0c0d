"""Writing any number of resources at once, atomically (FHIR R4, RESTful API 3.1.0.5 to 3.1.0.9).

The order is fixed: conditions are locked and searched, ids are given, references between the new resources and
conditional references are resolved, everything is validated and indexed, and one statement writes it all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.commons.records.actions import entries
from kangyun.commons.records.actions.planning import Plan, matches, plan_all
from kangyun.commons.records.actions.references import Links, conditional_references, resolve
from kangyun.commons.records.model import Stored, Write, Written, new_id
from kangyun.commons.records.queries import search
from kangyun.commons.records.queries.reading import sql

MOST_FAULTS = 1000

_BREATH = 32


async def write(
    connection: Connection, writes: Sequence[Write], places: Sequence[str] | None = None, seen: search.Restriction = search.EVERYTHING
) -> list[Written]:
    """Do all writes or none, inside the caller's transaction; `places` name them in faults, such as `Bundle.entry[3]`.

    Conditions and conditional references find only what `seen` lets the caller see.

    Raises Problem: 412 for conditions and versions, 422 for invalid content, 400 for a request that makes no sense.
    """
    plans = await plan_all(connection, writes, places, seen)
    await _resolve_references(connection, plans, seen)
    return await _commit(connection, plans)


def fresh(write: Write) -> bool:
    """Whether this is a plain create, which nothing that is already stored can touch."""
    return write.method == "create" and write.condition is None


def prepare(write: Write, updated: datetime, place: str | None = None) -> tuple[entries.Entry, Written]:
    """Validate and index one plain create."""
    resource = write.resource or {}
    entries.check(resource, place)
    id_ = new_id()
    row = entries.entry({k: v for k, v in resource.items() if k != "id"}, id_, updated, None)
    return row, created((write.type, id_), updated, row)


def created(name: tuple[str, str], updated: datetime, row: entries.Entry) -> Written:
    """What came of a row that was new; `name` is type and id."""
    return _written(name, 1, updated, 201, row)


async def _resolve_references(connection: Connection, plans: Sequence[Plan], seen: search.Restriction) -> None:
    names = {plan.write.full_url: plan.name for plan in plans if plan.write.full_url}
    for plan in plans:
        for text in conditional_references(plan.resource):
            if text not in names:
                names[text] = await _resolve_condition(connection, plan, text, seen)
    if names:
        links = Links(names)
        for plan in plans:
            if plan.resource:
                plan.resource = resolve(plan.resource, links.seen_from(plan.write.full_url))


async def _resolve_condition(connection: Connection, plan: Plan, text: str, seen: search.Restriction) -> str:
    type_, _, condition = text.partition("?")
    try:
        found = await matches(connection, type_, condition, set(), seen)
        if len(found) != 1:
            raise refuse(412, "not-found" if not found else "multiple-matches",
                         "records.reference-many" if found else "records.reference-none", plan.write.type)
    except Problem as problem:
        raise entries.moved(problem, plan.write.type, plan.place) from problem
    return f"{type_}/{found[0].id}"


async def _commit(connection: Connection, plans: Sequence[Plan]) -> list[Written]:
    updated = clock.now()
    await _check(plans)
    rows = await _rows(plans, updated)
    if rows and all(plans[n].write.method == "create" for n in rows):
        await connection.execute(sql.create, list(rows.values()))
        done = dict.fromkeys(rows, (1, False))
    else:
        done = await _change(connection, rows, plans)
    return [_outcome(plan, updated, rows.get(n), done.get(n)) for n, plan in enumerate(plans)]


async def _check(plans: Sequence[Plan]) -> None:
    """Validate all, so that one refusal names every fault."""
    faults: list[Issue] = []
    for number, plan in enumerate(plans):
        if plan.resource is not None:
            faults.extend(entries.errors(plan.resource, plan.place))
        await _breathe(number)
    if faults:
        raise Problem(422, *faults[:MOST_FAULTS])


async def _rows(plans: Sequence[Plan], updated: datetime) -> dict[int, entries.Entry]:
    rows: dict[int, entries.Entry] = {}
    for number, plan in enumerate(plans):
        if not plan.known and not plan.nothing:
            rows[number] = _row(plan, updated)
        await _breathe(number)
    return rows


async def _breathe(number: int) -> None:
    """Let other requests pass in between: ten thousand resources take seconds."""
    if number % _BREATH == _BREATH - 1:
        await asyncio.sleep(0)


def _row(plan: Plan, updated: datetime) -> entries.Entry:
    if plan.resource is None:
        return entries.removal(plan.write.type, plan.id, updated, plan.write.if_match)
    return entries.entry(plan.resource, plan.id, updated, plan.write.if_match)


async def _change(
    connection: Connection, rows: dict[int, entries.Entry], plans: Sequence[Plan]
) -> dict[int, tuple[int, bool]]:
    numbers = list(rows)
    try:
        found = await connection.fetch(sql.commit, list(rows.values()))
    except asyncpg.PostgresError as error:
        if error.sqlstate != "KY412":
            raise
        plan = plans[numbers[int(error.detail or 1) - 1]]
        key = "records.already-exists" if plan.write.if_match == 0 else "records.version-conflict"
        raise entries.moved(refuse(412, "conflict", key), plan.write.type, plan.place) from error
    return {numbers[row["ordinal"] - 1]: (row["version"], row["existed"]) for row in found}


def _outcome(
    plan: Plan, updated: datetime, row: entries.Entry | None, done: tuple[int, bool] | None
) -> Written:
    if plan.known:
        k = plan.known
        return Written(k.type, k.id, k.version, k.updated, 200, k)
    if plan.write.method == "delete":
        version = done[0] if done else 0
        return Written(plan.write.type, plan.id, version, updated, 204)
    version, existed = done or (1, False)
    return _written((plan.write.type, plan.id), version, updated, 200 if existed else 201, row or ())


def _written(name: tuple[str, str], version: int, updated: datetime, status: int, row: entries.Entry) -> Written:
    type_, id_ = name
    meta, body = row[7], row[8]
    return Written(type_, id_, version, updated, status, Stored(type_, id_, version, updated, False, meta, body, row[2]))
