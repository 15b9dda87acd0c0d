"""Samples of prescriptions for comment, and what was said of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.support.drugs.decisions.comments import Report, Verdict, report

sql = queries("kangyun.support.drugs", "queries/comments.sql")


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of an institution: which days, how many among how many, how many are commented on."""

    id: str
    institution: str
    starts: date
    ends: date
    kind: str
    seed: str
    among: int
    drawn: int
    at: datetime
    actor: str
    done: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn prescription with its problems; `at` is None until it is commented on."""

    resident: int
    number: str
    practitioner: str
    problems: list[str]
    note: str
    at: datetime | None


async def samples(connection: Connection, institution: str) -> list[Sample]:
    """The samples of an institution, the newest first."""
    return [Sample(**dict(row)) for row in await connection.fetch(sql.samples, institution)]


async def sample(connection: Connection, id_: str, institution: str) -> Sample:
    """One sample of an institution. Raises Problem 404."""
    row = await connection.fetchrow(sql.sample, id_, institution)
    if row is None:
        raise refuse(404, "not-found", "drugs.no-sample")
    return Sample(**dict(row))


async def drawn(connection: Connection, sample_id: str) -> list[Drawn]:
    """The prescriptions of a sample, those that wait first."""
    return [Drawn(**dict(row)) for row in await connection.fetch(sql.drawn, sample_id)]


async def one_drawn(connection: Connection, sample_id: str, number: str) -> Drawn:
    """One prescription of a sample. Raises Problem 404."""
    row = await connection.fetchrow(sql.one, sample_id, number)
    if row is None:
        raise refuse(404, "not-found", "drugs.no-prescription")
    return Drawn(**dict(row))


def report_of(found: list[Drawn]) -> Report:
    """The figures of a sample."""
    return report(len(found), [Verdict(one.practitioner, tuple(one.problems)) for one in found if one.at is not None])
