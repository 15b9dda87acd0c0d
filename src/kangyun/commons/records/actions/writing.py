"""Writing any number of resources at once, atomically (FHIR R4, RESTful API 3.1.0.5 to 3.1.0.9).

The order is fixed: conditions are locked and searched, ids are given, references between the new resources and
conditional references are resolved, everything is validated and indexed, and one statement writes it all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import asyncpg

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.commons.records.actions import entries
from kangyun.commons.records.actions.references import conditional_references, resolve
from kangyun.commons.records.model import ANY_VERSION, Stored, Write, Written, hash64, key_of, new_id
from kangyun.commons.records.queries import reading, search
from kangyun.commons.records.queries.reading import sql


@dataclass(slots=True)
class _Plan:
    """A write under way: `known` is a resource that was there already and satisfies a conditional create."""

    write: Write
    id: str
    resource: dict[str, Any] | None
    known: Stored | None = None
    nothing: bool = False


async def write(connection: Connection, writes: Sequence[Write], places: Sequence[str] | None = None) -> list[Written]:
    """Do all writes or none, inside the caller's transaction; `places` name the entries in faults.

    Raises Problem: 412 for conditions and versions, 422 for invalid content, 400 for a request that makes no sense.
    """
    conditions = [_condition(w) for w in writes if w.search is not None]
    if conditions:
        await connection.fetch(sql.lock, sorted({hash64(c) for c in conditions}))
    plans = [await _plan(connection, w) for w in writes]
    for plan in plans:
        if plan.write.if_match == ANY_VERSION:
            await _pin(connection, plan)
    _refuse_doubles(plans)
    await _resolve_references(connection, plans)
    return await _commit(connection, plans, places)


def fresh(write: Write) -> bool:
    """Whether this is a plain create, which nothing that is already stored can touch."""
    return write.method == "create" and write.search is None


def prepare(write: Write, updated: datetime) -> tuple[entries.Entry, Written]:
    """Validate and index one plain create."""
    resource = write.resource or {}
    entries.check([resource])
    id_ = new_id()
    row = entries.entry({k: v for k, v in resource.items() if k != "id"}, id_, updated, None)
    return row, _written((write.type, id_), 1, updated, 201, row)


async def _plan(connection: Connection, write: Write) -> _Plan:
    found = await _matches(connection, write) if write.search is not None else []
    if len(found) > 1:
        raise refuse(412, "multiple-matches", "records.condition-many")
    match = found[0] if found else None
    if write.method == "create":
        if match:
            return _Plan(write, match.id, None, known=match)
        return _Plan(write, new_id(), dict(write.resource or {}))
    if write.method == "delete":
        id_ = match.id if match else write.id
        return _Plan(write, entries.check_id(id_) if id_ else "", None, nothing=id_ is None)
    return _plan_update(write, match)


def _plan_update(write: Write, match: Stored | None) -> _Plan:
    resource = dict(write.resource or {})
    own = resource.get("id")
    id_ = write.id if write.search is None else (match.id if match else own or new_id())
    if write.search is not None and match and own and own != match.id:
        raise refuse(400, "invalid", "records.id-mismatch")
    resource["id"] = id_
    return _Plan(write, entries.check_id(str(id_)), resource)


async def _pin(connection: Connection, plan: _Plan) -> None:
    """If-Match: * becomes the version that is there; the lock keeps it until we have written."""
    type_ = plan.write.type
    await connection.fetch(sql.lock, [key_of(type_, plan.id)])
    current = await reading.read(connection, type_, plan.id)
    if current is None or current.deleted:
        raise refuse(412, "conflict", "records.nothing-there")
    plan.write = replace(plan.write, if_match=current.version)


def _condition(write: Write) -> str:
    if not (write.search or "").strip("?& "):
        raise refuse(412, "required", "records.condition-empty")
    return f"{write.type}?{write.search}"


async def _matches(connection: Connection, write: Write) -> list[Stored]:
    pairs = parse_qsl((write.search or "").lstrip("?"), keep_blank_values=True)
    query = search.parse(write.type, [*pairs, ("_count", "2"), ("_total", "none")], strict=True, now=clock.now())
    return list((await search.run(connection, query)).rows)


def _refuse_doubles(plans: Sequence[_Plan]) -> None:
    seen: set[tuple[str, str]] = set()
    for plan in plans:
        if plan.known or plan.nothing:
            continue
        if (plan.write.type, plan.id) in seen:
            raise refuse(400, "duplicate", "records.bundle-twice")
        seen.add((plan.write.type, plan.id))


async def _resolve_references(connection: Connection, plans: Sequence[_Plan]) -> None:
    names: dict[str, str] = {}
    for plan in plans:
        if plan.write.full_url:
            names[plan.write.full_url] = f"{plan.write.type}/{plan.id}"
    for text in {t for plan in plans if plan.resource for t in conditional_references(plan.resource)}:
        names[text] = await _resolve_condition(connection, text)
    if names:
        for plan in plans:
            if plan.resource:
                plan.resource = resolve(plan.resource, names)


async def _resolve_condition(connection: Connection, text: str) -> str:
    type_, _, condition = text.partition("?")
    found = await _matches(connection, Write("create", type_, condition=condition))
    if len(found) != 1:
        raise refuse(412, "not-found" if not found else "multiple-matches",
                     "records.reference-many" if found else "records.reference-none")
    return f"{type_}/{found[0].id}"


async def _commit(connection: Connection, plans: Sequence[_Plan], places: Sequence[str] | None) -> list[Written]:
    updated = clock.now()
    live = [(number, plan) for number, plan in enumerate(plans) if plan.resource is not None]
    entries.check([plan.resource or {} for _, plan in live], [places[n] for n, _ in live] if places else None)
    rows: dict[int, entries.Entry] = {n: _row(plan, updated) for n, plan in enumerate(plans)
                                      if not plan.known and not plan.nothing}
    if rows and all(plans[n].write.method == "create" for n in rows):
        await connection.execute(sql.create, list(rows.values()))
        done = dict.fromkeys(rows, (1, False))
    else:
        done = await _change(connection, rows, plans)
    return [_outcome(plan, updated, rows.get(n), done.get(n)) for n, plan in enumerate(plans)]


def _row(plan: _Plan, updated: datetime) -> entries.Entry:
    if plan.resource is None:
        return entries.removal(plan.write.type, plan.id, updated, plan.write.if_match)
    return entries.entry(plan.resource, plan.id, updated, plan.write.if_match)


async def _change(
    connection: Connection, rows: dict[int, entries.Entry], plans: Sequence[_Plan]
) -> dict[int, tuple[int, bool]]:
    numbers = list(rows)
    try:
        found = await connection.fetch(sql.commit, list(rows.values()))
    except asyncpg.PostgresError as error:
        if error.sqlstate != "KY412":
            raise
        expected = plans[numbers[int(error.detail or 1) - 1]].write.if_match
        key = "records.already-exists" if expected == 0 else "records.version-conflict"
        raise refuse(412, "conflict", key) from error
    return {numbers[row["ordinal"] - 1]: (row["version"], row["existed"]) for row in found}


def _outcome(
    plan: _Plan, updated: datetime, row: entries.Entry | None, done: tuple[int, bool] | None
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
    return Written(type_, id_, version, updated, status, Stored(type_, id_, version, updated, False, meta, body))
