"""What the house laws look at: the tree, its rooms, and a copy of it to plant sins in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "kangyun"

ROOM_FLOORS = ("commons", "support", "care", "oversight")
FLOORS = (*ROOM_FLOORS, "portals")


def assert_kept(faults: Iterable[str]) -> None:
    """Fail with every fault on a line of its own, so that one run tells the whole story."""
    told = sorted(faults)
    assert not told, "\n" + "\n".join(told)


def rooms(source: Path = SOURCE, floors: tuple[str, ...] = FLOORS) -> Iterator[Path]:
    """The folders of all rooms."""
    for floor in floors:
        for folder in sorted((source / floor).glob("*/")):
            if (folder / "__init__.py").exists():
                yield folder


def python_files(*roots: Path) -> Iterator[Path]:
    """Every Python file below the roots."""
    for root in roots:
        yield from sorted(root.rglob("*.py"))


def is_test(path: Path) -> bool:
    """Whether a file belongs to a room's own tests."""
    return "tests" in path.parts[path.parts.index("src") :] if "src" in path.parts else "tests" in path.parts


def committed_files() -> list[Path]:
    """Every file of the repository as git would commit it: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
        check=True, text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def copy_of_the_house(to: Path) -> Path:
    """A copy of the package without data files, to plant sins in; returns its src folder."""
    source = to / "src"
    shutil.copytree(
        SOURCE, source / "kangyun",
        ignore=shutil.ignore_patterns("__pycache__", "static", "*.bin", "node_modules"),
    )
    return source


def stub_of_the_house(to: Path) -> Path:
    """The smallest house that keeps all contracts, to plant sins in; returns its src folder."""
    source = to / "src"
    shutil.copy(ROOT / ".importlinter", to / ".importlinter")
    for name in ("__init__.py", "app/__init__.py", "base/__init__.py", "base/clock.py"):
        plant(source, name, "")
    for room in ("commons/records", "commons/access", "commons/population", "commons/exchange", "portals/clinician"):
        plant_room(source, room)
    return source


def plant_room(source: Path, room: str) -> None:
    """A room with all its parts, all empty."""
    floor = room.split("/", maxsplit=1)[0]
    plant(source, f"{floor}/__init__.py", "")
    parts = ["__init__", "model", "decisions", "queries", "pages"]
    for part in parts if floor == "portals" else [*parts, "actions"]:
        plant(source, f"{room}/{part}.py", "")


def plant(source: Path, name: str, text: str) -> None:
    """Write a file into the copy, or add the text to the end of one that is there."""
    path = source / "kangyun" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
