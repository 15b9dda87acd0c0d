"""`kangyun keys`, and that a backup is worth nothing to a thief: the keys travel another way."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.serving import COMMAND, environment, run

from kangyun.base.keys import FileKeys, Unopenable

ROOT_KEY = "0123456789ABCDEFFEDCBA9876543210"


def bring(data: Path, text: str) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), "keys", "bring", "card-root", "--data", str(data)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=environment(), timeout=60)


def test_a_regions_root_key_is_brought_in_once(tmp_path: Path):
    assert bring(tmp_path, "not a key\n").returncode == 1
    answer = bring(tmp_path, f"{ROOT_KEY}\n")
    assert (answer.returncode, ROOT_KEY in answer.stdout) == (0, False)
    again = bring(tmp_path, f"{ROOT_KEY}\n")
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    assert FileKeys(tmp_path / "keys").block("card-root").encrypt(bytes.fromhex(ROOT_KEY)).hex().startswith("681edf34")


def test_keys_are_listed_and_rotated(tmp_path: Path):
    keys = FileKeys(tmp_path / "keys")
    old = keys.seal("raw-messages", b"x")
    rotated = run("keys", "rotate", "raw-messages", "--data", tmp_path)
    assert "what is old still opens" in rotated.stdout
    assert "2 versions" in run("keys", "list", "--data", tmp_path).stdout
    assert keys.open("raw-messages", old) == b"x"
    assert "there is no key" in run("keys", "rotate", "nonsense", "--data", tmp_path, check=False).stderr


def test_a_backup_holds_no_keys_and_a_restored_platform_needs_them(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("keys")
    data, saved, restored = folder / "data", folder / "saved", folder / "restored"
    run("migrate", "--data", data)
    sealed = FileKeys(data / "keys").seal("raw-messages", b"x")
    run("backup", saved, "--data", data)
    assert [name for _, folders, files in os.walk(saved) for name in (*folders, *files) if name == "keys" or name.startswith("seal.")] == []
    run("restore", saved, "--data", restored)
    with pytest.raises(Unopenable):
        FileKeys(restored / "keys").open("raw-messages", sealed)
    shutil.rmtree(restored / "keys")
    shutil.copytree(data / "keys", restored / "keys")
    assert FileKeys(restored / "keys").open("raw-messages", sealed) == b"x"
