"""Floors look down, the commons are a staircase, neighbours are strangers, only access opens records.

The contracts stand in .importlinter; here they are run, and shown to catch what they forbid.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests.house.house import ROOT, assert_kept, plant, plant_room, stub_of_the_house

LINTER = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"


def lint(folder: Path) -> tuple[int, str]:
    """Run import-linter over the src folder of `folder`; returns its status and what it wrote."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", LINTER], cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_are_kept() -> None:
    status, text = lint(ROOT)
    assert status == 0, text


SINS = {
    "base looks up": ("base/clock.py", "import kangyun.commons.access"),
    "a lower step of the staircase looks up": ("commons/population/model.py", "import kangyun.commons.exchange"),
    "exchange goes past the gate": ("commons/exchange/model.py", "import kangyun.commons.records.model"),
    "a portal goes past the gate": ("portals/clinician/pages.py", "import kangyun.commons.records"),
    "decisions reach for actions": ("commons/access/decisions.py", "import kangyun.commons.access.actions"),
    "the model reaches for decisions": ("commons/access/model.py", "import kangyun.commons.access.decisions"),
    "neighbours know each other": ("care/east/model.py", "import kangyun.care.west.model"),
    "a floor looks up": ("support/drugs/model.py", "import kangyun.care.west.model"),
    "the commons import a service": ("commons/population/model.py", "import kangyun.support.drugs.model"),
    "one door uses another": ("care/east/pages.py", "import kangyun.care.east.api"),
}


@pytest.fixture(scope="module")
def sinful(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a stub of the house with all sins planted at once."""
    folder = tmp_path_factory.mktemp("house")
    source = stub_of_the_house(folder)
    for room in ("care/east", "care/west", "support/drugs", "portals/other"):
        plant_room(source, room)
    plant(source, "care/east/api.py", "")
    for name, text in SINS.values():
        plant(source, name, text)
    status, text = lint(folder)
    assert status != 0
    return text


@pytest.mark.parametrize(("name", "text"), SINS.values(), ids=SINS.keys())
def test_a_forbidden_import_is_caught(sinful: str, name: str, text: str) -> None:
    importer = "kangyun." + name.removesuffix(".py").replace("/", ".")
    imported = text.removeprefix("import ")
    told = " ".join(sinful.split())
    assert f"{importer} -> {imported}" in told


def test_a_new_complete_room_needs_no_entry(tmp_path: Path) -> None:
    source = stub_of_the_house(tmp_path)
    plant_room(source, "care/east")
    status, text = lint(tmp_path)
    assert status == 0, text


@pytest.mark.parametrize("name", ["commons/access/services.py", "portals/clinician/actions.py"])
def test_a_part_that_has_no_place_is_caught(tmp_path: Path, name: str) -> None:
    source = stub_of_the_house(tmp_path)
    plant(source, name, "")
    status, text = lint(tmp_path)
    assert status != 0
    assert name.removesuffix(".py").rsplit("/", 1)[1] in text


DOORS_ONLY_APP_OPENS = ("api", "pages", "reactions", "listeners")


def side_entries(graph: grimp.ImportGraph) -> list[str]:
    """Imports that reach into a room past its front door.

    From outside, a room is its package and nothing inside it. Only app, which joins everything, opens the doors.
    """
    return sorted(
        f"{importer} -> {imported}"
        for imported in graph.modules
        if (room := _room_of(imported)) and imported != room
        for importer in graph.find_modules_that_directly_import(imported)
        if importer != room and not importer.startswith((f"{room}.", "kangyun.app"))
    )


def _room_of(module: str) -> str | None:
    parts = module.split(".")
    inside = len(parts) > 3 and parts[1] in {"commons", "support", "care", "oversight", "portals"}
    return ".".join(parts[:3]) if inside else None


def test_a_room_is_entered_by_its_front_door() -> None:
    assert_kept(side_entries(grimp.build_graph("kangyun", cache_dir=None)))


def test_a_side_entry_is_caught() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in (
        ("kangyun.commons.population.actions", "kangyun.commons.access.decisions"),
        ("kangyun.commons.population.actions", "kangyun.commons.access"),
        ("kangyun.commons.access.actions", "kangyun.commons.access.decisions"),
        ("kangyun.app.web", "kangyun.commons.access.decisions"),
    ):
        for module in (importer, imported):
            if module not in graph.modules:
                graph.add_module(module)
        graph.add_import(importer=importer, imported=imported)
    assert side_entries(graph) == ["kangyun.commons.population.actions -> kangyun.commons.access.decisions"]
