"""Every room has the same parts; whoever knows one room knows all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.house import ROOM_FLOORS, ROOT, SOURCE, assert_kept, copy_of_the_house, plant, rooms

PARTS = {
    "README.md", "__init__", "model", "rules", "decisions", "gateways", "queries", "actions", "reactions", "api",
    "pages", "templates", "static", "locale", "migrations", "tests",
}
NEEDED = {"README.md", "__init__", "model", "decisions", "actions", "tests"}
NEEDED_IN_PORTALS = {"README.md", "__init__", "pages", "tests"}
ONE_DOOR_MORE = {"exchange": {"listeners"}}

HEADINGS = ["Purpose", "Words", "People", "Sources", "Journeys", "Quality"]
LEDGER = re.compile(r"- (done|todo): \S.*|- exempt: \S.*, because \S.*")

EMPTY_NAMES = {
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "service", "tools", "stuff",
    "base_classes", "shared", "lib",
}
# The tree's own floors are words of the glossary; these look alike but mean something.
MEANT = {"kangyun/base", "kangyun/commons"}


def part_faults(source: Path) -> list[str]:
    """Rooms that lack a part, or have one that no other room has."""
    found: list[str] = []
    for room in rooms(source):
        present = {_part(entry) for entry in room.iterdir() if not entry.name.startswith(("__py", "."))}
        needed = NEEDED if room.parent.name in ROOM_FLOORS else NEEDED_IN_PORTALS
        allowed = PARTS | ONE_DOOR_MORE.get(room.name, set())
        found += [f"{room.parent.name}/{room.name} lacks {part}" for part in sorted(needed - present)]
        found += [f"{room.parent.name}/{room.name} has {part}" for part in sorted(present - allowed)]
    return found


def _part(entry: Path) -> str:
    # Named SQL belongs to the part whose Python file it stands beside.
    return entry.name if entry.name == "README.md" else entry.stem if entry.suffix in {".py", ".sql"} else entry.name


def readme_faults(source: Path) -> list[str]:
    """READMEs of rooms without the five headings in order, or without an honest quality ledger."""
    found: list[str] = []
    for room in rooms(source):
        readme = room / "README.md"
        text = readme.read_text("utf-8") if readme.exists() else ""
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        if headings != HEADINGS:
            found.append(f"{room.name}/README.md has the headings {headings}, not {HEADINGS}")
            continue
        ledger = [line for line in text.split("## Quality")[1].splitlines() if line.startswith("- ")]
        found += [f"{room.name}/README.md: {line}" for line in ledger if not LEDGER.match(line)]
        if not ledger:
            found.append(f"{room.name}/README.md has an empty quality ledger")
    return found


def empty_name_faults(source: Path) -> list[str]:
    """Files and folders whose name says nothing about what is inside."""
    entries = (path for path in source.rglob("*") if path.suffix == ".py" or path.is_dir())
    return sorted(
        path.relative_to(source).as_posix()
        for path in entries
        if path.stem.lower() in EMPTY_NAMES and "static" not in path.parts and "templates" not in path.parts
    )


def test_every_room_has_the_same_parts() -> None:
    assert_kept(part_faults(SOURCE))


def test_every_room_explains_itself_and_confesses() -> None:
    assert_kept(readme_faults(SOURCE))


def test_no_file_is_called_utils_or_the_like() -> None:
    assert_kept(empty_name_faults(ROOT / "src"))


def test_the_laws_of_the_parts_catch_what_they_forbid(tmp_path: Path) -> None:
    source = copy_of_the_house(tmp_path)
    plant(source, "care/__init__.py", "")
    plant(source, "care/clinic/__init__.py", "")
    plant(source, "care/clinic/services.py", "")
    plant(source, "care/clinic/README.md", "## Purpose\n## Quality\n- done: all")
    plant(source, "commons/access/utils.py", "")
    assert "care/clinic lacks actions" in part_faults(source / "kangyun")
    assert "care/clinic has services" in part_faults(source / "kangyun")
    assert any("clinic/README.md has the headings" in fault for fault in readme_faults(source / "kangyun"))
    assert "kangyun/commons/access/utils.py" in empty_name_faults(source)


@pytest.mark.parametrize(("line", "good"), [
    ("- done: both languages", True),
    ("- todo: a page for the operator", True),
    ("- exempt: no pages, because machines only come here", True),
    ("- exempt: no pages", False),
    ("- maybe: something", False),
])
def test_the_ledger_knows_three_words(line: str, good: bool) -> None:
    assert bool(LEDGER.match(line)) is good
