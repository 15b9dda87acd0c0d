"""The door that processes share, with real sockets on the loop that the platform runs on."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import uvloop
from structlog.testing import capture_logs

from kangyun.base.door import Door, Tally, listen
from tests.base.waiting import until
from tests.security.certificates import Authority


class Greeting(asyncio.Protocol):
    """Says hello and waits until the other side goes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(b"hello")


async def greeted(door: Door, tls: ssl.SSLContext | None = None) -> asyncio.StreamWriter:
    """A new connection that was greeted."""
    port = door.sock.getsockname()[1]
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None)
        assert await reader.readexactly(5) == b"hello"
    return writer


async def leave(line: asyncio.StreamWriter) -> None:
    """Close a connection from the client's side."""
    line.close()
    with suppress(OSError):
        await line.wait_closed()


def on_the_loop(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await test()

    uvloop.run(run())


def test_two_who_share_it_have_the_same_number_of_connections_and_are_counted_until_they_end() -> None:
    async def test() -> None:
        tally = Tally.new(2, 3)
        counts = Tally(2, tally.file).at(1)
        with listen("127.0.0.1", 0) as sock:
            one, other = doors = [Door(sock.dup(), tally.at(1), number) for number in (0, 2)]
        for door in doors:
            door.open(Greeting)
        lines = [await greeted(one) for _ in range(20)]
        assert sorted(counts)[:2] in ([10, 10], [9, 11], [8, 12])
        for line in lines:
            await leave(line)
        await until(lambda: sorted(counts)[:2] == [0, 0])
        one.close()
        assert counts[0] == counts[1] > 20, "nobody waits for who has gone or has never come"
        await leave(await greeted(other))
        other.close()

    on_the_loop(test)


def test_who_hangs_or_has_died_holds_nobody_up() -> None:
    async def test() -> None:
        tally = Tally.new(1, 2)
        tally.at(0)[1] = 0
        door = Door(listen("127.0.0.1", 0), tally.at(0))
        door.open(Greeting)
        lines = await asyncio.gather(*(greeted(door) for _ in range(100)))
        assert list(tally.at(0)) == [100, 0]
        for line in lines:
            await leave(line)
        door.close()

    on_the_loop(test)


def test_a_handshake_that_never_ends_is_ended_and_holds_nobody_up(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    identity = authority.give("localhost")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(identity.certificate, identity.key)
    trusting = ssl.create_default_context(cafile=str(authority.file))

    async def test() -> None:
        tally = Tally.new(1, 1)
        door = Door(listen("127.0.0.1", 0), tally.at(0))
        door.open(Greeting, server, patience=2)
        mute, closing = await asyncio.open_connection(*door.sock.getsockname())
        await leave(await greeted(door, trusting))
        async with asyncio.timeout(30):
            assert await mute.read() == b""
        await leave(closing)
        await until(lambda: list(tally.at(0)) == [0])
        _, still = await asyncio.open_connection(*door.sock.getsockname())
        await until(lambda: list(tally.at(0)) == [1])
        door.close()
        await leave(still)

    with capture_logs() as logged:
        on_the_loop(test)
    assert not logged


def test_who_leaves_before_it_is_let_in_does_no_harm() -> None:
    async def test() -> None:
        tally = Tally.new(1, 1)
        door = Door(listen("127.0.0.1", 0), tally.at(0))
        for _ in range(50):
            with socket.create_connection(door.sock.getsockname()) as hasty:
                hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        door.open(Greeting)
        await leave(await greeted(door))
        await until(lambda: list(tally.at(0)) == [0])
        door.close()

    with capture_logs() as logged:
        on_the_loop(test)
    assert not logged


class Short(socket.socket):
    """A socket of a process that had no descriptor left for a while."""

    lacking = 2

    def accept(self) -> tuple[socket.socket, object]:
        if self.lacking:
            self.lacking -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_a_shortage_of_descriptors_is_told_once_and_passes() -> None:
    async def test() -> None:
        with listen("127.0.0.1", 0) as plain:
            door = Door(Short(fileno=plain.detach()))
        door.open(Greeting)
        await leave(await greeted(door))
        door.close()

    with capture_logs() as logged:
        on_the_loop(test)
    assert [(one["event"], one["code"]) for one in logged] == [("door.shortage", "EMFILE")]
