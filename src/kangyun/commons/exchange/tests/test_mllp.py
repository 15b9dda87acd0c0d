from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.base.waiting import until

from kangyun.base.door import Door, listen
from kangyun.commons.exchange.listeners.frames import Frame, Framer, Junk, TooLarge
from kangyun.commons.exchange.listeners.mllp import Limits, MllpServer
from kangyun.commons.exchange.model import Fault


class Echo:
    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.refused: list[str] = []

    async def receive(self, body: bytes) -> bytes | None:
        self.taken.append(body)
        if body.startswith(b"slow"):
            await asyncio.sleep(0.3)
        if body.startswith(b"bug"):
            raise ValueError(body)
        return b"AA " + body[:64]

    async def refuse(self, head: bytes, size: int, fault: Fault) -> bytes | None:
        self.refused.append(f"{fault.key} {size}")
        return b"AR " + fault.key.encode()


@asynccontextmanager
async def serving(**limits: float) -> AsyncGenerator[tuple[MllpServer, Echo]]:
    echo = Echo()
    server = MllpServer(echo.receive, echo.refuse, Limits(**limits))  # pyright: ignore[reportArgumentType]
    server.start(Door(listen("127.0.0.1", 0)))
    try:
        yield server, echo
    finally:
        await server.close(1)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, server: MllpServer) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self) -> bytes:
        async with asyncio.timeout(30):
            return (await self.reader.readuntil(b"\x1c\r"))[1:-2]

    async def ask(self, body: bytes) -> bytes:
        await self.send(b"\x0b" + body + b"\x1c\r")
        return await self.answer()

    def close(self) -> None:
        self.writer.close()


async def test_it_answers_each_message_in_order():
    async with serving() as (server, _):
        client = await Client.to(server)
        await client.send(b"".join(b"\x0b%d\x1c\r" % n for n in range(50)))
        assert [await client.answer() for _ in range(50)] == [b"AA %d" % n for n in range(50)]
        client.close()


async def test_a_message_may_arrive_byte_by_byte():
    async with serving() as (server, _):
        client = await Client.to(server)
        for byte in b"\x0bABC\x1c\r":
            await client.send(bytes([byte]))
            await asyncio.sleep(0.001)
        assert await client.answer() == b"AA ABC"
        client.close()


async def test_half_a_frame_is_given_up_and_named():
    async with serving(half_frame=0.1) as (server, echo):
        client = await Client.to(server)
        await client.send(b"\x0bMSH|^~\\&|half")
        assert await client.answer() == b"AR exchange.half-frame"
        assert await client.reader.read() == b""
        assert echo.refused == ["exchange.half-frame 13"]
        client.close()


async def test_junk_is_named_and_the_next_message_is_taken():
    async with serving() as (server, _):
        client = await Client.to(server)
        await client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await client.answer() == b"AR exchange.no-frame"
        assert await client.ask(b"good") == b"AA good"
        await client.send(b"\r\n\r\n")
        assert await client.ask(b"again") == b"AA again"
        client.close()


async def test_a_message_beyond_the_limit_is_refused_and_the_connection_lives():
    async with serving(message=100_000) as (server, echo):
        client = await Client.to(server)
        assert await client.ask(b"x" * 3_000_000) == b"AR exchange.too-large"
        assert await client.ask(b"good") == b"AA good"
        assert echo.refused == ["exchange.too-large 3000000"]
        client.close()


async def test_one_faulty_connection_disturbs_no_other():
    async with serving(half_frame=0.2) as (server, _):
        good, bug, slow, half = [await Client.to(server) for _ in range(4)]
        await half.send(b"\x0bnever ends")
        await slow.send(b"\x0bslow\x1c\r")
        await bug.send(b"\x0bbug\x1c\r")
        for n in range(20):
            assert await good.ask(b"%d" % n) == b"AA %d" % n
        assert await bug.reader.read() == b""
        assert await slow.answer() == b"AA slow"
        for client in (good, bug, slow, half):
            client.close()


async def test_too_many_connections_are_turned_away():
    async with serving(connections=3) as (server, _):
        clients = [await Client.to(server) for _ in range(3)]
        assert await clients[2].ask(b"in") == b"AA in"
        late = await Client.to(server)
        assert await late.reader.read() == b""
        clients[0].close()
        await until(lambda: server.connections == 2)
        again = await Client.to(server)
        assert await again.ask(b"room") == b"AA room"
        for client in (*clients, late, again):
            client.close()


async def test_all_buffers_together_are_bounded():
    async with serving(all_buffers=3 << 20) as (server, _):
        first, second = await Client.to(server), await Client.to(server)
        await first.send(b"\x0b" + b"x" * (2 << 20))
        await until(lambda: server._desk.held >= 2 << 20)  # pyright: ignore[reportPrivateUsage]
        await second.send(b"\x0b" + b"y" * (2 << 20))
        assert b"exchange.busy" in await second.answer()
        await first.send(b"\x1c\r")
        assert (await first.answer()).startswith(b"AA xxx")
        first.close()
        second.close()


async def test_a_running_message_is_answered_before_the_server_closes():
    async with serving() as (server, echo):
        client = await Client.to(server)
        await client.send(b"\x0bslow\x1c\r")
        await until(lambda: echo.taken == [b"slow"])
        closing = asyncio.create_task(server.close(2))
        assert await client.answer() == b"AA slow"
        await closing
        client.close()


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=40).filter(lambda b: b"\x0b" not in b and b"\x1c" not in b), max_size=6), st.data())
def test_frames_survive_any_cutting(bodies: list[bytes], data: st.DataObject):
    stream = b"".join(b"\x0b" + body + b"\x1c\r" for body in bodies)
    framer = Framer(1000)
    found: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += [piece.body for piece in framer.feed(stream[:size]) if isinstance(piece, Frame)]
        stream = stream[size:]
    assert found == bodies


@given(st.binary(max_size=500), st.integers(1, 50))
def test_memory_is_bounded_whatever_arrives(stream: bytes, limit: int):
    framer = Framer(limit)
    for start in range(0, len(stream), 7):
        for piece in framer.feed(stream[start : start + 7]):
            assert isinstance(piece, Junk | TooLarge) or len(piece.body) <= limit
        assert framer.held <= limit + 8
