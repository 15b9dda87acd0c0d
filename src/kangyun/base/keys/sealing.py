"""Authenticated encryption of one message: AES-256-GCM or SM4-GCM.

Layout: mark (1 byte: 1 AES, 2 SM4) | key id (4) | salt (16) | nonce (12) | ciphertext | tag (16). A million messages
share a key that is made from the salt (HMAC of the purpose's key), so that random nonces never limit how many messages
one version of a key may seal. Everything before the ciphertext, the purpose and the context are authenticated.
"""

from __future__ import annotations

import hmac
import os
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kangyun.base.keys.model import Unopenable

MARKS = {"AES-256-GCM": 1, "SM4-GCM": 2}
_HEAD = 33
_TAG = 16
# Random nonces of 96 bits meet in a million messages with a chance of 2^-57.
_MESSAGES_OF_A_SALT = 1 << 20


class _Salt:
    """The salt of what this process seals now; making a key from it for each message cost more than sealing did."""

    value = b""
    left = 0

    @classmethod
    def current(cls) -> bytes:
        if cls.left <= 0:
            cls.value, cls.left = os.urandom(16), _MESSAGES_OF_A_SALT
        cls.left -= 1
        return cls.value


def seal(algorithm: str, own: tuple[bytes, bytes], data: bytes, purpose: str, context: bytes) -> bytes:
    """The sealed message; `own` is the key's id of 4 bytes and the key of 32."""
    key_id, key = own
    head = bytes([MARKS[algorithm]]) + key_id + _Salt.current() + os.urandom(12)
    return head + _encrypt(head, key, data, _bound(head, purpose, context))


def opened(key: bytes, sealed: bytes, purpose: str, context: bytes) -> bytes:
    """The message; raises Unopenable when it was changed, or belongs to another purpose or context."""
    head, body = sealed[:_HEAD], sealed[_HEAD:]
    if len(body) < _TAG or head[0] not in MARKS.values():
        raise Unopenable("it is not sealed data")
    try:
        return _decrypt(head, key, body, _bound(head, purpose, context))
    except InvalidTag:
        raise Unopenable("it was changed, or belongs to somebody else") from None


def key_id_of(sealed: bytes) -> bytes:
    """Which key sealed it."""
    return sealed[1:5]


def _own_key(key: bytes, salt: bytes) -> bytes:
    return hmac.digest(key, b"kangyun seal\x00" + salt, sha256)


@lru_cache(maxsize=4096)
def _aes(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(_own_key(key, salt))


@lru_cache(maxsize=4096)
def _sm4(key: bytes, salt: bytes) -> algorithms.SM4:
    return algorithms.SM4(_own_key(key, salt)[:16])


def _bound(head: bytes, purpose: str, context: bytes) -> bytes:
    return head + purpose.encode() + b"\x00" + context


def _encrypt(head: bytes, key: bytes, data: bytes, bound: bytes) -> bytes:
    salt, nonce = head[5:21], head[21:]
    if head[0] == MARKS["AES-256-GCM"]:
        return _aes(key, salt).encrypt(nonce, data, bound)
    encryptor = Cipher(_sm4(key, salt), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(bound)
    return encryptor.update(data) + encryptor.finalize() + encryptor.tag


def _decrypt(head: bytes, key: bytes, body: bytes, bound: bytes) -> bytes:
    salt, nonce = head[5:21], head[21:]
    if head[0] == MARKS["AES-256-GCM"]:
        return _aes(key, salt).decrypt(nonce, body, bound)
    decryptor = Cipher(_sm4(key, salt), modes.GCM(nonce, body[-_TAG:])).decryptor()
    decryptor.authenticate_additional_data(bound)
    return decryptor.update(body[:-_TAG]) + decryptor.finalize()
