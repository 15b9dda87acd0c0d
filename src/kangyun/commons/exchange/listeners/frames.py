"""MLLP framing as a state machine without input or output: bytes in, messages out, memory bounded.

MLLP release 1: <VT> message <FS> <CR>.
"""

from __future__ import annotations

from dataclasses import dataclass

_START = b"\x0b"
_END = b"\x1c\r"
# What is kept of a message that is too large: enough for its header.
HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole message."""

    body: bytes


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A message beyond the limit: its first bytes and its true size."""

    head: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Junk:
    """Bytes outside any frame."""

    size: int
    head: bytes


Piece = Frame | TooLarge | Junk


class Framer:
    """Cuts the stream of one connection; never holds more than the limit and one read."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._buffer = bytearray()
        self._inside = False
        self._searched = 0
        self._dropped = 0
        self._head = b""

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    @property
    def held(self) -> int:
        """How many bytes it keeps at the moment."""
        return len(self._buffer)

    @property
    def head(self) -> bytes:
        """The first bytes of the frame that has begun, to name it when it is given up."""
        return self._head or bytes(self._buffer[:HEAD_BYTES])

    def feed(self, data: bytes) -> list[Piece]:
        """Take bytes as they arrive and give back what is complete."""
        self._buffer += data
        pieces: list[Piece] = []
        while True:
            piece = self._end() if self._inside else self._begin()
            if piece is None:
                return pieces
            if not isinstance(piece, bool):
                pieces.append(piece)

    def _begin(self) -> Piece | bool | None:
        """Look for a start; True when one was found and nothing stood before it."""
        at = self._buffer.find(_START)
        if at < 0:
            return self._cut(len(self._buffer))
        junk = self._cut(at)
        del self._buffer[:1]
        self._inside, self._searched, self._dropped, self._head = True, 0, 0, b""
        return junk or True

    def _cut(self, size: int) -> Junk | None:
        head = bytes(self._buffer[:64])[:size]
        blank = not self._buffer[:size].strip(b"\r\n\x1c \t")
        del self._buffer[:size]
        return None if blank else Junk(size, head)

    def _end(self) -> Piece | None:
        at = self._buffer.find(_END, self._searched)
        if at >= 0:
            return self._complete(at)
        # The two end bytes may arrive in different reads.
        self._searched = max(0, len(self._buffer) - 1)
        if self._dropped or len(self._buffer) > self._max:
            self._drop(len(self._buffer) - 1)
        return None

    def _complete(self, at: int) -> Piece:
        size = self._dropped + at
        piece: Piece
        if self._dropped or at > self._max:
            piece = TooLarge(self._head or bytes(self._buffer[:HEAD_BYTES]), size)
        else:
            with memoryview(self._buffer) as view:
                piece = Frame(bytes(view[:at]))
        del self._buffer[: at + len(_END)]
        self._inside, self._searched = False, 0
        return piece

    def _drop(self, size: int) -> None:
        if not self._dropped:
            self._head = bytes(self._buffer[:HEAD_BYTES])
        del self._buffer[:size]
        self._dropped += size
        self._searched = 0
