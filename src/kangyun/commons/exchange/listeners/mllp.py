"""HL7 v2 over MLLP: many connections, each answered in order, none able to disturb another."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from cryptography import x509

from kangyun.base.door import Door
from kangyun.base.tls import fingerprint
from kangyun.commons.exchange.actions import ORIGIN
from kangyun.commons.exchange.listeners.frames import Framer, Junk, Piece, TooLarge
from kangyun.commons.exchange.model import Fault, Origin

log = structlog.get_logger()

_READ = 65_536
_LARGE = 1 << 20
_HANDSHAKE_SECONDS = 10.0

# Takes a message and gives the answer, or nothing where none is wanted.
Receive = Callable[[bytes], Awaitable[bytes | None]]
# Refuses what never became a message: its first bytes, its size and the fault; gives the answer.
Refuse = Callable[[bytes, int, Fault], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one listener may use; sizes in bytes, times in seconds."""

    message: int = 16 << 20
    all_buffers: int = 128 << 20
    connections: int = 512
    half_frame: float = 30.0
    answer: float = 30.0
    large_at_once: int = 2


class _Desk:
    """What all connections of one server share."""

    def __init__(self, receive: Receive, refuse: Refuse, limits: Limits) -> None:
        self.receive = receive
        self.refuse = refuse
        self.limits = limits
        self.held = 0
        self.large = asyncio.Semaphore(limits.large_at_once)
        self.closing = False


class MllpServer:
    """`start()`, then `await close()`, which lets running messages finish."""

    def __init__(self, receive: Receive, refuse: Refuse, limits: Limits | None = None) -> None:
        self._desk = _Desk(receive, refuse, limits or Limits())
        self._door: Door | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port it listens on, also when 0 was asked for."""
        assert self._door is not None
        return int(self._door.sock.getsockname()[1])

    @property
    def host(self) -> str:
        """The address it listens on."""
        assert self._door is not None
        return str(self._door.sock.getsockname()[0])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def start(self, door: Door, tls: ssl.SSLContext | None = None) -> None:
        """Take connections at a door, which other processes may have too."""
        self._door = door
        door.open(self._protocol, tls, _HANDSHAKE_SECONDS)

    def _protocol(self) -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(_READ), self._connected)

    async def close(self, patience: float = 5.0) -> None:
        """Stop listening, give running messages `patience` seconds to be answered, then cut."""
        self._desk.closing = True
        if self._door is None:
            return
        self._door.close()
        if self._open:
            await asyncio.wait(self._open, timeout=patience)
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._desk.closing or len(self._open) >= self._desk.limits.connections:
            log.warning("mllp.full", count=len(self._open))
            writer.close()
            return
        self._open.add(task)
        try:
            ORIGIN.set(_origin(writer))
            await _Connection(self._desk, reader, writer).serve()
        except (ConnectionError, TimeoutError, ssl.SSLError) as error:
            log.info("mllp.lost", error=type(error).__name__)
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("mllp.failed")
        finally:
            self._open.discard(task)
            await _shut(writer)


class _Connection:
    """One connection: read, hand over, answer, in that order."""

    def __init__(self, desk: _Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._desk = desk
        self._reader = reader
        self._writer = writer
        self._limits = desk.limits
        self._framer = Framer(self._limits.message)
        self._counted = 0

    async def serve(self) -> None:
        try:
            while not self._desk.closing:
                data = await self._read()
                if data is None:
                    return
                for piece in self._framer.feed(data):
                    await self._take(piece)
                if self._over_budget():
                    await self._give_up("exchange.busy")
                    return
        finally:
            self._desk.held -= self._counted

    async def _read(self) -> bytes | None:
        """The next bytes; None when the other side has gone or stopped in the middle of a frame."""
        if not self._framer.inside:
            return await self._idle()
        try:
            async with asyncio.timeout(self._limits.half_frame):
                data = await self._reader.read(_READ)
        except TimeoutError:
            await self._give_up("exchange.half-frame")
            return None
        if not data:
            log.info("mllp.cut", bytes=len(self._framer.head))
        return data or None

    async def _idle(self) -> bytes | None:
        """Wait for the next message, looking up now and then whether the server closes."""
        read = asyncio.ensure_future(self._reader.read(_READ))
        try:
            while not read.done():
                if self._desk.closing:
                    return None
                await asyncio.wait({read}, timeout=1.0)
            return read.result() or None
        finally:
            if not read.done():
                read.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await read

    async def _take(self, piece: Piece) -> None:
        if isinstance(piece, Junk):
            log.info("mllp.junk", bytes=piece.size)
            fault = Fault("exchange.no-frame", "", {"bytes": str(piece.size)}, unreadable=True)
            await self._answer(await self._desk.refuse(piece.head, piece.size, fault))
        elif isinstance(piece, TooLarge):
            params = {"bytes": str(piece.size), "limit": str(self._limits.message)}
            fault = Fault("exchange.too-large", "MSH", params, unreadable=True)
            await self._answer(await self._desk.refuse(piece.head, piece.size, fault))
        elif len(piece.body) > _LARGE:
            async with self._desk.large:
                await self._answer(await self._desk.receive(piece.body))
        else:
            await self._answer(await self._desk.receive(piece.body))

    async def _give_up(self, key: str) -> None:
        head = self._framer.head
        fault = Fault(key, "", {"bytes": str(len(head))}, unreadable=key != "exchange.busy")
        await self._answer(await self._desk.refuse(head, len(head), fault))

    async def _answer(self, answer: bytes | None) -> None:
        if answer is None:
            return
        self._writer.write(b"\x0b" + answer + b"\x1c\r")
        async with asyncio.timeout(self._limits.answer):
            await self._writer.drain()

    def _over_budget(self) -> bool:
        held = self._framer.held
        self._desk.held += held - self._counted
        self._counted = held
        return held > _LARGE and self._desk.held > self._limits.all_buffers


def _origin(writer: asyncio.StreamWriter) -> Origin:
    """Who is at the other end, by its address and, in mutual TLS, by its certificate."""
    peer, tls = writer.get_extra_info("peername"), writer.get_extra_info("ssl_object")
    shown = tls.getpeercert(binary_form=True) if tls else None
    subject = x509.load_der_x509_certificate(shown).subject.rfc4514_string() if shown else ""
    return Origin("mllp", str(peer[0]) if peer else "", fingerprint(shown) if shown else "", subject)


async def _shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(5):
            await writer.wait_closed()
