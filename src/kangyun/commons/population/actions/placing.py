"""Placing: every Patient of every source comes to stand under the Person it belongs to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.base.database import Connection
from kangyun.commons.access import Transaction, Write
from kangyun.commons.population.actions.membership import Membership, Rows, crossed, larger, person_id
from kangyun.commons.population.decisions import placing
from kangyun.commons.population.decisions.placing import Known
from kangyun.commons.population.decisions.traits import keys_of, traits
from kangyun.commons.population.model import ALIKE, Arrival, Member, Traits
from kangyun.commons.population.queries.placed import Around, Asked, around, around_each, members

_SAME = {"replaces", "replaced-by", "seealso", "refer"}

Beside = Callable[[Transaction], Awaitable[Sequence[Write]]]

# Which version of a Patient this process has placed and committed, so that the reaction to it need not ask.
_placed: OrderedDict[str, int] = OrderedDict()
_MOST_REMEMBERED = 20_000


def beside(arrivals: Sequence[Arrival]) -> Beside | None:
    """What the commit that writes these Patients does beside it, for `Handle.commit(..., beside=...)`."""
    if not arrivals:
        return None

    async def run(transaction: Transaction) -> Sequence[Write]:
        return await place(transaction, arrivals)

    return run


def committed(arrivals: Sequence[Arrival]) -> None:
    """Remember what was placed, once its commit has succeeded."""
    for one in arrivals:
        _placed.pop(one.id, None)
        _placed[one.id] = one.version
    while len(_placed) > _MOST_REMEMBERED:
        _placed.popitem(last=False)


def was_placed(patient: str, version: int) -> bool:
    """Whether this process has placed this version of a Patient, or a later one; otherwise the table knows."""
    return _placed.get(patient, 0) >= version


async def place(transaction: Transaction, arrivals: Sequence[Arrival]) -> list[Write]:
    """Put Patients under their Persons, inside the transaction that writes (or has written) them.

    Gives the writes of the Persons, to be committed in the same transaction. Two that bring the same new resident at
    one moment wait for each other's commit, in any number of processes. A Patient whose version was placed before is
    passed over. Raises Problem 409 when somebody else came first: read again, try again.
    """
    return (await place_each([(transaction, arrivals)]))[0]


async def place_each(parties: Sequence[tuple[Transaction, Sequence[Arrival]]]) -> list[list[Write]]:
    """As `place`, for several callers of one transaction: the writes of each.

    Those of two may mean one Person, where both bring the same new resident; then they cannot be committed together.
    """
    if not any(arrivals for _, arrivals in parties):
        return [[] for _ in parties]
    rows = Rows(parties[0][0].connection)
    memberships = [Membership(transaction, arrivals, rows) for transaction, arrivals in parties]
    steps = [_step(membership, arrival) for membership, (_, arrivals) in zip(memberships, parties, strict=True) for arrival in arrivals]
    await _place_all(parties[0][0].connection, steps, rows)
    await rows.flush()
    return [await membership.writes() for membership in memberships]


async def forget(transaction: Transaction, patient: str) -> list[Write]:
    """Take a deleted Patient out of its Person; the writes that follow."""
    placed = (await members(transaction.connection, [patient])).get(patient)
    if placed is None:
        return []
    membership = Membership(transaction)
    await membership.leave(patient, placed.person)
    return await membership.writes()


@dataclass(frozen=True, slots=True)
class _Step:
    """One Patient on its way: what is compared of it, and by what it is found or finds others."""

    membership: Membership
    arrival: Arrival
    asked: Asked
    told: Sequence[str]
    marks: frozenset[int | str]


def _step(membership: Membership, arrival: Arrival) -> _Step:
    mine, told = traits(arrival.patient), _told(arrival.patient)
    patients = [arrival.id, *told]
    asked = Asked(mine, patients, person_id(arrival.id))
    return _Step(membership, arrival, asked, told, frozenset([*keys_of(mine), *mine.numbers, *patients]))


async def _place_all(connection: Connection, steps: Sequence[_Step], rows: Rows) -> None:
    """One question for all; who may have to do with one that was placed before it asks again and sees what was done."""
    # The locks all at once, before anything is read; two who take them in another order would block each other.
    locks = [number for step in steps for number in (*keys_of(step.asked.me), *step.asked.me.numbers)]
    nears = await around_each(connection, [step.asked for step in steps], locks)
    met, touched = set[int | str](), set[str]()
    for step, known in zip(steps, nears, strict=True):
        near = known
        if not (met.isdisjoint(step.marks) and touched.isdisjoint(known.groups)):
            await rows.flush()
            near = await around(connection, step.asked.me, step.asked.patients, person=step.asked.person)
        met |= step.marks
        touched |= {step.asked.person, *near.groups}
        await _place_one(step, near)


async def _place_one(step: _Step, near: Around) -> None:
    membership, arrival, told, mine, computed = step.membership, step.arrival, step.told, step.asked.me, step.asked.person
    groups = near.groups
    everybody = [one for group in groups.values() for one in group]
    _refuse_doubles(membership, arrival, mine, everybody)
    before = next((one for one in everybody if one.patient == arrival.id), None)
    if before and before.version >= arrival.version:
        return
    membership.knows({computed: [], **groups})
    person, assurance = (before.person, before.assurance) if before else ("", ALIKE)
    me = Member(arrival.id, person, arrival.source, assurance, arrival.version, mine)
    if before is not None and before.traits == mine and not told:
        await membership.enter(me, person)
        return
    if not _is_near(groups.get(computed, []), mine, [arrival.id, *told]):
        groups.pop(computed, None)
    await _find(membership, me, near, told)


def _refuse_doubles(membership: Membership, arrival: Arrival, mine: Traits, found: Sequence[Member]) -> None:
    """A sender has one Patient for each of its numbers; whoever computed another one has read too early."""
    if arrival.exclusive and any(
        one.source == arrival.source and one.traits.numbers & mine.numbers and one.patient not in membership.arriving
        for one in found
    ):
        raise crossed()


def _is_near(members: Sequence[Member], mine: Traits, patients: Sequence[str]) -> bool:
    """Whether a group was found by likeness and not only because its id was asked for."""
    keys = set(keys_of(mine))
    return any(one.patient in patients or one.traits.numbers & mine.numbers or keys & set(keys_of(one.traits)) for one in members)


async def _find(membership: Membership, me: Member, near: Around, told: Sequence[str]) -> None:
    others = {person: [one for one in group if one.patient != me.patient] for person, group in near.groups.items()}
    known = Known(others, near.apart, near.together, frozenset(told))
    await _apply(membership, me, placing.place(me, known), near.groups)


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
