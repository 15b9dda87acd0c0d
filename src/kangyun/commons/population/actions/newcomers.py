"""Patients whom nobody has placed yet, as an import leaves them: out for the batch, and under their Persons by the hundred."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

from kangyun.base import clock
from kangyun.base.database import queries
from kangyun.commons.access import Handle, Stored, Transaction, Write
from kangyun.commons.population.actions import crowds
from kangyun.commons.population.actions.batch import Record, Standing
from kangyun.commons.population.actions.membership import person_id
from kangyun.commons.population.decisions import golden
from kangyun.commons.population.decisions.kept import kept
from kangyun.commons.population.decisions.matching import encode
from kangyun.commons.population.decisions.traits import keys_of, locks_of, source_of, traits
from kangyun.commons.population.model import ALIKE, BY_NUMBER, Member
from kangyun.commons.population.queries.placed import members, resident_key
from kangyun.commons.population.queries.placed import sql as identity

sql = queries("kangyun.commons.population", "actions/batch_store.sql")

_PAGE = "500"


async def newcomers(handle: Handle) -> AsyncIterator[list[Standing]]:
    """Those whom nobody has placed, page by page, for `Batch.admit`."""
    following: str | Sequence[tuple[str, str]] | None = [("_count", _PAGE), ("_total", "none")]
    if not await _are_any(handle):
        return
    while following:
        page = await handle.search("Patient", following)
        ids = {resident_key(one["id"]): one["id"] for one in page.resources}
        async with handle.connection() as connection:
            placed = {row["patient"] for row in await connection.fetch(sql.placed, list(ids))}
        new = [_standing(one) for one in page.resources if one["id"] not in placed]
        if new:
            yield new
        following = page.next


async def _are_any(handle: Handle) -> bool:
    """Whether there are more Patients than placed ones: a region that is settled is not read through."""
    counted = await handle.search("Patient", [("_summary", "count")])
    async with handle.connection() as connection:
        return counted.total is None or counted.total > await connection.fetchval(sql.number)


def _standing(patient: dict[str, Any]) -> Standing:
    found = traits(patient)
    return Standing(Record(resident_key(patient["id"]), encode(found.features), keys_of(found)), patient["id"], person_id(patient["id"]), placed=False)


async def settle(transaction: Transaction, groups: Sequence[Sequence[str]]) -> list[Write]:
    """Put each group of Patients under one Person; the writes of the Persons.

    Groups of which somebody was placed meanwhile, or deleted, are left to whoever does that. Call it in `Handle.commit`.
    """
    ids = [one for group in groups for one in group]
    stored = await transaction.fetch_all([(type_, id_) for one in ids for type_, id_ in (("Patient", one), ("Person", person_id(one)))])
    there = {id_: one for (type_, id_), one in stored.items() if type_ == "Patient" and not one.deleted}
    found = {id_: _member(id_, one) for id_, one in there.items()}
    await transaction.connection.execute(crowds.sql.wait, [lock for one in found.values() for lock in locks_of(one.traits)])
    placed = await members(transaction.connection, ids)
    writes: list[Write] = []
    rows: list[tuple[Any, ...]] = []
    for group in groups:
        if all(one in found and one not in placed for one in group):
            computed = person_id(group[0])
            person = str(uuid4()) if ("Person", computed) in stored else computed
            those = [found[one] for one in group]
            content = golden.person(None, those, [(one.source, there[one.patient].resource) for one in those])
            writes.append(Write("update", "Person", {**content, "id": person}, id=person, if_match=0))
            rows += [_row(one, person) for one in those]
    await transaction.connection.executemany(identity.put, rows)
    return writes


def _member(id_: str, stored: Stored) -> Member:
    found = traits(stored.resource)
    return Member(id_, "", source_of(stored.resource), BY_NUMBER if found.ids else ALIKE, stored.version, found)


def _row(one: Member, person: str) -> tuple[Any, ...]:
    told = one.traits
    return (
        resident_key(one.patient), one.patient, person, one.source, one.assurance, one.version, sorted(told.numbers), [],
        keys_of(told), kept(one.patient, told), clock.now(),
    )
