"""Placing: every Patient of every source comes to stand under the Person it belongs to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from kangyun.commons.access import Transaction, Write
from kangyun.commons.population.actions.membership import Membership, crossed, larger
from kangyun.commons.population.decisions import placing
from kangyun.commons.population.decisions.placing import Known
from kangyun.commons.population.decisions.traits import keys_of, traits
from kangyun.commons.population.model import ALIKE, Arrival, Member, Traits
from kangyun.commons.population.queries.placed import around, judged, members, own, sql

_SAME = {"replaces", "replaced-by", "seealso", "refer"}

Beside = Callable[[Transaction], Awaitable[Sequence[Write]]]


def beside(arrivals: Sequence[Arrival]) -> Beside | None:
    """What the commit that writes these Patients does beside it, for `Handle.commit(..., beside=...)`."""
    if not arrivals:
        return None

    async def run(transaction: Transaction) -> Sequence[Write]:
        return await place(transaction, arrivals)

    return run


async def place(transaction: Transaction, arrivals: Sequence[Arrival]) -> list[Write]:
    """Put Patients under their Persons, inside the transaction that writes (or has written) them.

    Gives the writes of the Persons, to be committed in the same transaction. Two that bring the same new resident at
    one moment wait for each other's commit, in any number of processes. A Patient whose version was placed before is
    passed over. Raises Problem 409 when somebody else came first: read again, try again.
    """
    found = [traits(one.patient) for one in arrivals]
    keys = [key for one in found for key in keys_of(one)]
    numbers = [number for one in found for number in one.numbers]
    await transaction.connection.execute(sql.lock, [*keys, *numbers])
    await _refuse_doubles(transaction, arrivals, found)
    known = await members(transaction.connection, [one.id for one in arrivals])
    membership = Membership(transaction, arrivals)
    for arrival, mine in zip(arrivals, found, strict=True):
        before = known.get(arrival.id)
        if before and before.version >= arrival.version:
            continue
        if len(arrivals) > 1:
            # The one before it may have joined its person with another.
            before = (await members(transaction.connection, [arrival.id])).get(arrival.id)
        person, assurance = (before.person, before.assurance) if before else ("", ALIKE)
        me = Member(arrival.id, person, arrival.source, assurance, arrival.version, mine)
        await _place_one(transaction, membership, me, arrival, unchanged=before is not None and before.traits == mine)
    return await membership.writes()


async def forget(transaction: Transaction, patient: str) -> list[Write]:
    """Take a deleted Patient out of its Person; the writes that follow."""
    placed = (await members(transaction.connection, [patient])).get(patient)
    if placed is None:
        return []
    membership = Membership(transaction)
    await membership.leave(patient, placed.person)
    return await membership.writes()


async def _refuse_doubles(transaction: Transaction, arrivals: Sequence[Arrival], found: Sequence[Traits]) -> None:
    """A sender has one Patient for each of its numbers; whoever computed another one has read too early."""
    ids = {one.id for one in arrivals}
    for one, mine in zip(arrivals, found, strict=True):
        if one.exclusive and set(await own(transaction.connection, one.source, list(mine.numbers))) - ids:
            raise crossed()


async def _place_one(
    transaction: Transaction, membership: Membership, me: Member, arrival: Arrival, *, unchanged: bool
) -> None:
    told = _told(arrival.patient)
    if unchanged and not told:
        await membership.enter(me, me.person)
        return
    connection = transaction.connection
    groups = await around(connection, me.traits, [me.patient, *told])
    others = {person: [one for one in group if one.patient != me.patient] for person, group in groups.items()}
    near = [one.patient for group in others.values() for one in group]
    decided = await judged(connection, [me.patient, *near]) if near else Known({})
    known = Known(others, decided.apart, decided.together, frozenset(told))
    await _apply(membership, me, placing.place(me, known), groups)


async def _apply(
    membership: Membership, me: Member, found: placing.Placement, groups: Mapping[str, Sequence[Member]]
) -> None:
    base = found.person or await membership.new_person(me.patient)
    target = larger(groups, [base, *found.joined])
    me = Member(me.patient, me.person, me.source, found.assurance, me.version, me.traits)
    await membership.enter(me, base)
    await membership.join([base, *found.joined], target)
    moved = [one for group in groups.values() for one in group if one.patient in found.moved]
    if moved:
        await membership.move(moved, target, None)
    if me.person:
        await membership.withdraw(me.patient)
    await membership.propose(found.proposals)


def _told(patient: Mapping[str, Any]) -> list[str]:
    """The Patients that the source itself calls the same person."""
    references = (str(one.get("other", {}).get("reference", "")) for one in patient.get("link", []) if one.get("type") in _SAME)
    return [one.removeprefix("Patient/") for one in references if one.startswith("Patient/")]
