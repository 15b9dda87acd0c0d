"""Placing many new Patients of one source at once, as bulk imports need it: two reads and one write for hundreds.

What is simple is decided here by the same judgement as one by one (`decisions.placing`): nobody is alike, or exactly one
person is. Whatever asks for more (several persons, a question to a human, a Patient that is known and changed) is left to
`prepare` and `place`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.commons.access import key_of
from kangyun.commons.population.actions.membership import person_id
from kangyun.commons.population.actions.residents import new_id
from kangyun.commons.population.decisions import golden, normal_identifiers, placing, survivor
from kangyun.commons.population.decisions.kept import kept, traits_of
from kangyun.commons.population.decisions.placing import Known
from kangyun.commons.population.decisions.traits import keys_of, locks_of, traits
from kangyun.commons.population.model import ALIKE, SENDER_SOURCE, Member, Traits
from kangyun.commons.population.queries.placed import largest_block

sql = queries("kangyun.commons.population", "queries/crowds.sql")

_Row = tuple[int, str, str, str, int, str, str, str, str]


@dataclass(slots=True)
class Crowd:
    """What became of many: for each Patient asked about its id, None where it must be placed by itself.

    `known` are Patients that the source has already. `patients` and `persons` are resources to be written (created, all
    of them new); `keep` puts down the rows that belong to them, in the transaction that writes them.
    """

    ids: list[str | None] = field(default_factory=list[str | None])
    known: set[str] = field(default_factory=set[str])
    patients: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    persons: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    rows: list[_Row] = field(default_factory=list[_Row])

    async def keep(self, connection: Connection, without: set[str]) -> None:
        """Write the identity rows of all but some Patients that the record refused."""
        rows = [row for row in self.rows if row[1] not in without]
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            await connection.execute(sql.put, *columns[:8], clock.now(), columns[8])


@dataclass(slots=True)
class _New:
    patient: dict[str, Any]
    traits: Traits
    keys: list[int]


class _Near:
    """Who shares a key or a number with somebody, read once for all and added to as they are placed."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.groups: dict[str, list[Member]] = defaultdict(list)
        self._persons: dict[int, set[str]] = defaultdict(set)
        for row in rows:
            one = Member(row["patient"], row["person"], row["source"], row["assurance"], row["version"], traits_of(row))
            self.add(one, row["keys"])

    def add(self, one: Member, keys: Iterable[int]) -> None:
        self.groups[one.person].append(one)
        for key in (*keys, *one.traits.numbers):
            self._persons[key].add(one.person)

    def of(self, new: _New) -> dict[str, list[Member]]:
        persons = {person for key in (*new.keys, *new.traits.numbers) for person in self._persons.get(key, ())}
        return {person: self.groups[person] for person in sorted(persons)}


async def place_crowd(connection: Connection, source: str, patients: Sequence[dict[str, Any]]) -> Crowd:
    """Decide where Patients of one source belong, inside a transaction; known ones get their id, new ones a Person too.

    Whoever brings somebody with the same number, or the same birth date and surname, waits until this transaction has ended,
    and then sees whom it brought.
    """
    news = [_new(one) for one in patients]
    numbers = sorted({number for one in news for number in one.traits.numbers})
    mine: dict[int, set[str]] = defaultdict(set)
    await connection.execute(sql.wait, [lock for one in news for lock in locks_of(one.traits)])
    await connection.execute(sql.by_index)
    for row in await connection.fetch(sql.own, numbers, source):
        for number in row["numbers"]:
            mine[number].add(row["patient"])
    found = Crowd()
    fresh = [one for one in news if not any(number in mine for number in one.traits.numbers)]
    keys = sorted({key for one in fresh for key in one.keys})
    near = _Near(await connection.fetch(sql.near, keys, numbers, largest_block())) if fresh else _Near(())
    taken: set[str] = set()
    for one in news:
        holders = {patient for number in one.traits.numbers for patient in mine.get(number, ())}
        if holders:
            id_ = holders.pop() if len(holders) == 1 else None
            found.ids.append(id_)
            found.known.update([id_] if id_ else [])
        else:
            found.ids.append(_place(one, source, near, found, taken))
    return found


def is_news(current: dict[str, Any] | None, patient: dict[str, Any]) -> bool:
    """Whether a source says anything new with this Patient; `current` is what the record holds of it."""
    return current is None or survivor(current, normal_identifiers(patient)) != current


def _new(patient: dict[str, Any]) -> _New:
    normal = normal_identifiers(patient)
    found = traits(normal)
    return _New(normal, found, keys_of(found))


def _place(one: _New, source: str, near: _Near, found: Crowd, taken: set[str]) -> str | None:
    id_ = new_id(one.patient, source, 0)
    me = Member(id_, "", source, ALIKE, 1, one.traits)
    placement = placing.place(me, Known(near.of(one)))
    if id_ in taken or placement.person or placement.joined or placement.proposals or placement.moved:
        return None
    taken.add(id_)
    person = person_id(id_)
    me = Member(id_, person, source, placement.assurance, 1, one.traits)
    near.add(me, one.keys)
    meta = {**one.patient.get("meta", {}), "source": f"{SENDER_SOURCE}{quote(source, safe='')}"}
    resource = {**one.patient, "id": id_, "meta": meta}
    found.patients.append(resource)
    found.persons.append({**golden.person(None, [me], [(source, resource)]), "id": person})
    found.rows.append(_row(me, one.keys))
    return id_


def _row(me: Member, keys: list[int]) -> _Row:
    numbers = "{" + ",".join(map(str, sorted(me.traits.numbers))) + "}"
    packed = "{" + ",".join(map(str, keys)) + "}"
    return key_of("Patient", me.patient), me.patient, me.person, me.source, me.assurance, numbers, "{}", packed, kept(me.patient, me.traits)
