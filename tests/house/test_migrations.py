"""Migrations are numbered, plain and forward only; tables that grow can be spread by resident."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.house import ROOT, SOURCE, assert_kept, copy_of_the_house, plant

NAME = re.compile(r"(\d{4})_[a-z0-9]+(_[a-z0-9]+)*\.sql")
HUNDREDS = {
    "base": range(100), "records": range(100, 200), "access": range(200, 300), "population": range(300, 400),
    "exchange": range(400, 500),
}
NOT_EVERYWHERE = re.compile(r"\b(CREATE\s+EXTENSION|COMPRESSION\s+lz4|PROVIDER\s*=?\s*icu|JSON_TABLE|UUIDV7)\b", re.IGNORECASE)
BACKWARD = re.compile(r"^--\s*(down|rollback|revert)\b", re.IGNORECASE | re.MULTILINE)

EXEMPT = re.compile(r"--\s*no resident: \S+ \S+")
TABLE = re.compile(
    r"((?:^--[^\n]*\n)*)^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)^\)", re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
UNIQUE_IN_TABLE = re.compile(r"\b(?:PRIMARY KEY|UNIQUE)\s*\(([^)]*)\)", re.IGNORECASE)
UNIQUE_COLUMN = re.compile(r"^\s*(\w+)\s[^,(]*\b(?:PRIMARY KEY|UNIQUE)\b(?!\s*\()", re.IGNORECASE | re.MULTILINE)
UNIQUE_INDEX = re.compile(r"CREATE UNIQUE INDEX \w+ ON (\w+) (?:USING \w+ )?\(([^;]*?)\)(?: WHERE|;)", re.IGNORECASE | re.DOTALL)


def migration_files(source: Path = SOURCE) -> list[Path]:
    """All migrations in the order in which they run."""
    return sorted(source.rglob("migrations/*.sql"), key=lambda path: path.name)


def naming_faults(source: Path) -> list[str]:
    """Names out of shape, numbers used twice or outside of their room's hundred."""
    found: list[str] = []
    seen: dict[str, str] = {}
    for path in migration_files(source):
        match = NAME.fullmatch(path.name)
        if not match:
            found.append(f"{path.name} is not called NNNN_sentence.sql")
            continue
        number = match[1]
        if number in seen:
            found.append(f"{path.name} has the number of {seen[number]}")
        seen[number] = path.name
        hundred = HUNDREDS.get(_room(path, source))
        if hundred is not None and int(number) not in hundred:
            found.append(f"{path.name} is outside of the numbers of {_room(path, source)}")
    return found


def _room(path: Path, source: Path) -> str:
    parts = path.relative_to(source).parts
    return parts[0] if parts[0] == "base" else parts[1]


def portability_faults(source: Path) -> list[str]:
    """What a plain PostgreSQL 15 without extensions does not know, and ways back."""
    return [
        f"{path.name}: {match[0]}"
        for path in migration_files(source)
        for pattern in (NOT_EVERYWHERE, BACKWARD)
        for match in pattern.finditer(path.read_text("utf-8"))
    ]


def resident_faults(source: Path) -> list[str]:
    """Unique keys of growing tables that do not contain the resident.

    Spread over machines, PostgreSQL can keep a key unique only when it contains the column it is spread by. A table
    that does not concern residents says so in a comment above it: `-- no resident: <reason>`.
    """
    found: list[str] = []
    for path in migration_files(source):
        text = path.read_text("utf-8")
        exempt = {name for comment, name, _ in TABLE.findall(text) if EXEMPT.search(comment)}
        for table, columns in _unique_keys(text):
            if table not in exempt and "resident" not in re.findall(r"\w+", columns):
                found.append(f"{path.name}: the key ({columns.strip()}) of {table} lacks resident")
    return found


def _unique_keys(text: str) -> Iterator[tuple[str, str]]:
    for _, table, body in TABLE.findall(text):
        yield from ((table, columns) for columns in UNIQUE_IN_TABLE.findall(body))
        yield from ((table, column) for column in UNIQUE_COLUMN.findall(body))
    yield from UNIQUE_INDEX.findall(text)


def test_migrations_are_numbered_in_their_rooms_hundred() -> None:
    assert_kept(naming_faults(SOURCE))


def test_migrations_run_on_a_plain_postgresql_and_only_forward() -> None:
    assert_kept(portability_faults(SOURCE))


def test_growing_tables_have_the_resident_in_every_unique_key() -> None:
    assert_kept(resident_faults(SOURCE))


def test_a_released_migration_is_never_changed() -> None:
    git = ["git", "-C", str(ROOT)]
    latest = subprocess.run([*git, "describe", "--tags", "--abbrev=0"], capture_output=True, text=True, check=False)
    if latest.returncode:
        pytest.skip("nothing is released yet")
    changed = subprocess.run(
        [*git, "diff", "--name-only", "--diff-filter=MDR", latest.stdout.strip(), "--", "src/**/migrations/*.sql"],
        capture_output=True, text=True, check=True,
    )
    assert changed.stdout.split() == []


def test_the_laws_of_migrations_catch_what_they_forbid(tmp_path: Path) -> None:
    source = copy_of_the_house(tmp_path)
    plant(source, "commons/population/migrations/0399_card.sql", """
CREATE EXTENSION pg_trgm;
CREATE TABLE card (
    id bigint PRIMARY KEY,
    resident bigint,
    number text UNIQUE
);
CREATE UNIQUE INDEX card_number ON card (number, lower(number));
-- no resident: it counts institutions.
CREATE TABLE institution (
    id bigint PRIMARY KEY
);
-- down: DROP TABLE card
""")
    plant(source, "commons/population/migrations/0101_twice.sql", "")
    plant(source, "commons/population/migrations/Card.sql", "")
    house = source / "kangyun"
    naming = naming_faults(house)
    assert "Card.sql is not called NNNN_sentence.sql" in naming
    assert "0101_twice.sql has the number of 0101_resource.sql" in naming
    assert "0101_twice.sql is outside of the numbers of population" in naming
    portable = portability_faults(house)
    assert "0399_card.sql: CREATE EXTENSION" in portable
    assert any("down" in fault for fault in portable)
    keys = [fault for fault in resident_faults(house) if fault.startswith("0399")]
    assert len(keys) == 3, keys
    assert not any("institution" in fault for fault in keys)
