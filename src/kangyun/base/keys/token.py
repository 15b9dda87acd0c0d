"""Keys under a PKCS#11 device (a cryptographic machine, a card, SoftHSM): what leaves it is never a key in the clear.

The device holds one AES key that guards the files of all other keys, and the private keys of ES256 signatures, which
never leave it. SM2 and SM4 have no mechanisms in the PKCS#11 standard (vendors number their own), so those keys are
guarded files too and are in the clear in the memory of the platform only.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from kangyun.base.keys.model import Unopenable

_GUARD = "kangyun-guard"
_NONCE = 12
_P256 = bytes.fromhex("06082a8648ce3d030107")  # The object identifier 1.2.840.10045.3.1.7 in DER.


class Token:
    """One token of a device, opened with its PIN; calls wait for each other, because sessions do not share.

    Raises RuntimeError when the package python-pkcs11 is missing, the library cannot be loaded or the PIN is wrong.
    """

    def __init__(self, library: str, label: str, pin: str) -> None:
        self._pkcs11 = _package()
        try:
            token = self._pkcs11.lib(library).get_token(token_label=label)
            self._session = token.open(rw=True, user_pin=pin)
        except (self._pkcs11.PKCS11Error, RuntimeError, OSError) as error:
            raise RuntimeError(f"the token {label} cannot be opened: {type(error).__name__}") from None
        self._lock = threading.Lock()
        self._guard = self._guard_key()

    def guard(self, secret: bytes) -> bytes:
        """What may be written to a file for a key."""
        nonce = os.urandom(_NONCE)
        with self._lock:
            return nonce + bytes(self._guard.encrypt(secret, mechanism=self._gcm(), mechanism_param=self._parameters(nonce)))

    def unguard(self, guarded: bytes) -> bytes:
        """The key again; raises Unopenable when another token guards it."""
        nonce, body = guarded[:_NONCE], guarded[_NONCE:]
        try:
            with self._lock:
                return bytes(self._guard.decrypt(body, mechanism=self._gcm(), mechanism_param=self._parameters(nonce)))
        except self._pkcs11.PKCS11Error:
            raise Unopenable("a key's file was guarded by another token") from None

    def new_pair(self, name: str, handle: bytes) -> None:
        """Make a key pair on P-256 that stays inside."""
        attribute = self._pkcs11.Attribute
        domain = self._session.create_domain_parameters(self._pkcs11.KeyType.EC, {attribute.EC_PARAMS: _P256}, local=True)
        with self._lock:
            domain.generate_keypair(id=handle, label=name, store=True)

    def public(self, handle: bytes) -> tuple[bytes, bytes]:
        """The public key of a pair: x and y."""
        kinds, attribute = self._pkcs11.ObjectClass, self._pkcs11.Attribute
        with self._lock:
            point = bytes(self._session.get_key(object_class=kinds.PUBLIC_KEY, id=handle)[attribute.EC_POINT])
        return point[-64:-32], point[-32:]

    def sign(self, handle: bytes, message: bytes) -> bytes:
        """An ES256 signature as r and s."""
        with self._lock:
            key = self._session.get_key(object_class=self._pkcs11.ObjectClass.PRIVATE_KEY, id=handle)
            return bytes(key.sign(sha256(message).digest(), mechanism=self._pkcs11.Mechanism.ECDSA))

    def _guard_key(self) -> Any:
        kinds = self._pkcs11.ObjectClass
        try:
            return self._session.get_key(object_class=kinds.SECRET_KEY, label=_GUARD)
        except self._pkcs11.NoSuchKey:
            return self._session.generate_key(self._pkcs11.KeyType.AES, 256, label=_GUARD, store=True)

    def _gcm(self) -> Any:
        return self._pkcs11.Mechanism.AES_GCM

    def _parameters(self, nonce: bytes) -> Any:
        return self._pkcs11.GCMParams(nonce=nonce, aad=b"", tag_bits=128)


@cache
def open_token(library: str, label: str, pin_file: str) -> Token:
    """The token of the settings, once for each process; the PIN stands in a file, never in a setting."""
    return Token(library, label, Path(pin_file).read_text("utf-8").strip())


def _package() -> Any:
    try:
        return import_module("pkcs11")
    except ImportError:
        raise RuntimeError("the setting keys_pkcs11_library needs the package python-pkcs11") from None
