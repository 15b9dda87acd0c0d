"""Events on their way: in this machine's journal before an answer leaves, in the tables of the trail a moment later.

A process writes two files in turn, each from its beginning again as soon as all that it holds stands in the tables: so they
stay small, and writing over what is there costs a disk less than growing. A lock on the first tells others that the process
lives. What an ended process left is brought into the tables by whichever process of the machine comes first.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from kangyun.base.keys import KeyStore

JOURNAL_KEY = "audit-journal"
_TURN_BYTES = 1 << 20
# Of a group: the number of its first event, and the length of what follows before its keyed hash.
_HEAD = struct.Struct(">QI")
_MAC = 32
_FLAGS = os.O_RDWR

# The event as JSON, and address and query as they are sealed.
Texts = tuple[bytes, bytes]


class Journal:
    """The journal of one process; `name` tells it apart, events are numbered from 1.

    What is written outlives the process, however it ends. It outlives the machine's power where `on_disk`, since a write
    then returns when the disk has it, and otherwise from the next `flush` on.
    """

    def __init__(self, folder: Path, keys: KeyStore, *, on_disk: bool) -> None:
        self.name = secrets.token_hex(8)
        self._flags = _FLAGS | (os.O_DSYNC if on_disk else 0)
        self._folder = folder
        self._keys = keys
        self._files: list[int] = []
        self._ends, self._lasts, self._turn = [0, 0], [0, 0], 0
        self._stored = 0

    def write(self, first: int, texts: Sequence[Texts]) -> None:
        """Keep a group whose first event has the number. Raises OSError where the disk does not take it."""
        if not self._files:
            self._files = self._made()
        other = 1 - self._turn
        if self._ends[self._turn] > _TURN_BYTES and self._lasts[other] <= self._stored:
            self._turn, self._ends[other] = other, 0
        frame = _frame(self._keys, self.name, first, texts)
        if os.pwrite(self._files[self._turn], frame, self._ends[self._turn]) < len(frame):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._ends[self._turn] += len(frame)
        self._lasts[self._turn] = first + len(texts) - 1

    def flush(self) -> None:
        """Return when the disk has all that was written. Raises OSError."""
        for file in self._files:
            os.fdatasync(file)

    def stored(self, upto: int) -> None:
        """All events up to this number stand in the tables."""
        self._stored = upto

    def close(self) -> bool:
        """Let the files go, and remove them when nothing in them is still on its way; whether they are removed."""
        done = self._stored >= max(self._lasts)
        if self._files and done:
            for path in _paths(self._folder, self.name):
                path.unlink(missing_ok=True)
        elif not done:
            self.flush()
        for file in self._files:
            os.close(file)
        self._files = []
        return done

    def _made(self) -> list[int]:
        """Two new files; the first has its lock before others can see it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        paths = _paths(self._folder, self.name)
        new = self._folder / f"new-{self.name}"
        files = [os.open(path, self._flags | os.O_CREAT | os.O_EXCL, 0o600) for path in (new, paths[1])]
        fcntl.flock(files[0], fcntl.LOCK_EX)
        new.rename(paths[0])
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        return files


class Left:
    """What an ended process left: its journal, held by us until it is removed or let go."""

    def __init__(self, name: str, file: int, folder: Path) -> None:
        self.name = name
        self._file = file
        self._folder = folder

    def texts(self, keys: KeyStore, after: int) -> tuple[int, int, list[tuple[int, Texts]]]:
        """The number of its last event, how many are missing, and those after a number that are there, with their numbers."""
        found: dict[int, Texts] = {}
        for path in _paths(self._folder, self.name):
            for first, texts in _groups(keys, self.name, path.read_bytes() if path.exists() else b""):
                found |= {number: one for number, one in enumerate(texts, first) if number > after}
        last = max(found, default=after)
        return last, last - after - len(found), sorted(found.items())

    def remove(self) -> None:
        """All of it stands in the tables."""
        for path in _paths(self._folder, self.name):
            path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Leave it to somebody else."""
        os.close(self._file)


def left(folder: Path) -> Iterator[Left]:
    """The journals whose processes have ended."""
    for path in sorted(folder.glob("journal-*-0")):
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        if os.fstat(file).st_nlink:
            yield Left(path.name.split("-")[1], file, folder)
        else:  # Somebody else was quicker and has removed it.
            os.close(file)


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"journal-{name}-0", folder / f"journal-{name}-1"


def _frame(keys: KeyStore, name: str, first: int, texts: Sequence[Texts]) -> bytes:
    content = msgspec.msgpack.encode(texts)
    covered = _HEAD.pack(first, len(content)) + content
    return covered + keys.mac(JOURNAL_KEY, name.encode() + covered)


def _groups(keys: KeyStore, name: str, data: bytes) -> Iterator[tuple[int, list[Texts]]]:
    """The groups at the beginning of a file; what follows the first that is not whole is of an earlier turn, or was never answered for."""
    place = 0
    while place + _HEAD.size + _MAC <= len(data):
        first, length = _HEAD.unpack_from(data, place)
        end = place + _HEAD.size + length
        covered, mac = data[place:end], data[end:end + _MAC]
        if keys.mac(JOURNAL_KEY, name.encode() + covered) != mac:
            return
        yield first, msgspec.msgpack.decode(covered[_HEAD.size:], type=list[Texts])
        place = end + _MAC
