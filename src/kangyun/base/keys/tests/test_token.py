"""The same promises with a PKCS#11 token above the keys; SoftHSM 2 plays the device where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kangyun.base.keys import FileKeys, Unopenable, open_keys, verify
from kangyun.base.keys.ring import read
from kangyun.base.settings import Settings

_LIBRARIES = (
    os.environ.get("SOFTHSM2_MODULE", ""), "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a fresh token; SoftHSM reads the place of its tokens once for each process."""
    pytest.importorskip("pkcs11", reason="the package python-pkcs11 is not installed")
    library = next((one for one in _LIBRARIES if one and Path(one).exists()), None)
    tool = shutil.which("softhsm2-util")
    if library is None or tool is None:
        pytest.skip("SoftHSM 2 is not installed on this machine")
    folder = tmp_path_factory.mktemp("hsm")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
    (folder / "pin").write_text("240517\n")
    command = [tool, "--module", library, "--init-token", "--free", "--label", "region", "--pin", "240517", "--so-pin", "12345678"]
    subprocess.run(command, check=True, capture_output=True)
    return Settings(
        data=folder, keys_pkcs11_library=library, keys_pkcs11_token="region", keys_pkcs11_pin_file=str(folder / "pin"),
    )


@pytest.fixture(scope="module")
def keys(settings: Settings) -> FileKeys:
    return open_keys(settings)


def test_what_is_sealed_opens_again_and_no_key_lies_in_its_file(keys: FileKeys, settings: Settings):
    sealed = keys.seal("raw", b"x")
    assert open_keys(settings).open("raw", sealed) == b"x"
    with pytest.raises(Unopenable):
        FileKeys(keys.folder).open("raw", sealed)


def test_the_cards_cipher_and_keyed_hashes_work(keys: FileKeys):
    keys.bring("card-root", bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
    block = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert keys.block("card-root").encrypt(block).hex().upper() == "681EDF34D206965E86B3E94F536E4246"
    assert keys.mac("phones", b"x") == keys.mac("phones", b"x")


@pytest.mark.parametrize("name", ["card-es256", "card-sm2"])
def test_signatures_are_checked_by_the_public_key(keys: FileKeys, name: str):
    old = keys.public(name)[0]
    assert verify(old, b"card", keys.sign(name, b"card"))
    keys.rotate(name)
    new = keys.public(name)[0]
    assert new.id != old.id
    assert verify(new, b"card", keys.sign(name, b"card"))
    assert verify(old, b"card", keys.sign(name, b"card", old.id))


def test_the_private_key_of_es256_never_leaves_the_token(keys: FileKeys):
    keys.public("card-es256")
    kept = read(keys.folder / "sign.card-es256.json", keys.guards.unguard)
    assert {len(one.secret) for one in kept} == {16}


def test_another_token_opens_nothing(keys: FileKeys):
    guarded = bytearray(keys.guards.guard(b"k" * 32))
    guarded[-1] ^= 1
    with pytest.raises(Unopenable):
        keys.guards.unguard(bytes(guarded))


class Guarded:
    """As long as what a device writes for a key: with a nonce and a mark of it."""

    def guard(self, secret: bytes) -> bytes:
        return bytes(28) + secret

    def unguard(self, guarded: bytes) -> bytes:
        return guarded[28:]


def test_a_platform_that_has_lost_the_setting_of_its_device_does_not_begin(tmp_path: Path):
    FileKeys(tmp_path / "keys", guards=Guarded()).mac("phones", b"x")
    with pytest.raises(RuntimeError, match="keys_pkcs11_library"):
        open_keys(Settings(data=tmp_path))
    with pytest.raises(Unopenable):
        FileKeys(tmp_path / "keys").mac("phones", b"x")


def test_a_device_that_did_not_guard_the_keys_is_named_at_the_start(settings: Settings, tmp_path: Path):
    FileKeys(tmp_path / "keys").mac("phones", b"x")
    with pytest.raises(RuntimeError, match="another token"):
        open_keys(replace(settings, data=tmp_path))
