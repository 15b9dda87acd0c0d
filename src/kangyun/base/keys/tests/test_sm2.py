"""SM2 against the published worked example of GB/T 32918.5-2017 A.2 and against OpenSSL where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from kangyun.base.keys import sm2

SECRET = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
PUBLIC = (
    0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
    0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
)
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA


def test_it_signs_the_published_message():
    assert sm2.public_point(SECRET) == PUBLIC
    signature = sm2.sign(SECRET, b"message digest", nonce=NONCE)
    assert signature == R.to_bytes(32) + S.to_bytes(32)
    assert sm2.verify(PUBLIC, b"message digest", signature)


def test_it_hashes_the_published_message():
    # GB/T 32905-2016 A.1.
    assert sm2.sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.mark.parametrize("spoil", [0, 31, 32, 63])
def test_a_changed_signature_is_refused(spoil: int):
    signature = bytearray(sm2.sign(SECRET, b"x"))
    signature[spoil] ^= 1
    assert not sm2.verify(PUBLIC, b"x", bytes(signature))


def test_another_message_signer_or_key_is_refused():
    signature = sm2.sign(SECRET, b"x")
    assert not sm2.verify(PUBLIC, b"y", signature)
    assert not sm2.verify(PUBLIC, b"x", signature, b"somebody else")
    assert not sm2.verify(sm2.public_point(SECRET + 1), b"x", signature)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, sm2.N.to_bytes(32) * 2, b"\0" * 63])
def test_what_is_no_signature_is_refused(signature: bytes):
    assert not sm2.verify(PUBLIC, b"x", signature)


def test_a_point_that_is_not_on_the_curve_is_no_key():
    assert not sm2.verify((1, 1), b"x", sm2.sign(SECRET, b"x"))


def test_edges_of_the_curve_add_up():
    assert sm2.public_point(1) == sm2.G
    assert sm2.public_point(sm2.N - 1) == (sm2.G[0], sm2.P - sm2.G[1])
    assert all(sm2.on_curve(sm2.public_point(secret)) for secret in (2, 3, 15, 16, 17, 12345, sm2.N // 2))


@pytest.fixture
def openssl(tmp_path: Path) -> Path:
    found = shutil.which("openssl")
    made = found and subprocess.run(
        [found, "ecparam", "-name", "SM2", "-genkey", "-noout", "-out", "key.pem"], cwd=tmp_path, check=False,
        capture_output=True,
    )
    if not made or made.returncode:
        pytest.skip("no openssl with SM2 here")
    return tmp_path


def _openssl(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True).stdout


def test_it_agrees_with_openssl_both_ways(openssl: Path):
    point = _openssl(openssl, "pkey", "-in", "key.pem", "-pubout", "-outform", "DER")[-64:]
    public = int.from_bytes(point[:32]), int.from_bytes(point[32:])
    (openssl / "message").write_bytes("电子健康卡".encode())
    distinguishing = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")
    der = _openssl(openssl, "pkeyutl", "-sign", "-inkey", "key.pem", "-in", "message", *distinguishing)
    r, s = decode_dss_signature(der)
    assert sm2.verify(public, "电子健康卡".encode(), r.to_bytes(32) + s.to_bytes(32))
    text = _openssl(openssl, "pkey", "-in", "key.pem", "-text", "-noout").decode()
    secret = int(text.split("priv:")[1].split("pub:")[0].replace(":", "").replace("\n", "").replace(" ", ""), 16)
    ours = sm2.sign(secret, "电子健康卡".encode())
    (openssl / "ours").write_bytes(encode_dss_signature(int.from_bytes(ours[:32]), int.from_bytes(ours[32:])))
    told = _openssl(openssl, "pkeyutl", "-verify", "-inkey", "key.pem", "-in", "message", "-sigfile", "ours", *distinguishing)
    assert b"Successfully" in told
