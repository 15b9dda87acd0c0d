"""Partners are asked over plain HTTP/1.1: answers come whole in every shape, and what is no answer is told as such."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kangyun.base import partners
from kangyun.base.outside import Unfetchable

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Partner:
    """Answers each question with the next of its answers, and remembers what it heard."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.connections = 0
        self.heard: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
                self.heard.append(head + await reader.readexactly(sum(length)))
                answer = self.answers.pop(0)
                writer.write(answer)
                if b"content-length" not in answer and b"chunked" not in answer and b"204" not in answer:
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def partner(*answers: bytes) -> AsyncGenerator[tuple[Partner, str]]:
    told = Partner(list(answers))
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    try:
        yield told, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in told.writers:
            writer.close()
        await partners.hang_up()


async def test_questions_share_a_connection() -> None:
    async with partner(OK, OK) as (told, url):
        for text in (b"one", b"two"):
            answer = await partners.ask("POST", f"{url}/messages?a=b", content=text, headers={"x-key": "1"})
            assert (answer.status, answer.body) == (200, b"{}")
    assert told.connections == 1
    assert told.heard[1].startswith(b"POST /messages?a=b HTTP/1.1\r\n")
    assert b"\r\nx-key: 1\r\n" in told.heard[1]
    assert told.heard[1].endswith(b"\r\n\r\ntwo")


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again() -> None:
    async with partner(OK) as (told, url):
        await partners.ask("GET", url)
        await asyncio.sleep(0.05)
        told.answers.append(OK)
        assert (await partners.ask("GET", url)).status == 200
    assert told.connections == 2


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nlate: 1\r\n\r\n"
PACKED = gzip.compress(b"abcde")
SHAPES = {
    "chunked": (CHUNKED, 200, b"abcde"),
    "to the end": (b"HTTP/1.1 200 OK\r\n\r\nabcde", 200, b"abcde"),
    "after a provisional one": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"{}"),
    "nothing": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "packed": (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(PACKED) + PACKED, 200, b"abcde"),
    "a redirect": (b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", 302, b""),
    "a fault": (b"HTTP/1.1 503 Busy\r\ncontent-length: 1\r\n\r\nx", 503, b"x"),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_answer_comes_whole_in_every_shape(shape: str) -> None:
    given, status, body = SHAPES[shape]
    async with partner(given) as (_, url):
        answer = await partners.ask("GET", url)
    assert (answer.status, answer.body) == (status, body)


BROKEN = {
    "half": (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "network"),
    "no HTTP": (b"SSH-2.0-x content-length\r\n\r\n", "network"),
    "no length": (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "network"),
    "too large": (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "size"),
    "too large in chunks": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffff\r\n", "network"),
    "a bomb": (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(bytes(65 * 1024 * 1024)), "size"),
    "a head without end": (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000, "network"),
    "silence": (b"", "network"),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_what_is_no_answer_is_told_as_such(kind: str) -> None:
    given, reason = BROKEN[kind]
    async with partner(given) as (_, url):
        with pytest.raises(Unfetchable) as raised:
            await partners.ask("GET", url, seconds=5)
    assert raised.value.reason == reason


async def test_nobody_there_no_patience_and_no_address_are_told_as_such() -> None:
    async with partner() as (_, url):
        pass
    with pytest.raises(Unfetchable) as raised:
        await partners.ask("GET", url)
    assert raised.value.reason == "network"
    async with partner(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", OK) as (_, url):
        with pytest.raises(Unfetchable) as raised:
            await partners.ask("GET", url, seconds=0.1)
    assert raised.value.reason == "time"
    for address in ("", "ftp://example.org/", "http://", "http://a:b"):
        with pytest.raises(Unfetchable) as raised:
            await partners.ask("GET", address)
        assert raised.value.reason == "address", address


async def test_a_header_cannot_begin_another_line() -> None:
    async with partner(OK) as (told, url):
        for path, headers in (("/", {"x": "1\r\ny: 2"}), ("/a b", {}), ("/", {"x\n": "1"})):
            with pytest.raises(Unfetchable):
                await partners.ask("GET", url + path, headers=headers)
    assert not told.heard


async def test_a_proxy_of_the_environment_is_asked_where_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    async with partner(OK) as (proxy, url):
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "")
        answer = await partners.ask("POST", "http://insurer.invalid/tif", content=b"x", proxies=True)
    assert answer.body == b"{}"
    assert proxy.heard[0].startswith(b"POST http://insurer.invalid/tif HTTP/1.1\r\n")


async def test_no_partner_gets_a_password_of_whoever_runs_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    passwords = tmp_path / "netrc"
    passwords.write_text("machine 127.0.0.1 login root password secret\n")
    monkeypatch.setenv("NETRC", str(passwords))
    async with partner(OK) as (told, url):
        await partners.ask("POST", url, content=b"x", proxies=True)
    assert b"authorization" not in told.heard[0].lower()
