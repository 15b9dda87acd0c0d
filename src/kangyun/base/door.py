"""A listening socket that several processes share, each of which lets those with fewer connections go first.

Left to the kernel, whoever wakes first accepts all that waits: of eight clients that keep their connections, one process often
gets all, and its neighbour's core stays idle. Therefore every process writes into a small file, mapped by all, how many
connections it has. One that has more than the one with the fewest, and an eighth of that number, stops listening, for two
milliseconds for each that it has more and ten at most, and then takes one in any case, so that a process that hangs costs no more
than that. (With two always, who waited for a core that others kept busy found that all had been taken: of eight clients one process
got all.)
"""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import socket
import ssl
import tempfile
import time
import weakref
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger()

_POLITE_SECONDS, _MOST_POLITE_SECONDS = 0.002, 0.01
# So many at a time, then whatever else the loop has to do.
_AT_ONCE = 64
_SHORTAGE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_SHORTAGE_SECONDS, _TELL_SECONDS = 1.0, 60.0
# In place of a process's number while it does not run.
_ABSENT = 0xFFFFFFFF
_TRIES = 20


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at once; raises OSError that names the place where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for patience in range(_TRIES, -1, -1):
        try:
            return socket.create_server((host, port), family=family, backlog=2048)
        except OSError as error:
            # After an accident the siblings of the process before us need a moment to notice.
            if error.errno != errno.EADDRINUSE or not patience:
                raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror or error}") from error
            time.sleep(0.1)
    raise AssertionError("the loop returns or raises")


class Tally:
    """What the processes show each other: numbers in a file that all of them map.

    How many connections each has open at each door, how many requests it is answering, and the worker's signs of life.
    """

    def __init__(self, doors: int, file: int) -> None:
        self.file = file
        self.doors = doors
        self._rows = doors + 2
        self._counts = memoryview(mmap.mmap(file, 0)).cast("I")

    @classmethod
    def new(cls, doors: int, processes: int) -> Tally:
        """One in a new file without a name, in which nobody is there yet."""
        file, path = tempfile.mkstemp()
        Path(path).unlink()
        os.write(file, array("I", [_ABSENT] * (doors + 2) * processes).tobytes())
        return cls(doors, file)

    def at(self, door: int) -> memoryview[int]:
        """The counts of one door, by process."""
        return self._counts[door :: self._rows]

    @property
    def answering(self) -> memoryview[int]:
        """How many requests are being answered, by process."""
        return self._counts[self.doors :: self._rows]

    @property
    def beats(self) -> memoryview[int]:
        """Seconds of the machine's own clock at the last sign of life: of jobs, of reactions. Of one process, which needs none, there is no room."""
        return self._counts[self.doors + 1 :: self._rows]

    def crowd(self) -> int:
        """How many requests are being answered by all."""
        return sum(one for one in self.answering if one != _ABSENT)

    def leave(self, process: int) -> None:
        """Nobody needs to wait for this process any more."""
        for door in range(self.doors):
            self.at(door)[process] = _ABSENT
        self.answering[process] = _ABSENT


class Door:
    """Takes connections from a socket, from `open` until `close`; `process` is its own place in the counts of all."""

    def __init__(self, sock: socket.socket, counts: memoryview[int] | None = None, process: int = 0) -> None:
        self.sock = sock
        self._counts = counts or memoryview(bytearray(4)).cast("I")
        self._process = process
        self._own = 0
        self._coming: dict[asyncio.Task[None], socket.socket] = {}
        self._later: asyncio.TimerHandle | None = None
        self._told = -_TELL_SECONDS

    def open(self, make: Callable[[], asyncio.BaseProtocol], tls: ssl.SSLContext | None = None, patience: float = 30.0) -> None:
        """Give each connection a protocol; a TLS handshake has `patience` seconds."""
        self._make, self._tls, self._patience = make, tls, patience if tls else None
        self._loop = asyncio.get_running_loop()
        self.sock.setblocking(False)
        self._publish(0)
        self._listen()

    def close(self) -> None:
        """Take no more connections, and drop those whose handshake goes on; the others stay."""
        if self.sock.fileno() < 0:
            return
        self._rest()
        self._counts[self._process] = _ABSENT
        self.sock.close()
        for task in self._coming:
            task.cancel()

    def _listen(self) -> None:
        self._later = None
        self._loop.add_reader(self.sock, self._ready)

    def _rest(self, seconds: float = 0.0, then: Callable[[], None] | None = None) -> None:
        self._loop.remove_reader(self.sock)
        if self._later:
            self._later.cancel()
        self._later = self._loop.call_later(seconds, then) if then else None

    def _ready(self) -> None:
        """Take what waits, as long as it is this process's turn."""
        if not self._turn():
            self._rest(min(_MOST_POLITE_SECONDS, _POLITE_SECONDS * (self._own - min(self._counts))), self._anyway)
            return
        for _ in range(_AT_ONCE):
            if not self._take() or not self._turn():
                return

    def _turn(self) -> bool:
        fewest = min(self._counts)
        return self._own <= fewest + fewest // 8

    def _anyway(self) -> None:
        """The others had their time: take one, whoever's turn it is."""
        self._listen()
        self._take()

    def _take(self) -> bool:
        """Accept one; whether there was one."""
        try:
            sock, _ = self.sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno in _SHORTAGE:
                self._rest(_SHORTAGE_SECONDS, self._listen)
            self._complain(error)
            return False
        sock.setblocking(False)
        self._publish(1)
        # The loop lets go of the socket when it closes it, however many protocols the connection has gone through.
        weakref.finalize(sock, self._left).atexit = False
        task = self._loop.create_task(self._welcome(sock))
        self._coming[task] = sock
        task.add_done_callback(self._welcomed)
        return True

    async def _welcome(self, sock: socket.socket) -> None:
        await self._loop.connect_accepted_socket(self._make, sock, ssl=self._tls, ssl_handshake_timeout=self._patience)

    def _welcomed(self, task: asyncio.Task[None]) -> None:
        sock = self._coming.pop(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error:
            sock.close()
        if error and not isinstance(error, OSError):  # Those come with clients that leave or speak no TLS.
            log.error("door.failed", exc_info=error)

    def _left(self) -> None:
        # Where the garbage collector finds the socket, this is another thread; a loop that is closed has nothing to do.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._publish, -1)

    def _publish(self, change: int) -> None:
        self._own += change
        if self.sock.fileno() < 0:
            return
        self._counts[self._process] = self._own
        if change < 0 and self._later and self._turn():
            self._later.cancel()
            self._listen()

    def _complain(self, error: OSError) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            log.warning("door.shortage", code=errno.errorcode.get(error.errno or 0, ""), count=self._own)
