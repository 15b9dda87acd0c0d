"""Which Patients are under which Person, while one transaction changes it: rows first, then the Persons as resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec

from kangyun.base import clock
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Transaction, Write
from kangyun.commons.population.decisions import golden
from kangyun.commons.population.decisions.matching import encode
from kangyun.commons.population.decisions.traits import keys_of
from kangyun.commons.population.model import Arrival, Member, Proposal
from kangyun.commons.population.queries.placed import of_persons, resident_key, sql

_NAMESPACE = UUID("3c1f7a52-7f0e-5a53-9d0b-1115c0de2026")


def person_id(patient: str) -> str:
    """The id of the Person that is made for a Patient."""
    return str(uuid5(_NAMESPACE, f"Person|{patient}"))


class Membership:
    """The changes of one transaction; `writes` gives the Persons that follow from them.

    Whoever changes who belongs to a Person also writes that Person under its version, so two transactions that meet
    are told of each other as a conflict, and the later one reads again.
    """

    def __init__(self, transaction: Transaction, arrivals: Sequence[Arrival] = ()) -> None:
        self._transaction = transaction
        self._connection = transaction.connection
        self._arrivals = {one.id: one for one in arrivals}
        self._touched: dict[str, bool] = {}
        self._into: dict[str, str] = {}

    async def new_person(self, patient: str) -> str:
        """The id of a Person for a Patient that has none: computed, so that a repetition meets it, unless it is taken."""
        computed = person_id(patient)
        taken = (await of_persons(self._connection, [computed])).get(computed)
        id_ = str(uuid4()) if taken else computed
        self._touched.setdefault(id_, True)
        return id_

    def revive(self, person: str) -> None:
        """A Person that was given up comes back."""
        self._touched[person] = True

    async def enter(self, me: Member, person: str) -> None:
        """Put a Patient under a Person, or take note of its new version where it stays."""
        row = self._row(me)
        if me.person == person:
            if not await self._connection.fetch(sql.touch, resident_key(me.patient), person, *row):
                raise crossed()
        else:
            await self._connection.execute(sql.put, resident_key(me.patient), me.patient, person, *row)
        self._touch(person)
        if me.person and me.person != person:
            self._touch(me.person)

    def _row(self, me: Member) -> tuple[Any, ...]:
        found = me.traits
        keys, ids, packed = keys_of(found), list(found.ids), encode(found.features)
        return me.source, me.assurance, me.version, list(found.numbers), ids, keys, packed, clock.now()

    async def join(self, persons: Iterable[str], into: str) -> None:
        """Make several Persons one; the others stay, inactive, and lead to it."""
        gone = [one for one in persons if one != into]
        if gone:
            await self._connection.execute(sql.join_persons, gone, into)
            await self._connection.execute(sql.settle_open, into)
            self._into.update(dict.fromkeys(gone, into))
            for one in (*gone, into):
                self._touch(one)

    async def move(self, members: Sequence[Member], person: str, assurance: int | None) -> None:
        """Put some Patients under another Person; None keeps the assurance of their links."""
        await self._connection.execute(sql.move, [resident_key(one.patient) for one in members], person, assurance)
        for one in members:
            self._touch(one.person)
        self._touch(person)

    async def leave(self, patient: str, person: str) -> None:
        """Forget a Patient that was deleted."""
        await self._connection.execute(sql.remove, resident_key(patient))
        await self.withdraw(patient)
        self._touch(person)

    async def withdraw(self, patient: str) -> None:
        """Take back the open questions about a Patient."""
        await self._connection.execute(sql.forget_open, resident_key(patient))

    async def propose(self, proposals: Iterable[Proposal]) -> None:
        """Ask humans about pairs."""
        for one in proposals:
            first, second = sorted((one.patient, one.other), key=resident_key)
            evidence = msgspec.json.encode(one.evidence).decode()
            await self._connection.execute(
                sql.propose, resident_key(first), resident_key(second), first, second, one.evidence.bits, evidence, clock.now()
            )

    async def decide(self, some: Iterable[str], others: Sequence[str], state: str, by: str) -> None:
        """Remember that a human judged each of `some` and each of `others` to be one person, or not."""
        for one in some:
            for other in others:
                first, second = sorted((one, other), key=resident_key)
                keys = resident_key(first), resident_key(second)
                await self._connection.execute(sql.decide, *keys, first, second, state, clock.now(), by)

    def _touch(self, person: str) -> None:
        self._touched.setdefault(person, False)

    async def writes(self) -> list[Write]:
        """The Persons as they are now; those that did not change are left out. Raises Problem 409."""
        groups = await of_persons(self._connection, self._touched)
        found: list[Write] = []
        for person, is_new in self._touched.items():
            write = await self._write(person, groups.get(person, []), is_new)
            found += [write] if write else []
        return found

    async def _write(self, person: str, members: Sequence[Member], is_new: bool) -> Write | None:
        stored = await self._transaction.fetch("Person", person)
        current = stored.resource if stored and not stored.deleted else None
        if members and not is_new and current is not None and not current.get("active", True):
            raise crossed()
        if members or current is None:
            whole = golden.person(current, members, await self._contents(members))
        elif person in self._into:
            whole = golden.merged(current, self._into[person])
        else:
            whole = golden.person(current, [], []) | {"name": current.get("name", [])}
        if _bare(whole) == _bare(current or {}):
            return None
        return Write("update", "Person", {**_bare(whole), "id": person}, id=person, if_match=stored.version if current and stored else 0)

    async def _contents(self, members: Sequence[Member]) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        for one in members:
            patient = await self._content(one.patient)
            found += [(one.source, patient)] if patient else []
        return found

    async def _content(self, patient: str) -> dict[str, Any] | None:
        """What is being written now is the newest that its source says."""
        arrival = self._arrivals.get(patient)
        if arrival is None:
            return await self._transaction.read("Patient", patient)
        return {**arrival.patient, "meta": {"lastUpdated": clock.instant(clock.now())}}


def _bare(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in {"id", "meta"}}


def crossed() -> Problem:
    """Somebody else changed the same Person at this moment: read again and try again."""
    return refuse(409, "conflict", "base.crossed")


def larger(groups: Mapping[str, Sequence[Member]], persons: Sequence[str]) -> str:
    """The Person that stays when several become one: the one with the most Patients, then the first named."""
    return max(persons, key=lambda one: (len(groups.get(one, ())), -persons.index(one)))
