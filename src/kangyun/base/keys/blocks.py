"""SM4 (GB/T 32907-2016) on whole blocks, without chaining and padding."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kangyun.base.keys.model import Block


class _Sm4:
    def __init__(self, key: bytes) -> None:
        # The card's specification asks for ECB; its blocks never repeat for one key.
        self._cipher = Cipher(algorithms.SM4(key), modes.ECB())  # noqa: S305 - see above

    def encrypt(self, data: bytes) -> bytes:
        encryptor = self._cipher.encryptor()
        return encryptor.update(data) + encryptor.finalize()

    def decrypt(self, data: bytes) -> bytes:
        decryptor = self._cipher.decryptor()
        return decryptor.update(data) + decryptor.finalize()


def sm4(key: bytes) -> Block:
    """The cipher of a key of 16 bytes; it encrypts whole blocks of 16 bytes, each by itself."""
    return _Sm4(key)
