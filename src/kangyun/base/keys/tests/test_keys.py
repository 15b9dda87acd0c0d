"""Keys are made once, kept from others, rotated without loss, and never open what belongs elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kangyun.base.keys import FileKeys, Unopenable, UnsuitableKey, verify


@pytest.fixture
def keys(tmp_path: Path) -> FileKeys:
    return FileKeys(tmp_path / "keys")


@pytest.mark.parametrize("algorithm", ["AES-256-GCM", "SM4-GCM"])
def test_what_is_sealed_opens_again(tmp_path: Path, algorithm: str):
    keys = FileKeys(tmp_path / "keys", algorithm)
    sealed = keys.seal("raw", "张三".encode(), b"m1")
    assert "张三".encode() not in sealed
    assert keys.open("raw", sealed, b"m1") == "张三".encode()
    assert FileKeys(tmp_path / "keys").open("raw", sealed, b"m1") == "张三".encode()
    assert keys.seal("raw", b"x") != keys.seal("raw", b"x")


@pytest.mark.parametrize("place", [0, 1, 6, 22, 34, -1])
def test_a_changed_byte_is_noticed(keys: FileKeys, place: int):
    sealed = bytearray(keys.seal("raw", b"something"))
    sealed[place] ^= 255
    with pytest.raises(Unopenable):
        keys.open("raw", bytes(sealed))


def test_another_purpose_or_context_does_not_open(keys: FileKeys):
    sealed = keys.seal("raw", b"x", b"one")
    keys.seal("other", b"x")
    for purpose, context in (("other", b"one"), ("raw", b"two"), ("raw", b"")):
        with pytest.raises(Unopenable):
            keys.open(purpose, sealed, context)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 40, b"\x01" * 60])
def test_what_was_never_sealed_does_not_open(keys: FileKeys, sealed: bytes):
    with pytest.raises(Unopenable):
        keys.open("raw", sealed)


def test_opening_makes_no_key(keys: FileKeys):
    with pytest.raises(Unopenable, match="is not in"):
        keys.open("raw", b"\x01" * 60)
    assert keys.names() == []


def test_old_versions_still_open_after_rotation(keys: FileKeys):
    other = FileKeys(keys.folder)
    old = keys.seal("raw", b"old")
    assert other.open("raw", old) == b"old"
    keys.rotate("raw")
    new = keys.seal("raw", b"new")
    assert old[1:5] != new[1:5]
    assert (other.open("raw", old), other.open("raw", new)) == (b"old", b"new")
    assert keys.names() == [("seal", "raw", 2)]


def test_lost_keys_are_named(keys: FileKeys, tmp_path: Path):
    sealed = keys.seal("raw", b"x")
    with pytest.raises(Unopenable, match=sealed[1:5].hex()):
        FileKeys(tmp_path / "elsewhere").open("raw", sealed)


def test_moved_keys_open(keys: FileKeys, tmp_path: Path):
    sealed = keys.seal("raw", b"x")
    keys.folder.rename(tmp_path / "moved")
    assert FileKeys(tmp_path / "moved").open("raw", sealed) == b"x"


def test_only_the_owner_may_read_them(keys: FileKeys):
    keys.mac("phones", b"x")
    assert keys.folder.stat().st_mode & 0o777 == 0o700
    file = keys.folder / "mac.phones.json"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(PermissionError):
        FileKeys(keys.folder).mac("phones", b"x")


def test_processes_that_start_together_make_one_key(keys: FileKeys):
    program = (
        "import sys; from pathlib import Path; from kangyun.base.keys import FileKeys; "
        "print(FileKeys(Path(sys.argv[1])).mac('phones', b'x').hex())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(keys.folder)], stdout=subprocess.PIPE) for _ in range(3)
    ]
    assert {one.communicate()[0].decode().strip() for one in running} == {keys.mac("phones", b"x").hex()}


@pytest.mark.parametrize("name", ["region-sm2", "region-es256"])
def test_signatures_are_checked_by_the_public_key(keys: FileKeys, name: str):
    old, message = keys.public(name)[0], b"card"
    signature = keys.sign(name, message)
    assert verify(old, message, signature)
    assert not verify(old, b"other", signature)
    assert not verify(old, message, signature[:-1])
    assert not verify(old, message, b"\0" * 64)
    rotated = keys.rotate(name)
    new, *rest = keys.public(name)
    assert (new.id, rest) == (rotated, [old])
    assert verify(new, message, keys.sign(name, message))
    assert verify(old, message, keys.sign(name, message, old.id))


def test_a_public_key_is_published_as_a_jwk(keys: FileKeys):
    jwk = keys.public("region-sm2")[0].jwk
    assert {jwk["kty"], jwk["crv"], jwk["alg"]} == {"EC", "SM2"}
    assert len(jwk["x"]) == 43


def test_the_block_cipher_is_sm4(keys: FileKeys):
    # GB/T 32907-2016 A.1: key and plain text are the same bytes.
    block = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    keys.bring("card-root", block)
    assert keys.block("card-root").encrypt(block).hex().upper() == "681EDF34D206965E86B3E94F536E4246"


def test_keys_that_make_numbers_stay_as_they_are(keys: FileKeys):
    keys.block("card-root")
    keys.mac("phones", b"x")
    for name in ("card-root", "phones", "nobody"):
        with pytest.raises(UnsuitableKey):
            keys.rotate(name)
    with pytest.raises(UnsuitableKey):
        keys.bring("card-root", bytes(16))
    with pytest.raises(UnsuitableKey):
        keys.bring("card-protect", bytes(15))


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "a--b", "x/y"])
def test_a_name_is_no_path(keys: FileKeys, name: str):
    with pytest.raises(ValueError, match="is not the name of a key"):
        keys.seal(name, b"x")


def test_an_unknown_algorithm_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="keys_sealing"):
        FileKeys(tmp_path, "ROT13")
    with pytest.raises(ValueError, match="-sm2 or -es256"):
        FileKeys(tmp_path).public("region")
