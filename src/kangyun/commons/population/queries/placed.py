"""Reads of the identity table, inside a transaction or outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from kangyun.base.database import Connection, Database, queries
from kangyun.base.database.together import Together
from kangyun.commons.access import key_of
from kangyun.commons.population.decisions.kept import traits_of
from kangyun.commons.population.decisions.matching import Evidence, weights
from kangyun.commons.population.decisions.placing import Known, Pairs
from kangyun.commons.population.decisions.traits import keys_of
from kangyun.commons.population.model import Member, Traits

sql = queries("kangyun.commons.population", "queries/identity.sql")

_APART, _TOGETHER = {"rejected", "undone"}, {"linked"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair of Patients that may be one person; the evidence is None where a human judged unasked."""

    first: str
    second: str
    bits: float
    evidence: Evidence | None
    state: str
    found: datetime
    decided: datetime | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class Around:
    """Who may be somebody: whole Persons by id, and the pairs among them that humans called two people, or one."""

    groups: dict[str, list[Member]]
    apart: Pairs
    together: Pairs


def largest_block() -> int:
    """More records than this under one key are a crowd, whom nothing else joins."""
    return int(weights().limits["largest_block"])


def array_of(numbers: Iterable[int]) -> str:
    """The literal of a bigint[]: the driver would ask of each number whether it is itself a list."""
    return f"{{{','.join(map(str, numbers))}}}"


def resident_key(patient: str) -> int:
    """The key of the record that a Patient opens."""
    return key_of("Patient", patient)


async def own(database: Database, source: str, numbers: Sequence[int]) -> list[str]:
    """The ids of a source's Patients that have any of the numbers; what is asked at one time shares a statement."""
    asking = _asking.get(database)
    if asking is None:
        asking = _asking[database] = Together(partial(_own, database))
    return await asking.ask((source, numbers))


async def _own(database: Database, asked: Sequence[tuple[str, Sequence[int]]]) -> list[list[str]]:
    async with database.connection() as connection:
        if len(asked) == 1:
            [(source, numbers)] = asked
            return [[row["patient"] for row in await connection.fetch(sql.by_numbers, list(numbers), source)]]
        sources, literals = [source for source, _ in asked], [array_of(numbers) for _, numbers in asked]
        found: list[list[str]] = [[] for _ in asked]
        for row in await connection.fetch(sql.by_numbers_each, sources, literals):
            found[row["place"] - 1].append(row["patient"])
    return found


_asking: WeakKeyDictionary[Database, Together[tuple[str, Sequence[int]], list[str]]] = WeakKeyDictionary()


async def members(connection: Connection, patients: Iterable[str]) -> dict[str, Member]:
    """The placed ones of these Patients, by id."""
    rows = await connection.fetch(sql.of_patients, [resident_key(one) for one in patients])
    return {row["patient"]: _member(row) for row in rows}


async def of_persons(connection: Connection, persons: Iterable[str]) -> dict[str, list[Member]]:
    """All members of these Persons."""
    return _grouped(await connection.fetch(sql.of_persons, list(persons)))


async def around(
    connection: Connection, me: Traits, patients: Iterable[str], locks: Sequence[int] = (), person: str = ""
) -> Around:
    """All members of the Persons of which one shares a key or a number or is one of the Patients, and of `person`.

    A key that a crowd shares, more than `largest_block` of rules/matching.yaml, leads to nobody.
    Inside a transaction it waits first for the others who hold any of `locks`, and sees what they have committed.
    """
    residents = [resident_key(one) for one in patients]
    rows = await connection.fetch(
        sql.around, array_of(locks), array_of(keys_of(me)), array_of(me.numbers), array_of(residents), person, largest_block())
    return _around(rows)


def _around(rows: Sequence[Any]) -> Around:
    answers = [text.split("|") for text in (rows[0]["judged"] if rows else ())]
    return Around(_grouped(rows), *(_among(answers, states) for states in (_APART, _TOGETHER)))


@dataclass(frozen=True, slots=True)
class Asked:
    """A Patient of whom it is asked who is around: what is compared of it, it and whom its source calls the same, its own Person."""

    me: Traits
    patients: Sequence[str]
    person: str


async def around_each(connection: Connection, asked: Sequence[Asked], locks: Sequence[int]) -> list[Around]:
    """As `around`, of several Patients in one question."""
    columns = (
        [array_of(keys_of(one.me)) for one in asked], [array_of(one.me.numbers) for one in asked],
        [array_of(map(resident_key, one.patients)) for one in asked], [one.person for one in asked],
    )
    found: list[list[Any]] = [[] for _ in asked]
    for row in await connection.fetch(sql.around_each, array_of(locks), *columns, largest_block()):
        found[row["place"] - 1].append(row)
    return [_around(rows) for rows in found]


async def judged(connection: Connection, patients: Iterable[str]) -> Known:
    """What humans decided about these Patients, without groups."""
    rows = await connection.fetch(sql.judged, [resident_key(one) for one in patients])
    answers = [(row["first"], row["second"], row["state"]) for row in rows]
    return Known({}, _among(answers, _APART), _among(answers, _TOGETHER))


async def queue(connection: Connection, offset: int = 0, limit: int = 20) -> list[Candidate]:
    """The pairs that wait for a human, the most alike first."""
    return [_candidate(row) for row in await connection.fetch(sql.queue, offset, limit)]


async def decided(connection: Connection, offset: int = 0, limit: int = 20) -> list[Candidate]:
    """The pairs that humans decided, the latest first."""
    return [_candidate(row) for row in await connection.fetch(sql.decisions, offset, limit)]


async def pair(connection: Connection, one: str, other: str) -> Candidate | None:
    """What is known of a pair of Patients."""
    first, second = sorted((one, other), key=resident_key)
    row = await connection.fetchrow(sql.pair, resident_key(first), resident_key(second))
    return None if row is None else _candidate(row)


async def counts(connection: Connection) -> dict[str, int]:
    """How many pairs there are in each state."""
    return {row["state"]: row["number"] for row in await connection.fetch(sql.counts)}


def _candidate(row: Any) -> Candidate:
    evidence = msgspec.json.decode(row["evidence"], type=Evidence | None)
    names = ("first", "second", "bits", "state", "found", "decided", "decided_by")
    return Candidate(**{name: row[name] for name in names}, evidence=evidence)


def _member(row: Any) -> Member:
    return Member(row["patient"], row["person"], row["source"], row["assurance"], row["version"], traits_of(row))


def _grouped(rows: Iterable[Any]) -> dict[str, list[Member]]:
    found: dict[str, list[Member]] = {}
    for row in rows:
        found.setdefault(row["person"], []).append(_member(row))
    return found


def _among(answers: Iterable[Sequence[str]], states: set[str]) -> Pairs:
    return frozenset(frozenset({first, second}) for first, second, state in answers if state in states)
