"""Whoever may do anything in the database is found out: a thousand tamperings, each alone, and some through SQL."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.commons.access.actions.archive import archive_folder, move_old
from kangyun.commons.access.actions.examining import Examiner, trail_folder
from kangyun.commons.access.actions.lane import Witness, sql
from kangyun.commons.access.actions.roots import checks, make_root
from kangyun.commons.access.actions.trail import Trail
from kangyun.commons.access.decisions.examining import Checks, Examination, Finding, Head, Place, Root
from kangyun.commons.access.decisions.trail import START, head_text, link
from kangyun.commons.access.tests.test_trail import event


@dataclass
class Held:
    """All that a trail consists of, in memory; rows are lists in the order of the columns."""

    rows: list[list[Any]]
    heads: list[Head]
    roots: list[Root]
    seen: dict[int, Place]
    mac: Callable[[bytes], bytes]

    def findings(self, of: Checks) -> list[Finding]:
        """What an examination finds."""
        examination = Examination(of, self.seen)
        found = list(examination.roots(sorted(self.roots, key=lambda root: root.number)))
        for row in sorted(self.rows, key=lambda row: (row[0], row[1])):
            found += examination.row(row)
        return [*found, *examination.heads(sorted(self.heads, key=lambda head: head.lane)), *examination.rest()]

    def copy(self) -> Held:
        """One to tamper with."""
        return Held([list(row) for row in self.rows], list(self.heads), list(self.roots), self.seen, self.mac)


async def fill(services: Services, rounds: int = 3) -> None:
    """Three lanes, a root after each round, and something after the last root."""
    folder = trail_folder(services.settings.data)
    async with Trail(services.database, services.keys, folder) as one, Trail(services.database, services.keys, folder) as two, \
            Trail(services.database, services.keys, folder) as three:
        for round_ in range(rounds + 1):
            for number in range(15):
                for trail in (one, two, three):
                    trail.note(event(f"user/{number}", query=f"name={round_}", institution=f"org-{number % 3}"))
            for trail in (one, two, three):
                await trail.settled()
            if round_ < rounds:
                await make_root(SimpleNamespace(database=services.database, keys=services.keys, trail=one), {})


async def held(services: Services) -> Held:
    witness = Witness(trail_folder(services.settings.data))
    async with services.database.connection() as connection:
        rows = [list(row) for row in await connection.fetch(sql.all_rows)]
        heads = [Head(*row) for row in await connection.fetch(sql.heads)]
        roots = [Root(*row) for row in await connection.fetch(sql.roots)]
    seen = {lane: end for lane in witness.lanes() if (end := witness.read(lane))}
    return Held(rows, heads, roots, seen, checks(services.keys).mac)


@pytest.fixture(scope="module")
async def whole(services: Services) -> Held:
    await fill(services)
    return await held(services)


@pytest.fixture(scope="module")
def of(services: Services) -> Checks:
    """The keys' checks; a signature is judged once."""
    real = checks(services.keys)
    return Checks(real.mac, cache(real.signed))


def edit(held: Held, chance: random.Random) -> None:
    """One value of one row."""
    row = chance.choice(held.rows)
    column = chance.randrange(2, 11)
    row[column] = b"x" if column == 9 and row[column] is None else _other(row[column], chance)


def _other(value: Any, chance: random.Random) -> Any:
    if isinstance(value, bytes):
        place = chance.randrange(len(value))
        return value[:place] + bytes([value[place] ^ 1 << chance.randrange(8)]) + value[place + 1:]
    if isinstance(value, str):
        place = chance.randrange(len(value))
        return value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1:]
    if isinstance(value, list):
        return [*value, chance.randrange(1000)] if not value or chance.random() < 0.5 else value[1:]
    return value + timedelta(microseconds=chance.choice([-1000, 1000])) if value is not None else "org-x"


def edit_well(held: Held, chance: random.Random) -> None:
    """A row with its body, columns and hash made to fit, and all that follow in its lane as well, heads included."""
    row = chance.choice(held.rows)
    body = orjson.loads(row[8])
    body["name"] = row[3] = "user/nobody"
    row[8] = orjson.dumps(body).decode()
    _chain(held, row[0])


def _chain(held: Held, lane: int) -> None:
    """Hash a lane anew, as anybody can who knows how; the head's keyed hash is beyond them."""
    before, last = START, 0
    for row in sorted((row for row in held.rows if row[0] == lane), key=lambda row: row[1]):
        row[10] = before = link(before, lane, row[1], row[9] or b"", row[8].encode())
        last = row[1]
    held.heads = [replace(head, seq=last, hash=before) if head.lane == lane else head for head in held.heads]


def delete(held: Held, chance: random.Random) -> None:
    """One row."""
    held.rows.remove(chance.choice(held.rows))


def delete_well(held: Held, chance: random.Random) -> None:
    """One row, the gap closed and everything hashed anew."""
    gone = chance.choice(held.rows)
    held.rows.remove(gone)
    for row in held.rows:
        row[1] -= row[0] == gone[0] and row[1] > gone[1]
    _chain(held, gone[0])


def cut(held: Held, chance: random.Random) -> None:
    """The end of a lane; the head that was true there, with its keyed hash, was kept by the attacker."""
    row = chance.choice(held.rows)
    if not any(other[0] == row[0] and other[1] > row[1] for other in held.rows):
        return delete(held, chance)
    held.rows = [other for other in held.rows if other[0] != row[0] or other[1] <= row[1]]
    mac = held.mac(head_text(row[0], row[1], row[10]))
    held.heads = [Head(row[0], row[1], row[10], mac) if head.lane == row[0] else head for head in held.heads]
    return None


def insert(held: Held, chance: random.Random) -> None:
    """A row of somebody else's making: behind the end, in a lane of its own, or in between with the others moved up."""
    kind, row = chance.randrange(3), list(chance.choice(held.rows))
    if kind == 0:
        end = next(head for head in held.heads if head.lane == row[0])
        row[1], row[10] = end.seq + 1, link(end.hash, row[0], end.seq + 1, row[9] or b"", row[8].encode())
    elif kind == 1:
        row[0], row[1] = 9, 1
        row[10] = link(START, 9, 1, row[9] or b"", row[8].encode())
    else:
        for other in held.rows:
            other[1] += other[0] == row[0] and other[1] >= row[1]
    held.rows.append(row)


def insert_well(held: Held, chance: random.Random) -> None:
    """A row in between, everything hashed anew."""
    row = list(chance.choice(held.rows))
    for other in held.rows:
        other[1] += other[0] == row[0] and other[1] >= row[1]
    held.rows.append(row)
    _chain(held, row[0])


def swap(held: Held, chance: random.Random) -> None:
    """Two rows change places: with their hashes, or without."""
    one, other = chance.sample(held.rows, 2)
    columns = range(2, 11 if chance.random() < 0.5 else 10)
    if all(one[column] == other[column] for column in columns):
        return edit(held, chance)
    for column in columns:
        one[column], other[column] = other[column], one[column]
    return None


def swap_well(held: Held, chance: random.Random) -> None:
    """Two rows of a lane change places, everything hashed anew."""
    one = chance.choice(held.rows)
    other = chance.choice([row for row in held.rows if row[0] == one[0] and row is not one])
    for column in range(2, 10):
        one[column], other[column] = other[column], one[column]
    _chain(held, one[0])


def touch_root(held: Held, chance: random.Random) -> None:
    """A root changed or taken away."""
    place = chance.randrange(len(held.roots))
    root, name = held.roots[place], chance.choice(["body", "day", "sm2", "es256", ""])
    if name == "":
        del held.roots[place]
    elif name == "day":
        held.roots[place] = replace(root, day=root.day + timedelta(days=1))
    else:
        held.roots[place] = replace(root, **{name: _other(getattr(root, name), chance)})


def touch_head(held: Held, chance: random.Random) -> None:
    """A head changed or taken away."""
    place = chance.randrange(len(held.heads))
    head, name = held.heads[place], chance.choice(["seq", "hash", "mac", ""])
    if name == "":
        del held.heads[place]
    else:
        value = head.seq + chance.choice([-1, 1]) if name == "seq" else _other(getattr(head, name), chance)
        held.heads[place] = replace(head, **{name: value})


TAMPERINGS = (edit, edit, edit_well, delete, delete_well, cut, insert, insert_well, swap, swap_well, touch_root, touch_head)


def test_a_whole_trail_has_no_findings(whole: Held, of: Checks) -> None:
    assert len(whole.rows) == 183
    assert whole.findings(of) == []


def test_each_of_a_thousand_tamperings_is_found(whole: Held, of: Checks) -> None:
    chance = random.Random(4)
    missed: list[str] = []
    for number in range(1000):
        tampered = whole.copy()
        tampering = TAMPERINGS[number % len(TAMPERINGS)]
        tampering(tampered, chance)
        if not tampered.findings(of):
            missed.append(tampering.__name__)
    assert missed == []


async def test_old_days_move_into_sealed_files_and_are_examined_there(services: Services, whole: Held) -> None:
    assert whole.rows
    assert await findings(services) == []
    clock.set_source(lambda: datetime.now(UTC) + timedelta(days=200))
    await move_old(services, {})
    left = await held(services)
    assert {(row[0], row[1]) for row in left.rows} == {(row[0], row[1]) for row in whole.rows if _is_after(row, whole.roots[-1])}
    assert await findings(services) == []
    await move_old(services, {})
    files = sorted(archive_folder(services.settings.data).iterdir())
    assert len(files) == 3
    assert all(b"user/" not in path.read_bytes() for path in files)

    content = files[1].read_bytes()
    for damaged in (content[:-1], content[:100] + bytes([content[100] ^ 1]) + content[101:], files[0].read_bytes(), b""):
        files[1].write_bytes(damaged)
        assert any("archive" in str(finding) for finding in await findings(services))
    files[1].unlink()
    assert [finding.kind for finding in await findings(services)] == ["unreadable", "missing"]
    files[1].write_bytes(content)
    assert await findings(services) == []
    async with Trail(services.database, services.keys, trail_folder(services.settings.data)) as trail:
        trail.note(event("user/later"))
    assert await findings(services) == []


async def test_what_is_not_whole_is_not_moved(services: Services, whole: Held) -> None:
    assert whole.rows
    async with Trail(services.database, services.keys, trail_folder(services.settings.data)) as trail:
        trail.note(event("user/touched"))
        await trail.settled()
        await make_root(SimpleNamespace(database=services.database, keys=services.keys, trail=trail), {})
    async with services.database.connection() as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE audit_event SET institution = 'org-9' WHERE name = 'user/touched'")
        await connection.execute("SET session_replication_role = origin")
    clock.set_source(lambda: datetime.now(UTC) + timedelta(days=400))
    archive_folder(services.settings.data).mkdir(parents=True, exist_ok=True)
    files = sorted(archive_folder(services.settings.data).iterdir())
    await move_old(services, {})
    assert sorted(archive_folder(services.settings.data).iterdir()) == files
    async with services.database.connection() as connection:
        row = await connection.fetchrow("SELECT lane, seq, at FROM audit_event WHERE name = 'user/touched'")
    assert row is not None
    found = [str(finding) for finding in await findings(services)]
    day = row["at"].astimezone(timezone(timedelta(hours=8))).date()
    assert found == [f"changed: columns that differ from the body (lane {row['lane']}, seq {row['seq']}, {day})"]


async def findings(services: Services) -> list[Finding]:
    """What the examination of the database and the data folder finds."""
    async with services.database.connection() as connection:
        examiner = Examiner(connection, services.keys, services.settings.data)
        return [one async for one in examiner.findings() if isinstance(one, Finding)]


def _is_after(row: list[Any], root: Root) -> bool:
    return row[1] > root.heads.get(row[0], (0, START))[0]
