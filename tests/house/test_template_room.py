"""`make room` gives a room that keeps all laws and whose tests pass, without an entry anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tools import room as template

from tests.house.house import ROOT, copy_of_the_house, plant_room
from tests.house.test_docs import undocumented
from tests.house.test_languages import message_faults
from tests.house.test_parts import empty_name_faults, part_faults, readme_faults


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with the room support/laundry."""
    folder = tmp_path_factory.mktemp("house")
    source = copy_of_the_house(folder)
    template.make(source / "kangyun", "support", "laundry")
    for name in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    artefact = Path("kangyun/base/fhir/r4.bin")
    (source / artefact).symlink_to(ROOT / "src" / artefact)
    (folder / ".venv").symlink_to(sys.prefix)  # Where the type checker looks for the packages.
    return folder


def run(house: Path, *command: str) -> str:
    # A pytest that starts closes the folder that holds its folders; ours hold running databases of other tests.
    environment = {**os.environ, "PYTHONPATH": str(house / "src"), "PYTEST_DEBUG_TEMPROOT": str(house)}
    done = subprocess.run(
        [sys.executable, *command], cwd=house, env=environment, capture_output=True, text=True, check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def of_the_room(faults: list[str]) -> list[str]:
    return [fault for fault in faults if "laundry" in fault]


def test_it_has_all_parts_and_explains_itself(house: Path) -> None:
    source = house / "src" / "kangyun"
    faults = [*part_faults(source), *readme_faults(source), *empty_name_faults(source), *message_faults(source)]
    assert of_the_room([*faults, *undocumented(source)]) == []


def test_it_is_clean_and_typed(house: Path) -> None:
    room = "src/kangyun/support/laundry"
    assert run(house, "-m", "ruff", "check", "--no-cache", room) == ""
    assert run(house, "-m", "basedpyright", room) == ""


def test_its_own_tests_and_examples_pass(house: Path) -> None:
    assert run(house, "-m", "pytest", "-p", "no:cacheprovider", "src/kangyun/support/laundry") == ""
    check = (
        "from kangyun.base import rules; from kangyun.support.laundry.decisions import check_example as judge\n"
        "rule = rules.load('kangyun.support.laundry', 'limit.yaml')\n"
        "assert all(judge(rule, e.given) == e.expect for e in rule.examples)"
    )
    assert run(house, "-c", check) == ""


def test_the_platform_finds_it_by_itself(house: Path) -> None:
    check = (
        "from kangyun.app.web import route_table; from kangyun.app.rooms import doors, rooms\n"
        "from kangyun.base import web\n"
        "assert 'kangyun.support.laundry' in rooms()\n"
        "assert '/laundry/{patient}' in {route.path for route in route_table()}\n"
        "assert 'laundry.reading' in {r.name for door in doors('reactions') for r in door.reactions()}\n"
        "assert not [fault for fault in web.catalogue_problems() if 'laundry' in fault]"
    )
    assert run(house, "-c", check) == ""


@pytest.mark.parametrize("name", ["laundry", "attic/laundry", "support/Laundry", "support/laundry/x", "base/laundry"])
def test_a_bad_name_is_refused(name: str) -> None:
    assert template.main([name]) == 2


def test_a_room_that_is_there_is_left_alone(tmp_path: Path) -> None:
    plant_room(tmp_path, "support/laundry")
    with pytest.raises(FileExistsError):
        template.make(tmp_path / "kangyun", "support", "laundry")
