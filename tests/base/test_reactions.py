"""The change feed's runner: nothing missed, in order for each resident, a failure holds up nobody else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kangyun.base import reactions
from kangyun.base.database import Connection, Database
from kangyun.base.errors import refuse
from kangyun.base.reactions import Change, Cursor, Feed, Reaction
from kangyun.base.reactions.reader import PAGE
from kangyun.base.reactions.runner import Once
from tests.base.waiting import becomes, until

TABLE = """
CREATE TABLE IF NOT EXISTS probe (
    seq bigserial PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(), resident bigint, version integer
)"""
BATCH = "pg_visible_in_snapshot(xid, $2::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)"


class ProbeFeed:
    async def extent(self, connection: Connection, low: str, high: str) -> tuple[int, AbstractSet[str]]:
        return await connection.fetchval(f"SELECT coalesce(max(seq), 0) FROM probe WHERE {BATCH}", low, high), {"Patient"}

    async def first(self, connection: Connection, low: str, high: str, limit: int) -> Sequence[Change]:
        return await self.page(connection, Cursor(low, high, 0, 2**62), limit)

    async def page(self, connection: Connection, cursor: Cursor, limit: int, types: AbstractSet[str] | None = None) -> Sequence[Change]:
        rows = await connection.fetch(
            f"SELECT * FROM probe WHERE {BATCH} AND seq > $3 AND seq <= $4 ORDER BY seq LIMIT $5",
            cursor.low, cursor.high, cursor.after, cursor.last, limit,
        )
        return [Change(r["seq"], r["resident"], 0, "Patient", "p", r["version"], "update") for r in rows]


@dataclass
class Written:
    type: str


@dataclass
class Desk:
    """Stands for the gate: remembers commits by key, as the record store does."""

    commits: dict[str, Sequence[Any]] = field(default_factory=dict[str, Sequence[Any]])

    async def commit(self, writes: Sequence[Any], *, key: str | None = None) -> None:
        assert key is not None
        self.commits.setdefault(key, writes)


@pytest.fixture(autouse=True)
async def _empty(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(TABLE)
        await connection.execute("TRUNCATE probe RESTART IDENTITY; TRUNCATE reaction_cursor, reaction_parked")


@asynccontextmanager
async def running(
    database: Database, reaction: Reaction, desk: Desk | None = None, crowd: Callable[[], int] = lambda: 0, feed: Feed | None = None
) -> AsyncGenerator[None]:
    handle = desk or Desk()
    task = asyncio.create_task(
        reactions.run_feed(database, [reaction], feed or ProbeFeed(), lambda _name: handle, poll=0.05, crowd=crowd),
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def add(database: Database, *residents: int) -> None:
    async with database.connection() as connection:
        for resident in residents:
            await connection.execute("INSERT INTO probe (resident, version) VALUES ($1, 1)", resident)


async def backlog(database: Database, number: int) -> None:
    async with database.connection() as connection:
        await connection.execute("INSERT INTO probe (resident, version) SELECT n, 1 FROM generate_series(1, $1::integer) n", number)


async def position(database: Database) -> int:
    """The last change that the one reaction has done with."""
    async with database.connection() as connection:
        return int(await connection.fetchval("SELECT after FROM reaction_cursor") or 0)


async def given_up(connection: Connection) -> list[bool]:
    return [row["given_up"] is not None for row in await reactions.parked(connection)]


def noting(seen: list[int], **options: Any) -> Reaction:
    async def act(_handle: Any, change: Change) -> None:
        seen.append(change.seq)

    return Reaction("test.note", listens={"Patient"}, writes={"Flag"}, act=act, **options)


async def test_it_does_not_miss_an_earlier_number_that_commits_later(database: Database) -> None:
    seen: list[int] = []
    async with running(database, noting(seen)):
        async with database.connection() as late:
            transaction = late.transaction()
            await transaction.start()
            await late.execute("INSERT INTO probe (resident, version) VALUES (7, 1)")
            await add(database, 8)
            await until(lambda: seen == [2])
            await transaction.commit()
        await until(lambda: len(seen) == 2)
    assert seen == [2, 1]


async def test_it_goes_on_where_it_stopped(database: Database) -> None:
    seen: list[int] = []
    await add(database, 1, 2)
    async with running(database, noting(seen)):
        await until(lambda: len(seen) == 2)
        await becomes(lambda: position(database), 2)
    await add(database, 3)
    async with running(database, noting(seen)):
        await until(lambda: len(seen) == 3)
        await becomes(lambda: position(database), 3)
    assert sorted(seen) == [1, 2, 3]


async def test_a_failure_holds_back_its_resident_only(database: Database) -> None:
    seen: list[tuple[int, int]] = []
    broken = True

    async def act(_handle: Any, change: Change) -> None:
        if change.resident == 1 and broken:
            raise ValueError("王小明")
        seen.append((change.resident, change.seq))

    await add(database, 1, 2, 1, 2)
    reaction = Reaction("test.shaky", listens={"*"}, writes=set(), act=act, tries=1000, first_pause=0.05, longest_pause=0.05)
    async with running(database, reaction):
        await until(lambda: seen == [(2, 2), (2, 4)])
        await add(database, 1)
        await asyncio.sleep(0.3)
        assert seen == [(2, 2), (2, 4)]
        broken = False
        await until(lambda: len(seen) == 5)
    assert seen[2:] == [(1, 1), (1, 3), (1, 5)]


async def test_a_change_that_fails_for_good_is_parked_with_its_reason_and_can_be_resumed(database: Database) -> None:
    seen: list[int] = []
    broken = True

    async def act(_handle: Any, change: Change) -> None:
        if change.seq == 1 and broken:
            raise ValueError("王小明")
        seen.append(change.seq)

    await add(database, 1, 1)
    reaction = Reaction("test.doomed", listens={"*"}, writes=set(), act=act, tries=3, first_pause=0.01)
    async with running(database, reaction), database.connection() as connection:
        await until(lambda: seen == [2])
        await becomes(lambda: given_up(connection), [True])
        [row] = await reactions.parked(connection)
        assert row["tries"] == 3
        assert row["reason"].startswith("ValueError at test_reactions:")
        broken = False
        assert await reactions.resume(connection) == 1
        await until(lambda: seen == [2, 1])
        await becomes(lambda: reactions.parked(connection), [])


async def test_a_backlog_is_taken_together_and_only_whose_change_fails_waits(database: Database) -> None:
    seen: list[int] = []
    groups: list[int] = []

    async def act(_handle: Any, change: Change) -> None:
        if change.resident == 7:
            raise ValueError("王小明")
        seen.append(change.resident)

    async def together(handle: Any, changes: Sequence[Change]) -> None:
        if any(change.resident == 7 for change in changes):
            raise ValueError("王小明")
        await handle.commit([])
        groups.append(len(changes))
        seen.extend(change.resident for change in changes)

    await backlog(database, 700)
    desk = Desk()
    reaction = Reaction("test.many", listens={"Patient"}, writes=set(), act=act, together=together)
    async with running(database, reaction, desk), database.connection() as connection:
        await until(lambda: len(seen) == 699)
        await becomes(lambda: given_up(connection), [False])
    assert sorted(seen) == [number for number in range(1, 701) if number != 7]
    assert max(groups) > 1
    assert sum(groups) < 500  # The last page is no backlog, and the group of 7 was taken one by one.
    assert len(desk.commits) == len(groups)


async def test_a_backlog_that_concerns_nobody_is_not_read_through(database: Database) -> None:
    await backlog(database, 6000)
    pages = 0

    class Counted(ProbeFeed):
        async def page(self, connection: Connection, cursor: Cursor, limit: int, types: AbstractSet[str] | None = None) -> Sequence[Change]:
            nonlocal pages
            pages += 1
            return await super().page(connection, cursor, limit, types)

    seen: list[int] = []
    reaction = replace(noting(seen), listens={"Organization"})
    async with running(database, reaction, feed=Counted()):
        await becomes(lambda: position(database), 6000)
    assert seen == []
    assert pages < 6  # Of twelve: the first one of the batch, and whether more has come meanwhile.


async def test_a_database_that_is_away_counts_as_nobodys_failure(database: Database) -> None:
    seen: list[int] = []
    away = 2

    async def act(_handle: Any, change: Change) -> None:
        nonlocal away
        away -= 1
        if away >= 0:
            raise refuse(503, "transient", "base.database-away")
        seen.append(change.seq)

    await add(database, 1)
    async with running(database, Reaction("test.away", listens={"*"}, writes=set(), act=act, tries=1)):
        await until(lambda: seen == [1])
        await becomes(lambda: position(database), 1)
    async with database.connection() as connection:
        assert await reactions.parked(connection) == []


async def test_a_repeated_delivery_writes_nothing_twice(database: Database) -> None:
    desk, attempts = Desk(), 0

    async def act(handle: Any, _change: Change) -> None:
        nonlocal attempts
        attempts += 1
        await handle.commit([Written("Flag")])
        if attempts == 1:
            await asyncio.sleep(60)

    await add(database, 1)
    reaction = Reaction("test.cut", listens={"*"}, writes={"Flag"}, act=act)
    async with running(database, reaction, desk):
        await until(lambda: attempts == 1 and bool(desk.commits))
    async with running(database, reaction, desk):
        await until(lambda: attempts == 2)
        await becomes(lambda: position(database), 1)
    assert list(desk.commits) == ["test.cut:1"]


async def test_of_two_runners_one_delivers_and_the_other_takes_over(database: Database) -> None:
    seen: list[int] = []
    async with running(database, noting(seen)):
        async with running(database, noting(seen)):
            await add(database, *range(50))
            await until(lambda: len(seen) >= 50)
            await asyncio.sleep(0.3)
            assert sorted(seen) == list(range(1, 51))
        await add(database, 99)
        await until(lambda: 51 in seen)
    assert len(seen) == 51


async def test_writers_that_commit_in_any_order_lose_nothing_and_keep_each_residents_order(database: Database) -> None:
    """Transactions take their number first, then wait, then lock a resident, write, wait and commit."""
    seen: list[tuple[int, int]] = []
    chance = random.Random(7)

    async def act(_handle: Any, change: Change) -> None:
        seen.append((change.resident, change.version))

    async def write(connection: Connection) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_current_xact_id()")
            await asyncio.sleep(chance.random() / 50)
            resident = chance.randrange(5)
            await connection.execute("SELECT pg_advisory_xact_lock($1)", resident)
            await connection.execute(
                "INSERT INTO probe (resident, version) SELECT $1, count(*) + 1 FROM probe WHERE resident = $1", resident,
            )
            await asyncio.sleep(chance.random() / 50)

    async def writer() -> None:
        async with database.connection() as connection:
            for _ in range(40):
                await write(connection)

    async with running(database, Reaction("test.storm", listens={"*"}, writes=set(), act=act)):
        await asyncio.gather(*(writer() for _ in range(5)))
        await until(lambda: len(seen) >= 200)
    assert len(seen) == 200
    for resident in range(5):
        versions = [version for r, version in seen if r == resident]
        assert versions == list(range(1, len(versions) + 1))


async def test_the_runner_refuses_what_a_reaction_did_not_declare() -> None:
    change = Change(1, 1, 1, "Observation", "o", 1, "create")
    handle = Once(Desk(), noting([]), change)
    with pytest.raises(RuntimeError, match="does not declare"):
        await handle.commit([Written("Patient")])
    await handle.commit([Written("Flag")])
    with pytest.raises(RuntimeError, match="commits twice"):
        await handle.commit([Written("Flag")])
    await handle.commit([Written("Flag")], key="second")
    with pytest.raises(AttributeError, match="not by transaction"):
        handle.transaction()


def test_an_endless_loop_is_found_and_a_reasoned_one_allowed() -> None:
    async def act(_handle: Any, _change: Change) -> None: ...

    def reaction(name: str, listens: str, writes: str, rest: str = "") -> Reaction:
        return Reaction(name, listens={listens}, writes={writes}, act=act, comes_to_rest=rest)

    straight = [reaction("a", "Observation", "Flag"), reaction("b", "Flag", "Task")]
    assert reactions.endless_loop(straight) is None
    assert reactions.endless_loop([*straight, reaction("c", "Task", "Observation")]) is not None
    assert reactions.endless_loop([*straight, reaction("c", "Task", "Observation", "Only the first Task does.")]) is None
    assert reactions.endless_loop([reaction("self", "Patient", "Patient")]) == ["self"]


@pytest.mark.parametrize(
    ("residents", "before", "then", "most"),
    [
        pytest.param(12, 0, 0, 6, id="nobody-asks"),
        pytest.param(12, 3, 3, 6, id="people-wait-for-them"),
        pytest.param(2, 3, 3, 1, id="few-let-others-go-first"),
        pytest.param(PAGE, 3, 3, 1, id="a-backlog-lets-others-go-first"),
        pytest.param(PAGE, 0, 3, 2, id="also-those-who-came-after-it-was-begun"),
    ],
)
async def test_reactions_give_way_while_requests_are_answered(
    database: Database, residents: int, before: int, then: int, most: int
) -> None:
    crowd, at_work, seen = before, 0, list[int]()

    async def act(_handle: Any, change: Change) -> None:
        nonlocal at_work, crowd
        crowd, at_work = then, at_work + 1
        seen.append(at_work)
        await asyncio.sleep(0 if residents == PAGE else 0.01)
        at_work -= 1
        del change

    await add(database, *range(residents))
    async with running(database, Reaction("test.note", listens={"Patient"}, writes={"Flag"}, act=act), crowd=lambda: crowd):
        await until(lambda: len(seen) == residents)
    assert max(seen) == most
