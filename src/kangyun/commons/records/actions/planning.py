"""What each write of a commit is about: conditions searched, ids given, impossible combinations refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from kangyun.base import clock
from kangyun.base.database import Connection, plan_by_values
from kangyun.base.errors import Problem, refuse
from kangyun.commons.records.actions import entries
from kangyun.commons.records.model import ANY_VERSION, Stored, Write, hash64, key_of, new_id
from kangyun.commons.records.queries import reading, search
from kangyun.commons.records.queries.reading import sql

Gone = set[tuple[str, str]]


@dataclass(slots=True)
class Plan:
    """A write under way: `known` is a resource that was there already and satisfies a conditional create."""

    write: Write
    place: str | None
    id: str
    resource: dict[str, Any] | None
    known: Stored | None = None
    nothing: bool = False

    @property
    def name(self) -> str:
        """Type/id."""
        return f"{self.write.type}/{self.id}"


async def plan_all(
    connection: Connection, writes: Sequence[Write], places: Sequence[str] | None, seen: search.Restriction
) -> list[Plan]:
    """Plan all writes in their order; a condition does not see what an earlier write deletes.

    Raises Problem 412 for conditions, 400 for what makes no sense, each naming its place in the Bundle.
    """
    conditions = [f"{w.type}?{w.condition}" for w in writes if w.condition is not None]
    if conditions:
        await connection.fetch(sql.lock, sorted({hash64(c) for c in conditions}))
    plans: list[Plan] = []
    gone: Gone = set()
    for number, write in enumerate(writes):
        place = places[number] if places else None
        try:
            plan = await _plan(connection, write, (place, seen), gone)
        except Problem as problem:
            raise entries.moved(problem, write.type, place) from problem
        if write.method == "delete":
            gone.add((write.type, plan.id))
        plans.append(plan)
    refuse_doubles(plans)
    return plans


async def _plan(connection: Connection, write: Write, of: tuple[str | None, search.Restriction], gone: Gone) -> Plan:
    place, seen = of
    match = await the_match(connection, write, gone, seen) if write.condition is not None else None
    if write.method == "create":
        if match:
            return Plan(write, place, match.id, None, known=match)
        return Plan(write, place, new_id(), dict(write.resource or {}))
    if write.method == "delete":
        id_ = match.id if match else write.id
        plan = Plan(write, place, entries.check_id(id_) if id_ else "", None, nothing=id_ is None)
    else:
        plan = _plan_update(write, place, match)
    if write.if_match == ANY_VERSION:
        await _pin(connection, plan)
    return plan


def _plan_update(write: Write, place: str | None, match: Stored | None) -> Plan:
    resource = dict(write.resource or {})
    own = resource.get("id")
    id_ = write.id if write.condition is None else (match.id if match else own or new_id())
    if write.condition is not None and match and own and own != match.id:
        raise refuse(400, "invalid", "records.id-mismatch", f"{write.type}.id")
    resource["id"] = id_
    return Plan(write, place, entries.check_id(str(id_), f"{write.type}.id"), resource)


async def _pin(connection: Connection, plan: Plan) -> None:
    """If-Match: * becomes the version that is there; the lock keeps it until we have written."""
    type_ = plan.write.type
    await connection.fetch(sql.lock, [key_of(type_, plan.id)])
    current = await reading.read(connection, type_, plan.id)
    if current is None or current.deleted:
        raise refuse(412, "conflict", "records.nothing-there")
    plan.write = replace(plan.write, if_match=current.version)


async def the_match(connection: Connection, write: Write, gone: Gone, seen: search.Restriction) -> Stored | None:
    """The one resource that answers the condition, or None; raises Problem 412 for several or an empty condition."""
    found = await matches(connection, write.type, write.condition or "", gone, seen)
    if len(found) > 1:
        raise refuse(412, "multiple-matches", "records.condition-many")
    return found[0] if found else None


async def matches(
    connection: Connection, type_: str, condition: str, gone: Gone, seen: search.Restriction
) -> list[Stored]:
    """Up to two resources that answer a condition, that the caller may see, and that are not being deleted."""
    pairs = parse_qsl(condition.lstrip("?"), keep_blank_values=True)
    page = [("_count", str(2 + len(gone))), ("_total", "none")]
    query = search.parse(type_, [*pairs, *page], strict=True, now=clock.now())
    if not query.conditions:
        raise refuse(412, "required", "records.condition-empty")
    await plan_by_values(connection)
    rows = (await search.run(connection, query.restrict(seen))).rows
    return [row for row in rows if (row.type, row.id) not in gone][:2]


def refuse_doubles(plans: Sequence[Plan]) -> None:
    """Raise Problem 400 when two writes mean one resource, whether they say so by id, by condition or by fullUrl."""
    seen: set[str] = set()
    for plan in plans:
        if plan.nothing:
            continue
        write = plan.write
        new = write.condition is not None and not plan.known and write.method == "create"
        names = {f"{write.type}?{write.condition}" if new else "", "" if plan.known else plan.name, write.full_url or ""}
        for name in names - {""}:
            if name in seen:
                problem = refuse(400, "duplicate", "records.bundle-twice")
                raise entries.moved(problem, write.type, plan.place)
            seen.add(name)
