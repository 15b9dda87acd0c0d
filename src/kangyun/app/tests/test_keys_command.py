"""`kangyun keys`, and that a backup is worth nothing to a thief: the keys travel another way."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.serving import COMMAND, environment, run

from kangyun.app.envelope import opened_stream, seal_stream
from kangyun.base.database.embedded import EmbeddedServer
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


def test_whoever_forgets_the_device_of_the_keys_is_told_and_nothing_goes_on_running(tmp_path: Path):
    FileKeys(tmp_path / "keys").mac("blind-index", b"x")
    file = tmp_path / "keys" / "mac.blind-index.json"
    # As a PKCS#11 device guards it: longer by a nonce and a mark.
    file.write_text(file.read_text().replace('"secret": "', f'"secret": "{bytes(28).hex()}'))
    answer = run("serve", "--data", tmp_path, "--port", "0", "--mllp-port", "0", check=False)
    assert (answer.returncode, "keys_pkcs11_library" in answer.stderr) == (1, True)
    assert not EmbeddedServer(tmp_path / "postgres").running()


def test_a_passphrase_is_all_that_a_recovery_needs(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("safe")
    data, saved, restored = folder / "data", folder / "saved", folder / "restored"
    words, wrong, short = (folder / name for name in ("words", "wrong", "short"))
    words.write_text("青石板路上的三只灰麻雀 正在开会讨论\n")
    wrong.write_text("青石板路上的四只灰麻雀 正在开会讨论\n")
    short.write_text("123456\n")
    run("migrate", "--data", data)
    sealed = FileKeys(data / "keys").seal("raw-messages", b"x")
    assert "at least 16" in run("backup", saved, "--data", data, "--passphrase-file", short, check=False).stderr
    run("backup", saved, "--data", data, "--passphrase-file", words)
    refused = run("restore", saved, "--data", restored, "--passphrase-file", wrong, check=False)
    assert (refused.returncode, "the passphrase is not that of this backup" in refused.stderr) == (1, True)
    assert not (restored / "postgres" / "pgdata").exists()
    run("restore", saved, "--data", restored, "--passphrase-file", words)
    assert FileKeys(restored / "keys").open("raw-messages", sealed) == b"x"


def test_a_backup_is_sealed_piece_by_piece():
    key, text = os.urandom(32), os.urandom(2_500_000)
    out = io.BytesIO()
    seal_stream(io.BytesIO(text), out, key, "SM4-GCM")
    assert opened_stream(io.BytesIO(out.getvalue()), key).read() == text
    whole = out.getvalue()
    first = 4 + int.from_bytes(whole[:4])
    for broken in (whole[:first], whole[:-1], whole[first:], whole[: first - 2] + b"xx" + whole[first:], b""):
        with pytest.raises(Unopenable):
            opened_stream(io.BytesIO(broken), key).read()
    with pytest.raises(Unopenable):
        opened_stream(io.BytesIO(whole), os.urandom(32)).read()


def test_a_backup_holds_no_keys_and_a_restored_platform_needs_them(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("keys")
    data, saved, restored = folder / "data", folder / "saved", folder / "restored"
    run("migrate", "--data", data)
    sealed = FileKeys(data / "keys").seal("raw-messages", b"x")
    run("backup", saved, "--data", data)
    assert [name for _, folders, files in os.walk(saved) for name in (*folders, *files) if name == "keys" or name.startswith("seal.")] == []
    refused = run("restore", saved, "--data", restored, check=False)
    assert (refused.returncode, "put the keys of the installation" in refused.stderr) == (1, True)
    with pytest.raises(Unopenable):
        FileKeys(restored / "keys").open("raw-messages", sealed)
    shutil.rmtree(restored / "keys")
    shutil.copytree(data / "keys", restored / "keys")
    run("restore", saved, "--data", restored)
    assert FileKeys(restored / "keys").open("raw-messages", sealed) == b"x"
