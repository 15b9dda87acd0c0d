"""The books: both sides are equal, nothing is changed afterwards, and the database itself says so."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kangyun.base.database import Database
from kangyun.support.payments.actions.books import post
from kangyun.support.payments.decisions import books
from kangyun.support.payments.model import Posting
from kangyun.support.payments.queries.ledger import balance, balances, sql

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


async def _post(database: Database, reference: str, *sides: tuple[str, int]) -> bool:
    async with database.transaction() as connection:
        return await post(connection, "test", reference, NOW, [Posting(account, fen) for account, fen in sides])


async def test_sides_that_are_not_equal_are_refused_by_the_database(database: Database) -> None:
    for name, sides in {"unequal": [("a", 5), ("b", -4)], "one": [("a", 5)]}.items():
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="two sides"):
            await _post(database, name, *sides)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM payments_transaction") == 0
        assert await balance(connection, "a") == 0


async def test_nothing_is_changed_added_or_removed_afterwards(database: Database) -> None:
    assert await _post(database, "kept", ("kept-a", 500), ("kept-b", -500))
    statements = (
        "UPDATE payments_posting SET fen = fen * 2", "DELETE FROM payments_posting", "UPDATE payments_transaction SET day = day + 1",
        "DELETE FROM payments_transaction", "TRUNCATE payments_posting", "UPDATE payments_account SET code = code || 'x'",
        "INSERT INTO payments_posting SELECT id, 3, 'kept-a', 7 FROM payments_transaction UNION ALL SELECT id, 4, 'kept-b', -7 FROM payments_transaction",
        "INSERT INTO payments_transaction (kind, reference, at, day) VALUES ('empty', 'x', now(), now())",
    )
    for statement in statements:
        async with database.connection() as connection:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await connection.execute(statement)
    async with database.connection() as connection:
        assert (await balance(connection, "kept-a"), await balance(connection, "kept-b")) == (500, -500)


async def test_an_event_is_posted_once_also_by_many_at_once(database: Database) -> None:
    done = await asyncio.gather(*(_post(database, "once", ("once-a", 100), ("once-b", -100)) for _ in range(20)))
    assert sum(done) == 1
    async with database.connection() as connection:
        assert await balance(connection, "once-a") == 100


EVENTS = {
    "paid": lambda fen: books.paid("wechat", "h1", fen),
    "excess": lambda fen: books.paid_in_excess("alipay", fen),
    "granted": lambda fen: books.refund_granted("wechat", "h1", fen, excess=False),
    "back": lambda fen: books.refund_granted("alipay", "", fen, excess=True),
    "done": lambda fen: books.refund_done("wechat", fen),
    "failed": lambda fen: books.refund_failed("wechat", "h1", fen, excess=False),
    "settled": lambda fen: books.settled("wechat", 3 * fen, fen, fen // 7),
    "aside": lambda fen: books.set_aside("unionpay", -fen),
    "transfer": lambda fen: books.to_transfer("h1", fen),
    "transferred": lambda fen: books.transferred("h1", fen),
}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(EVENTS)), st.integers(1, 10**11))
def test_every_kind_of_event_has_two_equal_sides(kind: str, fen: int) -> None:
    sides = EVENTS[kind](fen)
    assert sum(one.fen for one in sides) == 0
    assert len(sides) >= 2
    assert all(one.fen for one in sides)


async def test_a_thousand_random_events_leave_books_that_add_up_to_nothing(database: Database) -> None:
    chance, expected = random.Random(67), dict[str, int]()
    async with database.transaction() as connection:
        for number in range(1000):
            kind, fen = chance.choice(sorted(EVENTS)), chance.randrange(1, 10**9)
            for side in EVENTS[kind](fen):
                expected[side.account] = expected.get(side.account, 0) + side.fen
            assert await post(connection, kind, str(number), NOW, EVENTS[kind](fen))
    async with database.connection() as connection:
        found = {one.account: one.fen for one in await balances(connection)}
        assert await connection.fetchval(sql.unbalanced) is None
    assert sum(found.values()) == 0
    assert {name: found[name] for name in expected} == expected
