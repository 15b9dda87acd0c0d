"""Patients whom nobody has placed yet, as an import leaves them: out for the batch, and under their Persons by the hundred.

What is compared of them is made out once: what the batch reads of a newcomer is what is put down of it when it is placed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any
from uuid import uuid4

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.commons.access import Handle, Stored, Transaction
from kangyun.commons.population.actions import crowds
from kangyun.commons.population.actions.membership import person_id
from kangyun.commons.population.decisions import golden
from kangyun.commons.population.decisions.kept import sealed
from kangyun.commons.population.decisions.matching import encode
from kangyun.commons.population.decisions.traits import keys_made, locks_of, source_of, traits
from kangyun.commons.population.model import Newcomer
from kangyun.commons.population.queries.placed import array_of, resident_key

sql = queries("kangyun.commons.population", "actions/batch_store.sql")

# The audit trail names so many resources of a page at most.
_PAGE = "1000"


async def unplaced(handle: Handle) -> AsyncIterator[list[Stored]]:
    """Those whom nobody has placed, page by page, for `told`."""
    following: str | Sequence[tuple[str, str]] | None = [("_count", _PAGE), ("_total", "none")]
    if not await are_unplaced(handle):
        return
    while following:
        async with handle.transaction() as transaction:
            rows, following = await transaction.search_unread("Patient", following)
            placed = await _placed(transaction.connection, [one.resident for one in rows])
        new = [one for one in rows if one.id not in placed]
        if new:
            yield new


async def are_unplaced(handle: Handle, most: int = 0) -> bool:
    """Whether there are more Patients than placed ones, and `most`: a region that is settled is not read through."""
    counted = await handle.search("Patient", [("_summary", "count")])
    async with handle.connection() as connection:
        return counted.total is None or counted.total > most + await connection.fetchval(sql.number)


async def _placed(connection: Connection, residents: Sequence[int]) -> set[str]:
    await connection.execute(crowds.sql.by_index)
    return {row["patient"] for row in await connection.fetch(sql.placed, residents)}


def told(patients: Iterable[Stored]) -> list[Newcomer]:
    """What is compared of Patients."""
    return [_newcomer(one) for one in patients]


def _newcomer(stored: Stored) -> Newcomer:
    patient = stored.resource
    found = traits(patient)
    return Newcomer(
        resident_key(stored.id), stored.id, person_id(stored.id), stored.version, source_of(patient), " ".join(found.ids),
        sorted(found.numbers), locks_of(found), encode(found.features), keys_made(found),
    )


async def settle(transaction: Transaction, groups: Sequence[Sequence[Newcomer]]) -> list[dict[str, Any]]:
    """Put each group of Patients under one Person; the Persons, all of them new, to be written in the same transaction.

    Groups of which somebody was placed meanwhile, changed or deleted, are left to whoever does that.
    """
    everybody = [one for group in groups for one in group]
    await transaction.connection.execute(crowds.sql.wait, [lock for one in everybody for lock in one.locks])
    stored = await transaction.fetch_all([*(("Patient", one.patient) for one in everybody), *(("Person", group[0].person) for group in groups)])
    placed = await _placed(transaction.connection, [one.resident for one in everybody])
    persons: list[dict[str, Any]] = []
    rows: list[tuple[str, Newcomer]] = []
    for group in groups:
        there = [stored.get(("Patient", one.patient)) for one in group]
        if all(one.patient not in placed and _is_same(one, found) for one, found in zip(group, there, strict=True)):
            computed = group[0].person
            person = str(uuid4()) if ("Person", computed) in stored else computed
            content = golden.person(None, group, [(one.source, found.resource) for one, found in zip(group, there, strict=True) if found])
            persons.append({**content, "id": person})
            rows += [(person, one) for one in group]
    await _put(transaction.connection, rows)
    return persons


def _is_same(one: Newcomer, stored: Stored | None) -> bool:
    return stored is not None and not stored.deleted and stored.version == one.version


async def _put(connection: Connection, rows: Sequence[tuple[str, Newcomer]]) -> None:
    await connection.execute(
        sql.put, [one.resident for _, one in rows], [one.patient for _, one in rows], [person for person, _ in rows],
        [one.source for _, one in rows], [one.assurance for _, one in rows], [one.version for _, one in rows],
        [array_of(one.numbers) for _, one in rows], [array_of(one.keys) for _, one in rows],
        [sealed(one.patient, one.ids.split(), one.features) for _, one in rows], clock.now(),
    )
