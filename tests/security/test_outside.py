"""Server-side request forgery: an address that a stranger wrote cannot make this machine ask its own network."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kangyun.base import outside
from tests.security.certificates import Authority

LOOPBACK = ("127.0.0.0/8",)

INSIDE = [
    "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://0.0.0.0/",
    "https://localhost/", "https://10.0.0.1/", "https://172.16.5.5/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/",
    "https://100.100.100.200/latest/meta-data/", "https://224.0.0.1/", "https://255.255.255.255/", "https://240.0.0.1/", "https://192.0.2.1/",
    "https://[::1]/", "https://[::]/", "https://[fe80::1]/", "https://[fd00:ec2::254]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:a00:1]/",
    "https://[2002:7f00:1::]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[fec0::1]/", "https://[ff02::1]/",
    "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
]
UNWRITTEN = [
    "", "x", "//example.org/", "file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "https://", "https:///x",
    "https://a:b@example.org/", "https://127.0.0.1@example.org/", "https://example.org:99999/", "https://exa mple.org/",
    "https://example.org/" + "x" * 3000, "https://example.org\\@127.0.0.1/", "https://example.org/\r\nX: y",
]  # fmt: skip


async def refused(url: str, seconds: float = 5.0, allow: tuple[str, ...] = ()) -> str:
    with pytest.raises(outside.Unfetchable) as raised:
        await outside.fetch(url, limit=1000, seconds=seconds, allow=allow)
    return raised.value.reason


@pytest.mark.parametrize("url", INSIDE)
async def test_the_inside_is_not_asked(url: str) -> None:
    assert await refused(url) in {"inside", "address"}
    with pytest.raises(outside.Unfetchable):
        await outside.check(url)


@pytest.mark.parametrize("url", UNWRITTEN)
async def test_what_is_no_plain_address_is_not_asked(url: str) -> None:
    assert await refused(url) in {"address", "scheme", "network"}


async def test_plain_http_is_not_asked_unless_the_operator_named_the_origin() -> None:
    assert await refused("http://example.org/") == "scheme"
    assert await refused("http://127.0.0.1:9/", allow=LOOPBACK) == "scheme"
    assert await refused("http://127.0.0.1:9/", allow=("http://127.0.0.1:9",)) == "network"
    assert await refused("http://127.0.0.1:8/", allow=("http://127.0.0.1:9",)) == "scheme"


@asynccontextmanager
async def answering(tls: ssl.SSLContext | None, answer: bytes, heads: list[bytes], *, hold: bool = False) -> AsyncGenerator[int]:
    """A server on loopback that gives one answer to everything; its port."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
            while hold and not reader.at_eof():
                await reader.read(100)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def plain(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Our authority is one that this machine knows; the cache is emptied around it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    outside.trust.cache_clear()
    yield authority
    outside.trust.cache_clear()


def context(authority: Authority, name: str) -> ssl.SSLContext:
    identity = authority.give(name)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(identity.certificate, identity.key)
    return made


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Names stand for these machines, one answer for each question."""
    asked: list[str] = []
    remaining = iter(answers)

    async def resolve(host: str, _port: int) -> list[Any]:
        asked.append(host)
        return [ipaddress.ip_address(one) for one in next(remaining).split()]

    monkeypatch.setattr(outside, "_resolve", resolve)
    return asked


async def test_an_answer_comes_whole_and_from_the_machine_that_was_looked_at(trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, "127.0.0.1", "10.0.0.1")
    heads: list[bytes] = []
    async with answering(context(trusted, "keys.example.org"), plain("200 OK", b'{"keys":[]}', "content-type: Application/JSON; a=b"), heads) as port:
        found = await outside.fetch(f"https://keys.example.org:{port}/jwks?a=b", limit=100, seconds=5, allow=LOOPBACK, headers={"accept": "application/json"})
    assert found == outside.Fetched(200, "application/json", b'{"keys":[]}')
    assert asked == ["keys.example.org"], "the name is looked up once; a second look could name another machine"
    assert heads[0].startswith(b"GET /jwks?a=b HTTP/1.1\r\n")
    assert f"\r\nhost: keys.example.org:{port}\r\n".encode() in heads[0].lower()


async def test_a_form_can_be_posted(trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1")
    heads: list[bytes] = []
    async with answering(context(trusted, "idp.example.org"), plain("400 Bad Request", b"{}"), heads) as port:
        found = await outside.fetch(f"https://idp.example.org:{port}/token", limit=100, seconds=5, allow=LOOPBACK, method="POST", content=b"a=b")
    assert (found.status, found.body) == (400, b"{}")
    assert heads[0].startswith(b"POST /token ")


async def test_a_certificate_of_another_name_is_not_believed(trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1")
    async with answering(context(trusted, "other.example.org"), plain("200 OK", b"x"), []) as port:
        assert await refused(f"https://keys.example.org:{port}/", allow=LOOPBACK) == "network"


async def test_an_unknown_authority_is_not_believed(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1")
    async with answering(context(authority, "keys.example.org"), plain("200 OK", b"x"), []) as port:
        assert await refused(f"https://keys.example.org:{port}/", allow=LOOPBACK) == "network"


async def test_one_inner_machine_among_outer_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.215.14 127.0.0.1")
    assert await refused("https://keys.example.org/") == "inside"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_is_not_followed(trusted: Authority, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    resolving(monkeypatch, "127.0.0.1")
    async with answering(context(trusted, "keys.example.org"), plain(status, b"", "location: http://169.254.169.254/"), []) as port:
        assert await refused(f"https://keys.example.org:{port}/", allow=LOOPBACK) == "redirect"


async def test_size_is_bounded_also_when_it_is_compressed_or_not_told(trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, *["127.0.0.1"] * 3)
    bomb = plain("200 OK", gzip.compress(b"0" * 10_000_000)[:900], "content-encoding: gzip")
    untold = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"0" * 2000
    for answer in (plain("200 OK", b"0" * 1001), bomb, untold):
        async with answering(context(trusted, "keys.example.org"), answer, []) as port:
            assert await refused(f"https://keys.example.org:{port}/", allow=LOOPBACK) == "size"


async def test_time_is_bounded(trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1")
    async with answering(context(trusted, "keys.example.org"), b"HTTP/1.1 200 OK\r\n", [], hold=True) as port:
        assert await refused(f"https://keys.example.org:{port}/", allow=LOOPBACK, seconds=0.3) == "time"


def test_what_the_operator_allows_is_read_strictly() -> None:
    assert outside.allowances(" http://127.0.0.1:9000, 10.2.0.0/16 ,") == ("http://127.0.0.1:9000", "10.2.0.0/16")
    assert outside.allowances("") == ()
    with pytest.raises(ValueError, match="does not appear"):
        outside.allowances("example.org")


async def test_a_name_nobody_knows_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(_host: str, _port: int) -> list[Any]:
        raise socket.gaierror

    monkeypatch.setattr(outside, "_resolve", unknown)
    assert await refused("https://nobody.invalid/") == "network"
