"""The audit trail: noted at once, durable in groups, one unbroken chain in each lane, whatever happens to the database."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.base.waiting import until

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import journal as journals
from kangyun.commons.access.actions.trail import Trail
from kangyun.commons.access.decisions.trail import START, link
from kangyun.commons.access.model import Event


def event(name: str = "user/1", **more: Any) -> Event:
    """Somebody read a Patient."""
    given: dict[str, Any] = {"role": "hospital_doctor", "action": "read", "types": ["Patient"], "resources": ["Patient/p1"],
                             "residents": [7], "purpose": "care", "address": "10.0.0.9"} | more
    return Event(clock.now(), name, **given)


async def rows(database: Database) -> list[asyncpg.Record]:
    """All rows in the order of their chains."""
    async with database.connection() as connection:
        return await connection.fetch("SELECT * FROM audit_event ORDER BY lane, seq")


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await rows(database)]


async def broken(database: Database) -> list[tuple[int, int]]:
    """Rows that do not continue their lane."""
    found: list[tuple[int, int]] = []
    last: dict[int, tuple[int, bytes]] = {}
    for row in await rows(database):
        seq, before = last.get(row["lane"], (0, START))
        hash_ = link(before, row["lane"], row["seq"], row["sealed"] or b"", row["body"].encode())
        if row["seq"] != seq + 1 or hash_ != row["hash"]:
            found.append((row["lane"], row["seq"]))
        last[row["lane"]] = (row["seq"], row["hash"])
    return found


async def settled(trail: Trail) -> None:
    """Wait through refusals: the trail tries again by itself."""
    while True:
        try:
            return await trail.settled()
        except Problem:
            continue


@pytest.fixture
async def trail(services: Services, tmp_path: Path) -> AsyncIterator[Trail]:
    async with Trail(services.database, services.keys, tmp_path / "audit") as one:
        yield one


async def test_what_is_noted_is_durable_when_it_has_settled(trail: Trail, database: Database, services: Services) -> None:
    trail.note(event("user/first", query="name=张三", institution="org-1", session="s1", more="reason"))
    await trail.settled()
    row = (await rows(database))[-1]
    assert (row["name"], row["institution"], row["action"], row["outcome"]) == ("user/first", "org-1", "read", "ok")
    assert row["residents"] == [7]
    assert "张三" not in row["body"]
    assert services.keys.open("audit-trail", row["sealed"]).decode() == '["10.0.0.9","name=张三"]'
    await trail.settled()


async def test_those_who_wait_together_share_a_statement_and_keep_their_order(trail: Trail, database: Database) -> None:
    async def one(number: int) -> None:
        trail.note(event(f"user/together-{number}"))
        await trail.settled()

    await asyncio.gather(*(one(number) for number in range(500)))
    found = [name for name in await names(database) if "together" in name]
    assert sorted(found) == sorted(f"user/together-{number}" for number in range(500))
    assert await broken(database) == []


async def test_two_processes_write_two_lanes_and_a_lane_is_taken_up_again(services: Services, database: Database) -> None:
    async with Trail(database, services.keys) as first, Trail(database, services.keys) as second:
        for trail in (first, second):
            trail.note(event("user/two"))
            await trail.settled()
    async with Trail(database, services.keys) as third:
        third.note(event("user/two"))
        await third.settled()
    lanes = [row["lane"] for row in await rows(database) if row["name"] == "user/two"]
    assert sorted(lanes) in ([1, 1, 2], [1, 2, 2])
    assert await broken(database) == []


async def test_a_lost_connection_costs_nothing_that_was_noted(trail: Trail, database: Database) -> None:
    for number in range(12):
        trail.note(event(f"user/lost-{number}"))
        if number % 3 == 0:
            async with database.connection() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kangyun-audit'"
                    " AND datname = current_database()")
        with suppress(Problem):
            await trail.settled()
    await settled(trail)
    found = [name for name in await names(database) if "lost" in name]
    assert found == [f"user/lost-{number}" for number in range(12)]
    assert await broken(database) == []


async def test_no_event_can_stop_the_trail(trail: Trail, database: Database) -> None:
    nothing: Any = None
    for odd in (
        event("user/odd-\ud800"), event("user/odd-\0"), event("user/odd-" + "x" * 5000), event("user/odd", resources=["P/" + "y" * 200_000]),
        event("user/odd", residents=[2**70]), event("user/odd", action=nothing), event("user/odd", types=nothing),
        Event(datetime(2026, 1, 1), "user/odd", "x", "read"), event("user/odd", query="\0\ud800"),  # noqa: DTZ001 - the mistake itself
        Event(datetime(2026, 1, 1, tzinfo=UTC), "user/odd", "x", "read"),
    ):
        trail.note(odd)
        trail.note(event("user/even"))
    await settled(trail)
    found = await names(database)
    assert len([name for name in found if name.startswith("user/odd")]) == 10
    assert len([name for name in found if name == "user/even"]) == 10
    assert await broken(database) == []


async def test_the_tables_are_only_ever_added_to(trail: Trail, database: Database) -> None:
    trail.note(event())
    await trail.settled()
    for statement in (
        "UPDATE audit_event SET name = 'x'", "DELETE FROM audit_event", "TRUNCATE audit_event", "DELETE FROM audit_head",
        "UPDATE audit_head SET seq = seq - 1", "UPDATE audit_root SET day = day", "DELETE FROM audit_archive",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction() as connection:
                await connection.execute(statement)


async def test_a_lane_whose_end_does_not_fit_is_left_for_the_examiner(services: Services, database: Database, tmp_path: Path) -> None:
    async def write(folder: Path | None) -> int:
        async with Trail(database, services.keys, folder) as trail:
            trail.note(event("user/after"))
            await trail.settled()
        return (await newest(database))["lane"]

    lane = await write(tmp_path)
    async with database.connection() as connection:
        before = await connection.fetchrow("SELECT * FROM audit_head WHERE lane = $1", lane)
        assert before is not None
        assert await write(tmp_path) == lane
        # A head that was true once, and the tail cut off behind it.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("DELETE FROM audit_event WHERE lane = $1 AND seq > $2", lane, before["seq"])
        await connection.execute("UPDATE audit_head SET seq = $2, hash = $3, mac = $4 WHERE lane = $1", *before.values())
        await connection.execute("SET session_replication_role = origin")
    assert await write(tmp_path) != lane


async def newest(database: Database) -> asyncpg.Record:
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM audit_event ORDER BY at DESC, seq DESC LIMIT 1")
    assert row is not None
    return row


@pytest.fixture
async def slow(services: Services, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trail]:
    """A process whose events are durable and not in the tables yet."""

    async def away(*_: object) -> None:
        raise OSError

    one = Trail(database, services.keys, tmp_path / "own")
    with monkeypatch.context() as patch:
        patch.setattr(one, "_held", away)
        for number in range(5):
            one.note(event(f"user/slow-{number}"))
            await one.kept()
        yield one
    await one.close()


async def of_slow(database: Database) -> list[str]:
    return [name for name in await names(database) if "slow" in name]


async def test_what_an_ended_process_kept_is_brought_into_the_tables_once(
    slow: Trail, services: Services, database: Database, tmp_path: Path,
) -> None:
    del slow
    assert await of_slow(database) == []
    # Nobody holds the lock on a copy, as if its process had ended.
    shutil.copytree(tmp_path / "own", tmp_path / "left")
    for folder, expected in (("own", 0), ("left", 5), ("left", 5)):
        async with Trail(database, services.keys, tmp_path / folder) as another:
            await another.take_over()
        assert await of_slow(database) == [f"user/slow-{number}" for number in range(expected)], folder
    assert list((tmp_path / "left").glob("journal-*")) == []
    assert await broken(database) == []


async def test_what_was_changed_in_a_journal_is_not_taken_for_true(slow: Trail, services: Services, database: Database, tmp_path: Path) -> None:
    del slow
    shutil.copytree(tmp_path / "own", tmp_path / "left")
    [path] = (tmp_path / "left").glob("journal-*-0")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"user/slow-3", b"user/nobody"))
    async with Trail(database, services.keys, tmp_path / "left") as heir:
        await heir.take_over()
    assert not [name for name in await names(database) if "nobody" in name]


@pytest.fixture
async def strict(services: Services, tmp_path: Path) -> AsyncIterator[Trail]:
    """A trail whose callers wait for the disk."""
    async with Trail(services.database, services.keys, tmp_path / "disk", on_disk=True) as one:
        yield one


def open_journals(folder: Path) -> list[int]:
    """The open files of journals in a folder."""
    names = {int(one.name): one.resolve() for one in Path("/proc/self/fd").iterdir()}
    return [number for number, path in names.items() if path.parent == folder and path.name.startswith("journal-")]


async def test_what_is_kept_outlives_the_process_and_what_waits_for_the_database_the_power(
    trail: Trail, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, real = set[int](), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (real(file), given.add(file)))
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE audit_event RENAME TO audit_event_away")
        trail.note(event("user/quick"))
        await trail.kept()
        files = open_journals(tmp_path / "audit")
        assert files
        assert any(b"user/quick" in path.read_bytes() for path in (tmp_path / "audit").glob("journal-*"))
        await until(lambda: set(files) <= given)
        await connection.execute("ALTER TABLE audit_event_away RENAME TO audit_event")
    await settled(trail)
    assert "user/quick" in await names(database)


async def test_where_it_is_asked_for_the_disk_has_it_first(strict: Trail, tmp_path: Path) -> None:
    strict.note(event("user/sure"))
    await strict.kept()
    files = open_journals(tmp_path / "disk")
    assert files
    assert all(fcntl.fcntl(file, fcntl.F_GETFL) & os.O_DSYNC for file in files)


async def test_a_slow_disk_is_written_to_by_a_thread(strict: Trail, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, threads = journals.Journal.write, set[int]()

    def slow(*given: Any) -> None:
        time.sleep(0.02)
        threads.add(threading.get_ident())
        quick(*given)

    monkeypatch.setattr(journals.Journal, "write", slow)
    for number in range(20):
        strict.note(event(f"user/thread-{number:02}"))
        await strict.kept()
    await strict.settled()
    assert len(threads) > 1
    assert [name for name in await names(database) if "thread" in name] == [f"user/thread-{number:02}" for number in range(20)]
    assert await broken(database) == []


async def test_whoever_waits_is_told_when_nothing_can_be_kept(trail: Trail, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(journals.Journal, "write", full)
        trail.note(event("user/full"))
        with pytest.raises(Problem):
            await asyncio.wait_for(trail.kept(), 10)
    await settled(trail)
    assert [name for name in await names(database) if "full" in name] == ["user/full"]


def largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.glob("journal-*"))


async def test_a_journal_is_written_over_and_nothing_in_it_comes_twice(
    services: Services, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journals, "_TURN_BYTES", 2000)
    async with Trail(database, services.keys, tmp_path) as trail:
        for number in range(60):
            trail.note(event(f"user/turn-{number:02}"))
            await trail.kept()
            if number % 7 == 0:
                await trail.settled()
        assert largest(tmp_path) < 20_000
    assert [name for name in await names(database) if "turn" in name] == [f"user/turn-{number:02}" for number in range(60)]
    assert await broken(database) == []
