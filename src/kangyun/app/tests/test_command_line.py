"""The command `kangyun` for people: help for everything, and one clear line for every mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.serving import environment, run


@pytest.mark.parametrize("command", [[], ["serve"], ["worker"], ["migrate"], ["import"], ["sheets"], ["backup"], ["restore"], ["demo"], ["keys"], ["check-journeys"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    assert "usage: kangyun" in run(*command, "--help").stdout


def test_help_does_not_load_the_platform() -> None:
    asked = "from kangyun.app import cli\ntry:\n    cli.main(['serve', '--help'])\nexcept SystemExit:\n    pass"
    loaded = f"import sys\n{asked}\nprint(*(name for name in sys.modules if name.startswith('kangyun.commons')))"
    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, env=environment())
    assert answer.stdout.splitlines()[-1] == ""


def test_an_empty_hospital_agrees_to_the_fen(tmp_path: Path) -> None:
    assert "everything agrees, to the fen" in run("check-journeys", "--data", tmp_path / "data").stdout


@pytest.mark.parametrize(("arguments", "settings", "told"), [
    (["serve"], {"nonsense_port": "x", "port": "eighty"}, "setting port: 'eighty' is not a int"),
    (["serve", "--port", "eighty"], {}, "invalid int value: 'eighty'"),
    (["--settings", "nowhere.toml", "serve"], {}, "nowhere.toml"),
    (["nonsense"], {}, "invalid choice: 'nonsense'"),
    ([], {}, "required"),
    (["import", "--data", "x", "nowhere.ndjson"], {}, "nowhere.ndjson"),
    (["sheets", "--data", "x", "nowhere"], {}, "nowhere"),
    (["restore", "nowhere"], {}, "is not a backup"),
])
def test_a_mistake_is_one_clear_message(arguments: list[str], settings: dict[str, str], told: str, tmp_path: Path) -> None:
    answer = run(*arguments, check=False, cwd=tmp_path, settings=settings)
    assert answer.returncode != 0
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "kangyun.toml"
    file.write_text("prot = 8080\n")
    answer = run("--settings", file, "migrate", check=False, cwd=tmp_path)
    assert answer.returncode != 0
    assert "unknown setting: prot" in answer.stderr
    file.write_text("port = = 1")
    answer = run("--settings", file, "migrate", check=False, cwd=tmp_path)
    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    answer = run("migrate", "--data", file, check=False, cwd=tmp_path)
    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr
    assert str(file) in answer.stderr
