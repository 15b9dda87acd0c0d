"""`kangyun check-journeys`: whether money, insurance and medicine agree, over everything that the internet hospital has done."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from kangyun.base.database import Connection, Database, migrate, queries
from kangyun.base.settings import Settings

sql = queries("kangyun.app", "journeys.sql")

CHECKS = (
    "unsettled", "two_ways", "cash", "orders", "money_back", "twice", "books", "owed", "waiting_money", "insurance", "settlements", "medicine",
    "free_medicine", "given", "work",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it must be: which check found it, an id, and figures."""

    check: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: how many checkouts stand where (kind, state, number, cash and total in fen), and what is wrong."""

    counts: list[tuple[str, str, int, int, int]]
    faults: list[Fault]

    def number(self, kind: str, *states: str) -> int:
        """How many checkouts of a kind stand in some states."""
        return sum(number for one, state, number, *_ in self.counts if one == kind and state in states)

    @property
    def table(self) -> str:
        """For people."""
        lines = [f"  {kind:10} {state:12} {number:8,}  cash {cash / 100:14,.2f}  total {total / 100:14,.2f}" for kind, state, number, cash, total in self.counts]
        wrong = [f"  WRONG {one.check}: {one.subject} {one.detail}" for one in self.faults]
        return "\n".join([*lines, *(wrong or ["  everything agrees, to the fen"])])


async def examine(connection: Connection) -> Verdict:
    """Examine everything, in one snapshot of the database."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        counts = [(row["kind"], row["state"], row["number"], row["cash"], row["total"]) for row in await connection.fetch(sql.counts)]
        faults = [
            Fault(name, str(row["subject"]), str(row["detail"])) for name in CHECKS for row in await connection.fetch(getattr(sql, name))]
    return Verdict(counts, faults)


def run(settings: Settings) -> int:
    """Print what was found; 1 when something is wrong."""
    verdict = asyncio.run(_run(settings))
    print(verdict.table)
    return 1 if verdict.faults else 0


async def _run(settings: Settings) -> Verdict:
    database = await Database.open(settings)
    try:
        async with database.connection() as connection:
            await migrate(connection)
            return await examine(connection)
    finally:
        await database.close()
        await database.stop_server()
