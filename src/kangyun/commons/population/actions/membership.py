"""Which Patients are under which Person, while one transaction changes it: rows first, then the Persons as resources."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import msgspec

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.base.naming import named_id
from kangyun.commons.access import Stored, Transaction, Write
from kangyun.commons.population.decisions import golden
from kangyun.commons.population.decisions.kept import kept
from kangyun.commons.population.decisions.traits import keys_of
from kangyun.commons.population.model import Arrival, Member, Proposal
from kangyun.commons.population.queries.placed import array_of, of_persons, resident_key, sql

_NAMESPACE = UUID("3c1f7a52-7f0e-5a53-9d0b-1115c0de2026")


def person_id(patient: str) -> str:
    """The id of the Person that is made for a Patient."""
    return named_id(_NAMESPACE, f"Person|{patient}")


class Rows:
    """New rows of the identity table, put down together: a statement of its own for each costs more than the row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: dict[int, tuple[Any, ...]] = {}

    def put(self, resident: int, row: tuple[Any, ...]) -> None:
        """Take a row; it is in the table after `flush`."""
        self._waiting[resident] = row

    async def flush(self) -> None:
        """Put down what waits, before anybody reads or moves rows."""
        rows, self._waiting = list(self._waiting.values()), {}
        if len(rows) == 1:
            await self._connection.execute(sql.put, *rows[0])
        elif rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            # The old column of ID numbers, which are sealed with the features.
            del columns[7]
            await self._connection.execute(sql.put_all, *columns)


class Membership:
    """The changes of one transaction; `writes` gives the Persons that follow from them.

    Whoever changes who belongs to a Person also writes that Person under its version, so two transactions that meet
    are told of each other as a conflict, and the later one reads again.
    """

    def __init__(self, transaction: Transaction, arrivals: Sequence[Arrival] = (), rows: Rows | None = None) -> None:
        self._transaction = transaction
        self._connection = transaction.connection
        self._rows = rows or Rows(transaction.connection)
        self._arrivals = {one.id: one for one in arrivals}
        self._touched: dict[str, bool] = {}
        self._into: dict[str, str] = {}
        self._groups: dict[str, list[Member]] = {}
        self._before: dict[str, set[str]] = {}

    @property
    def arriving(self) -> Collection[str]:
        """The Patients that this transaction brings."""
        return self._arrivals.keys()

    def knows(self, groups: Mapping[str, Sequence[Member]]) -> None:
        """Whole groups as they have just been read, for a transaction that brings one Patient."""
        if len(self._arrivals) == 1:
            self._groups = {person: list(group) for person, group in groups.items()}
            self._before = {person: {one.patient for one in group} for person, group in groups.items()}

    async def new_person(self, patient: str) -> str:
        """The id of a Person for a Patient that has none: computed, so that a repetition meets it, unless it is taken."""
        computed = person_id(patient)
        groups = self._groups
        if computed not in groups:
            await self._rows.flush()
            groups = await of_persons(self._connection, [computed])
        taken = groups.get(computed)
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
            key = resident_key(me.patient)
            self._rows.put(key, (key, me.patient, person, *row))
        for group in self._groups.values():
            group[:] = [one for one in group if one.patient != me.patient]
        if person in self._groups:
            self._groups[person].append(replace(me, person=person))
        self._touch(person)
        if me.person and me.person != person:
            self._touch(me.person)

    def _row(self, me: Member) -> tuple[Any, ...]:
        found = me.traits
        return me.source, me.assurance, me.version, array_of(found.numbers), [], array_of(keys_of(found)), kept(me.patient, found), clock.now()

    async def join(self, persons: Iterable[str], into: str) -> None:
        """Make several Persons one; the others stay, inactive, and lead to it."""
        gone = [one for one in persons if one != into]
        if gone:
            self._groups.clear()
            await self._rows.flush()
            await self._connection.execute(sql.join_persons, gone, into)
            await self._connection.execute(sql.settle_open, into)
            self._into.update(dict.fromkeys(gone, into))
            for one in (*gone, into):
                self._touch(one)

    async def move(self, members: Sequence[Member], person: str, assurance: int | None) -> None:
        """Put some Patients under another Person; None keeps the assurance of their links."""
        self._groups.clear()
        await self._rows.flush()
        await self._connection.execute(sql.move, [resident_key(one.patient) for one in members], person, assurance)
        for one in members:
            self._touch(one.person)
        self._touch(person)

    async def leave(self, patient: str, person: str) -> None:
        """Forget a Patient that was deleted."""
        self._groups.clear()
        await self._rows.flush()
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
        """The Persons as they are now; those that did not change are left out. Raises Problem 409.

        A Person is read before the rows that it follows from: whoever changes them in between also changes its version,
        and is found out. Rows that were read earlier serve only where they are what the Person says.
        """
        await self._rows.flush()
        known = [one.patient for person in self._touched for one in self._groups.get(person, ())]
        stored = await self._stored(self._touched, known)
        fresh = [person for person in self._touched if not self._is_current(person, stored.get(("Person", person)))]
        read = await of_persons(self._connection, fresh) if fresh else {}
        groups = self._groups | {person: read.get(person, []) for person in fresh}
        missing = [one.patient for person in fresh for one in groups[person] if ("Patient", one.patient) not in stored]
        stored |= await self._stored([], missing)
        found = (self._write(person, groups[person], is_new, stored) for person, is_new in self._touched.items())
        return [write for write in found if write]

    async def _stored(self, persons: Iterable[str], patients: Iterable[str]) -> dict[tuple[str, str], Stored]:
        read = [one for one in patients if one not in self._arrivals]
        names = [*(("Person", one) for one in persons), *(("Patient", one) for one in read)]
        return await self._transaction.fetch_all(names) if names else {}

    def _is_current(self, person: str, stored: Stored | None) -> bool:
        links = [] if stored is None or stored.deleted else stored.resource.get("link", [])
        references = (str(one.get("target", {}).get("reference", "")) for one in links)
        told = {one.removeprefix("Patient/") for one in references if one.startswith("Patient/")}
        return person in self._groups and told == self._before.get(person)

    def _write(
        self, person: str, members: Sequence[Member], is_new: bool, known: Mapping[tuple[str, str], Stored]
    ) -> Write | None:
        stored = known.get(("Person", person))
        current = stored.resource if stored and not stored.deleted else None
        if members and not is_new and current is not None and not current.get("active", True):
            raise crossed()
        if members or current is None:
            whole = golden.person(current, members, self._contents(members, known))
        elif person in self._into:
            whole = golden.merged(current, self._into[person])
        else:
            whole = golden.person(current, [], []) | {"name": current.get("name", [])}
        if _bare(whole) == _bare(current or {}):
            return None
        return Write("update", "Person", {**_bare(whole), "id": person}, id=person, if_match=stored.version if current and stored else 0)

    def _contents(
        self, members: Sequence[Member], known: Mapping[tuple[str, str], Stored]
    ) -> list[tuple[str, dict[str, Any]]]:
        """What is being written now is the newest that its source says."""
        found: list[tuple[str, dict[str, Any]]] = []
        for one in members:
            arrival, stored = self._arrivals.get(one.patient), known.get(("Patient", one.patient))
            if arrival is not None:
                found.append((one.source, {**arrival.patient, "meta": {"lastUpdated": clock.instant(clock.now())}}))
            elif stored is not None and not stored.deleted:
                found.append((one.source, stored.resource))
        return found


def _bare(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in {"id", "meta"}}


def crossed() -> Problem:
    """Somebody else changed the same Person at this moment: read again and try again."""
    return refuse(409, "conflict", "base.crossed")


def larger(groups: Mapping[str, Sequence[Member]], persons: Sequence[str]) -> str:
    """The Person that stays when several become one: the one with the most Patients, then the first named."""
    return max(persons, key=lambda one: (len(groups.get(one, ())), -persons.index(one)))
