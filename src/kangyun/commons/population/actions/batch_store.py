"""A batch over the store: everybody out, and what was found back in, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.base.errors import Problem
from kangyun.commons.access import Handle, Transaction, Write, Written
from kangyun.commons.population.actions import newcomers
from kangyun.commons.population.actions.batch import Decisions, Record, Standing
from kangyun.commons.population.actions.membership import Membership, larger
from kangyun.commons.population.actions.placing import Beside
from kangyun.commons.population.actions.residents import overtaken
from kangyun.commons.population.decisions.kept import opened
from kangyun.commons.population.decisions.matching import Evidence
from kangyun.commons.population.decisions.placing import Known, may_join
from kangyun.commons.population.model import Newcomer, Proposal
from kangyun.commons.population.queries.placed import judged, of_persons

sql = queries("kangyun.commons.population", "actions/batch_store.sql")

# Writes new resources with their ids, many at once; raises Problem 409 where one of them is there.
Create = Callable[[Connection, Sequence[dict[str, Any]]], Awaitable[Sequence[Written]]]

_TRIES = 8
_PAGE = 5000
_ACTIVITY = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


async def everybody(connection: Connection) -> AsyncIterator[list[Standing]]:
    """Everybody, page by page, for `Batch.admit`; opened in memory alone, never on a disk."""
    place = (-(2**63), "")
    while rows := await connection.fetch(sql.everybody, *place, _PAGE):
        yield [Standing(Record(row["resident"], opened(row["patient"], row["features"])[1], row["keys"]), row["patient"], row["person"]) for row in rows]
        place = rows[-1]["resident"], rows[-1]["patient"]


async def settle(handle: Handle, groups: Sequence[Sequence[Newcomer]], create: Create) -> None:
    """Put Patients whom nobody has placed under Persons, in one transaction."""
    for attempt in range(_TRIES):
        try:
            async with handle.transaction() as transaction:
                persons = await newcomers.settle(transaction, groups)
                transaction.wrote(await create(transaction.connection, persons))
        except Problem as problem:
            if not overtaken(problem) or attempt == _TRIES - 1:
                raise
        else:
            return


async def decisions(connection: Connection) -> Decisions:
    """What humans decided, as pairs of record numbers."""
    rows = await connection.fetch(sql.judged)
    together = [(row["resident"], row["other"]) for row in rows if row["state"] == "linked"]
    apart = [(row["resident"], row["other"]) for row in rows if row["state"] != "linked"]
    return Decisions(together, apart)


async def unite(handle: Handle, unions: Sequence[Sequence[str]]) -> int:
    """Make each list of Persons one, all in one transaction; returns how many lists still needed it.

    Persons that humans changed meanwhile are judged again: what contradicts stays apart.
    """
    done: list[int] = []

    async def beside(transaction: Transaction) -> Sequence[Write]:
        done.clear()
        membership = Membership(transaction)
        for persons in unions:
            done.append(int(await _unite(transaction, membership, persons)))  # noqa: PERF401 - one after the other
        writes = await membership.writes()
        return [*writes, *_provenance(writes)]

    await _commit(handle, beside)
    return sum(done)


async def _commit(handle: Handle, beside: Beside) -> None:
    for attempt in range(_TRIES):
        try:
            await handle.commit([], beside=beside)
        except Problem as problem:
            if not overtaken(problem) or attempt == _TRIES - 1:
                raise
        else:
            return


async def _unite(transaction: Transaction, membership: Membership, persons: Sequence[str]) -> bool:
    groups = await of_persons(transaction.connection, persons)
    if len(groups) < 2:
        return False
    answers = await judged(transaction.connection, [one.patient for group in groups.values() for one in group])
    target = larger(groups, list(groups))
    whole = list(groups[target])
    joined: list[str] = []
    for person, group in groups.items():
        if person != target and may_join(whole, group, Known({}, answers.apart, answers.together)):
            joined.append(person)
            whole += group
    await membership.join([target, *joined], target)
    return bool(joined)


async def ask(handle: Handle, doubts: Iterable[tuple[str, str, Evidence]]) -> None:
    """Put pairs into the review queue; pairs that a human answered are not asked again."""

    async def beside(transaction: Transaction) -> Sequence[Write]:
        await Membership(transaction).propose([Proposal(*doubt) for doubt in doubts])
        return []

    await _commit(handle, beside)


def _provenance(writes: Sequence[Write]) -> list[Write]:
    if not writes:
        return []
    return [Write("create", "Provenance", {
        "resourceType": "Provenance",
        "target": [{"reference": f"Person/{one.id}"} for one in writes],
        "recorded": clock.instant(clock.now()),
        "activity": {"coding": [{"system": _ACTIVITY, "code": "MERGE"}]},
        "agent": [{"who": {"display": "kangyun link"}}],
    })]
