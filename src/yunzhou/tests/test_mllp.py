"""The MLLP client against a server that drops connections, answers late and answers nonsense."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random

import pytest

from yunzhou import mllp
from yunzhou.mllp import Link
from yunzhou.send import Sender, Tally, Target
from yunzhou.tests.standard import told


class Server:
    """Keeps every message once; breaks connections before or after keeping it, with the given chance."""

    def __init__(self, breaks: float = 0.0, seed: int = 1) -> None:
        self.kept: dict[str, bytes] = {}
        self.order: list[str] = []
        self.heard: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.heard_after_acknowledgement = 0
        self.breaks, self.rng = breaks, Random(seed)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await reader.readuntil(b"\x1c\r")
                assert frame[:1] == b"\x0b"
                self._answer(frame[1:-2], writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        control = message.split(b"\r")[0].split(b"|")[9].decode()
        self.heard[control] += 1
        self.heard_after_acknowledgement += control in self.acknowledged
        if self.rng.random() < self.breaks / 2:
            writer.transport.abort()
            return
        if control not in self.kept:
            self.kept[control] = message
            self.order.append(control)
        if self.rng.random() < self.breaks:
            writer.transport.abort()
            return
        self.acknowledged.add(control)
        writer.write(b"\x0bMSH|^~\\&|||||||ACK|1|P|2.5\rMSA|AA|" + control.encode() + b"\r\x1c\r")


@asynccontextmanager
async def serving(handler: Server) -> AsyncGenerator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllp, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(mllp, "LONGEST_PAUSE", 0.005)


async def test_it_loses_nothing_and_repeats_nothing_after_an_acknowledgement() -> None:
    handler = Server(breaks=0.3)
    async with serving(handler) as port:
        link = Link("127.0.0.1", port, patience=2)
        for number in range(300):
            answer = await link.send(f"C{number}", b"MSH|^~\\&|A|B|C|D|||ADT^A04|C%d|P|2.5\r" % number)
            assert answer.stored
        await link.close()
    assert handler.order == [f"C{number}" for number in range(300)]
    assert handler.heard_after_acknowledgement == 0
    assert link.reconnects > 20


async def test_it_waits_for_a_server_that_is_not_there_yet() -> None:
    async with serving(Server()) as port:
        pass
    handler = Server()
    link = Link("127.0.0.1", port)
    sending = asyncio.create_task(link.send("C1", b"MSH|^~\\&|A|B|C|D|||ADT^A04|C1|P|2.5\r"))
    await asyncio.sleep(0.05)
    assert not sending.done()
    server = await asyncio.start_server(handler, "127.0.0.1", port)
    assert (await sending).code == "AA"
    await link.close()
    server.close()
    await server.wait_closed()


def test_it_reads_refusals_with_their_reason() -> None:
    raw = "MSH|^~\\&|||||||ACK|9|P|2.5\rMSA|AE|C1|检验码错误\rERR||PID^1^19|102^Data type error^HL70357|E\r".encode()
    control, answer = mllp.read_acknowledgement(raw)
    assert (control, answer.code, answer.stored) == ("C1", "AE", False)
    assert "检验码错误" in answer.text
    assert "PID^1^19" in answer.text


def test_it_knows_refusals_that_pass() -> None:
    for raw in (
        "MSA|AE|C1\rERR||||207^Application internal error\r",
        "MSA|AE|C1\rERR|^^^207&Application internal error\r",
    ):
        assert mllp.read_acknowledgement(raw.encode())[1].transient
    assert not mllp.read_acknowledgement(b"MSA|AE|C1\rERR||PID^1^19|102^Data type error\r")[1].transient


async def test_it_sends_again_what_was_refused_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [mllp.Answer("AE", "207^Application internal error"), mllp.Answer("AA", "")]

    async def attempt(_self: Link, _control: str, _message: bytes) -> mllp.Answer:
        return answers.pop(0)

    monkeypatch.setattr(Link, "_attempt", attempt)
    assert (await Link("127.0.0.1", 9).send("C1", b"")).stored
    assert not answers


def test_it_reads_answers_in_the_character_set_of_the_hospital() -> None:
    _, answer = mllp.read_acknowledgement("MSA|AE|C1|检验码错误\r".encode("gb18030"), "gb18030")
    assert answer.text == "检验码错误"


def test_an_answer_without_msa_is_none() -> None:
    with pytest.raises(mllp.AnswerError):
        mllp.read_acknowledgement(b"HTTP/1.1 400 Bad Request\r\r")


async def test_the_city_arrives_whole_over_breaking_connections() -> None:
    messages = [message for message in told() if message.transport == "mllp"][:600]
    handler, tally = Server(breaks=0.1), Tally()
    async with serving(handler) as port:
        sender = Sender(Target("127.0.0.1", port, "http://127.0.0.1:9/fhir", connections=2), tally.hear)
        await sender.send_all(messages)
        await sender.close()
    assert Counter(handler.order) == Counter(message.id for message in messages)
    assert handler.heard_after_acknowledgement == 0
    assert tally.total == len(messages)
    place = {name: index for index, name in enumerate(handler.order)}
    for home in {message.household for message in messages}:
        places = [place[message.id] for message in messages if message.household == home]
        assert places == sorted(places)
