"""What a human decides about persons: link, unlink, reject, merge, and take back. Each is versioned, nothing is lost.

Only Persons change; what is written under a Patient stays there. Every decision is remembered for each pair of
Patients that it concerned, so that no program proposes or does the contrary.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.commons.population.actions.membership import Membership, larger
from kangyun.commons.population.actions.residents import overtaken
from kangyun.commons.population.model import DECIDED, Member
from kangyun.commons.population.queries.persons import patients_of
from kangyun.commons.population.queries.placed import members, of_persons, pair

_ACTIVITY = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_TRIES = 8
_MOST_HOPS = 50

_BY_SENDER = "sender:"

Work = Callable[[Transaction, Membership], Awaitable[None]]


async def link(handle: Handle, one: str, other: str, by: str) -> None:
    """Decide that two Patients are one person: their Persons become one. Raises Problem 404 for a Patient without Person.

    `by` names who decided: a login name or a sender, never a resident.
    """

    async def work(transaction: Transaction, membership: Membership) -> None:
        placed = await _placed(transaction, one, other)
        await _unite(transaction, membership, [placed[one].person, placed[other].person], by)
        await membership.decide([one], [other], "linked", by)

    await _decide(handle, work, "MERGE", by)


async def relate(handle: Handle, kind: str, one: str, other: str, sender: str) -> None:
    """Do what a sender says of two Patients: `link` or `unlink`. It is bound by what a human has decided of them."""
    by = f"{_BY_SENDER}{sender}"
    async with handle.connection() as connection:
        known = await pair(connection, one, other)
    if one != other and (known is None or known.state == "open" or (known.decided_by or "").startswith(_BY_SENDER)):
        await (link if kind == "link" else reject)(handle, one, other, by)


async def merge(handle: Handle, person: str, into: str, by: str) -> None:
    """Decide that two Persons are one; the first leads to the second from now on. One that was merged leads on."""

    async def work(transaction: Transaction, membership: Membership) -> None:
        ends = [await _end(transaction, person), await _end(transaction, into)]
        await _unite(transaction, membership, ends, by, into=ends[1])

    await _decide(handle, work, "MERGE", by)


async def reject(handle: Handle, one: str, other: str, by: str) -> None:
    """Decide that two Patients are two people; those that are one Person are parted, the first leaves."""

    async def work(transaction: Transaction, membership: Membership) -> None:
        placed = await _placed(transaction, one, other)
        if placed[one].person == placed[other].person:
            await _part(transaction, membership, placed[one], by)
        await membership.decide([one], [other], "rejected", by)

    await _decide(handle, work, "UPDATE", by)


async def unlink(handle: Handle, patient: str, by: str) -> None:
    """Decide that a Patient is not the person it stands under: it gets a Person of its own."""

    async def work(transaction: Transaction, membership: Membership) -> None:
        await _part(transaction, membership, (await _placed(transaction, patient))[patient], by)

    await _decide(handle, work, "UPDATE", by)


async def unmerge(handle: Handle, person: str, by: str) -> None:
    """Take a merge back: the Person comes again above the Patients that it had, wherever later merges have led them.

    A Patient that somebody has since put elsewhere stays there. Raises Problem 409 when the Person is not merged.
    """

    async def work(transaction: Transaction, membership: Membership) -> None:
        current = await transaction.read("Person", person)
        if current is None or current.get("active", True):
            raise refuse(409, "conflict", "population.not-merged")
        end = await _end(transaction, person)
        had = set(await _before_merge(transaction, person))
        whole = (await of_persons(transaction.connection, [end])).get(end, [])
        back = [one for one in whole if one.patient in had]
        rest = [one.patient for one in whole if one.patient not in had]
        if not back or not rest:
            raise refuse(409, "conflict", "population.not-merged")
        membership.revive(person)
        await membership.move(back, person, None)
        await membership.decide([one.patient for one in back], rest, "undone", by)

    await _decide(handle, work, "UPDATE", by)


async def undo(handle: Handle, one: str, other: str, by: str) -> None:
    """Take back that two Patients were linked: the merge that made them one if there was one, else the first leaves."""
    async with handle.connection() as connection:
        placed = await members(connection, [one, other])
    if one not in placed or other not in placed or placed[one].person != placed[other].person:
        raise refuse(409, "conflict", "population.not-merged")
    merged = await _merge_of(handle, placed[one].person, one, other)
    await (unmerge(handle, merged, by) if merged else reject(handle, one, other, by))


async def _merge_of(handle: Handle, person: str, one: str, other: str) -> str | None:
    """The merged Person that had one of the two Patients and not the other, newest first."""
    page = await handle.search("Person", [("link", f"Person/{person}"), ("_sort", "-_lastUpdated")])
    for found in page.resources:
        async with handle.transaction() as transaction:
            had = await _before_merge(transaction, str(found["id"]))
        if (one in had) != (other in had):
            return str(found["id"])
    return None


async def _unite(
    transaction: Transaction, membership: Membership, persons: Sequence[str], by: str, into: str | None = None
) -> None:
    groups = await of_persons(transaction.connection, persons)
    if len(set(persons)) == 1:
        return
    target = into or larger(groups, persons)
    first, second = (groups.get(one, []) for one in persons)
    await membership.decide([one.patient for one in first], [one.patient for one in second], "linked", by)
    gone = [one for person in persons if person != target for one in groups.get(person, [])]
    await membership.move(gone, target, DECIDED)
    await membership.join(persons, target)


async def _part(transaction: Transaction, membership: Membership, me: Member, by: str) -> None:
    group = (await of_persons(transaction.connection, [me.person]))[me.person]
    rest = [one.patient for one in group if one.patient != me.patient]
    if not rest:
        raise refuse(409, "conflict", "population.stands-alone")
    person = await membership.new_person(me.patient)
    if person == me.person:
        raise refuse(409, "conflict", "base.crossed")
    await membership.move([me], person, DECIDED)
    await membership.decide([me.patient], rest, "undone", by)


async def _placed(transaction: Transaction, *patients: str) -> dict[str, Member]:
    found = await members(transaction.connection, patients)
    if len(found) < len(set(patients)):
        raise refuse(404, "not-found", "population.not-placed")
    return found


async def _end(transaction: Transaction, person: str) -> str:
    """Where a Person leads that was merged, through any number of merges. Raises Problem 404, 409 for a circle."""
    seen = [person]
    while len(seen) < _MOST_HOPS:
        current = await transaction.read("Person", seen[-1])
        if current is None:
            raise refuse(404, "not-found", "population.not-placed")
        following = _leads_to(current)
        if following is None:
            return seen[-1]
        if following in seen:
            break
        seen.append(following)
    raise refuse(409, "conflict", "population.circle")


def _leads_to(person: dict[str, Any]) -> str | None:
    if person.get("active", True):
        return None
    references = [str(one.get("target", {}).get("reference", "")) for one in person.get("link", [])]
    return next((one.removeprefix("Person/") for one in references if one.startswith("Person/")), None)


async def _before_merge(transaction: Transaction, person: str) -> list[str]:
    """The Patients that a merged Person had."""
    page = await transaction.versions("Person", person, {"count": 1000})
    versions = (version.resource for version in page.versions if not version.deleted)
    return next((patients_of(one) for one in versions if patients_of(one)), [])


async def _decide(handle: Handle, work: Work, activity: str, by: str) -> None:
    """Do the work in one transaction, with its Persons and a Provenance; again when somebody else came first."""

    async def beside(transaction: Transaction) -> Sequence[Write]:
        membership = Membership(transaction)
        await work(transaction, membership)
        writes = await membership.writes()
        return [*writes, *_provenance(writes, activity, by)]

    for attempt in range(_TRIES):
        try:
            await handle.commit([], beside=beside)
        except Problem as problem:
            if not overtaken(problem) or _is_final(problem) or attempt == _TRIES - 1:
                raise
        else:
            return


def _is_final(problem: Problem) -> bool:
    return any(issue.key.startswith("population.") for issue in problem.issues)


def _provenance(writes: Sequence[Write], activity: str, by: str) -> list[Write]:
    if not writes:
        return []
    return [Write("create", "Provenance", {
        "resourceType": "Provenance",
        "target": [{"reference": f"Person/{one.id}"} for one in writes],
        "recorded": clock.instant(clock.now()),
        "activity": {"coding": [{"system": _ACTIVITY, "code": activity}]},
        "agent": [{"who": {"display": by}}],
    })]
