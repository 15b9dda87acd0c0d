"""A long stream under seal, in pieces: compressed, authenticated, in their order, and none missing at the end.

Each piece is `length (4 bytes) | sealed`; the context of a seal is the piece's number and whether it is the last one, so
pieces cannot change places and a stream that was cut short does not open.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import IO

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from kangyun.base.keys import Unopenable
from kangyun.base.keys.sealing import opened, seal

_PIECE = 1 << 20
_PURPOSE = "backup"
_NO_ID = bytes(4)


def seal_stream(source: IO[bytes], target: IO[bytes], key: bytes, algorithm: str) -> None:
    """Read `source` to its end and write it sealed; `key` has 32 bytes."""
    number, piece = 0, source.read(_PIECE)
    while True:
        following = source.read(_PIECE)
        sealed = seal(algorithm, (_NO_ID, key), zlib.compress(piece, 1), _PURPOSE, _context(number, last=not following))
        target.write(len(sealed).to_bytes(4) + sealed)
        if not following:
            return
        number, piece = number + 1, following


def opened_stream(source: IO[bytes], key: bytes) -> IO[bytes]:
    """What was sealed, as a stream; reading it raises Unopenable for another key, a change, or an end too early."""
    return io.BufferedReader(_Opened(_pieces(source, key)), _PIECE)


def passphrase_key(passphrase: str, salt: bytes) -> bytes:
    """The key of 32 bytes that a passphrase gives; it takes a second and 128 MB, so that guessing is dear."""
    return Scrypt(salt=salt, length=32, n=2**17, r=8, p=1).derive(passphrase.encode())


def _pieces(source: IO[bytes], key: bytes) -> Iterator[bytes]:
    number, sealed = 0, _piece(source)
    while True:
        following = _piece(source)
        if sealed is None:
            raise Unopenable("it was cut short")
        yield zlib.decompress(opened(key, sealed, _PURPOSE, _context(number, last=following is None)))
        if following is None:
            return
        number, sealed = number + 1, following


def _piece(source: IO[bytes]) -> bytes | None:
    head = source.read(4)
    if not head:
        return None
    sealed = source.read(int.from_bytes(head))
    if len(sealed) < int.from_bytes(head):
        raise Unopenable("it was cut short")
    return sealed


def _context(number: int, *, last: bool) -> bytes:
    return f"{number} {'last' if last else 'more'}".encode()


class _Opened(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - of what the buffered reader gives
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
