"""Asking partners whom settings name: the gateway of text messages, the insurer, payment channels.

Such a question is a few hundred bytes, and a general client spends more on it than the partner does (measured: 0.65 ms of processor
time against 0.04, both ends counted). So this speaks plain HTTP/1.1 over connections that are kept for a moment, and leaves the way through a proxy, which
the environment may name, to the general client. No redirect is followed, and size and time are bounded. An address that somebody else
wrote is none of these: `outside.fetch` asks there.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import httpx

from kangyun.base.outside import Unfetchable, trust

# Shorter than any partner keeps a connection open, so that none is closed under a question.
_KEPT_SECONDS = 2.0
_MOST_KEPT = 20
_LARGEST = 64 * 1024 * 1024
_LONGEST_HEAD = 64 * 1024
_NO_BODY = {204, 304}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a partner answered; names of headers are in lower case, the body is unpacked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to connect to, and what the partner is called there."""

    secure: bool
    host: str
    port: int
    named: str


@dataclass(slots=True)
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: float = 0.0

    def is_good(self) -> bool:
        return time.monotonic() - self.used < _KEPT_SECONDS and not self.reader.at_eof() and not self.writer.is_closing()


_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Place, list[_Line]]] = WeakKeyDictionary()
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()


async def ask(
    method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str] | None = None, seconds: float = 10.0, proxies: bool = False,
) -> Reply:
    """The answer of a partner, whatever its status. proxies: whether it goes by those that the environment names.

    Raises Unfetchable (address, time, size or network) when nobody knows whether the partner has done what was asked.
    """
    place, target = _where(url)
    try:
        async with asyncio.timeout(seconds):
            if proxies and by_proxy(place.secure, place.named):
                return await _through_proxy(method, url, content, headers or {}, seconds)
            return await _asked(place, _request(method, target, place, content, headers or {}))
    except TimeoutError:
        raise Unfetchable("time") from None
    except (httpx.HTTPError, OSError, EOFError, ValueError, asyncio.LimitOverrunError, zlib.error):
        raise Unfetchable("network") from None


async def hang_up() -> None:
    """Close the connections that this event loop has kept."""
    for kept in _lines.pop(asyncio.get_running_loop(), {}).values():
        for line in kept:
            line.writer.close()
    await asyncio.sleep(0)


def _where(url: str) -> tuple[_Place, str]:
    """The place of an address and what to ask for there."""
    try:
        parts = urlsplit(url)
        secure, port = parts.scheme == "https", parts.port
    except ValueError:
        raise Unfetchable("address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Unfetchable("address")
    named = parts.netloc.rpartition("@")[2]
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return _Place(secure, parts.hostname, port or (443 if secure else 80), named), target


@cache
def by_proxy(secure: bool, named: str) -> bool:
    """Whether the environment names a proxy for a partner; it is looked at once."""
    known = getproxies()
    return bool(known.get("https" if secure else "http") or known.get("all")) and not proxy_bypass(named)


def _request(method: str, target: str, place: _Place, content: bytes, headers: Mapping[str, str]) -> bytes:
    """Raises ValueError where a header or the target would break out of its line."""
    sent = {"host": place.named, "accept": "*/*", "accept-encoding": "gzip", "user-agent": "kangyun"} | dict(headers)
    if content or method not in {"GET", "HEAD"}:
        sent["content-length"] = str(len(content))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    if any("\r" in line or "\n" in line for line in lines) or " " in target:
        raise ValueError("a line of its own")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + content


async def _asked(place: _Place, request: bytes) -> Reply:
    kept = _lines.setdefault(asyncio.get_running_loop(), {}).setdefault(place, [])
    line = await _line(place, kept)
    try:
        line.writer.write(request)
        reply, lasts = await _read(line.reader)
    except BaseException:
        line.writer.close()
        raise
    if lasts and len(kept) < _MOST_KEPT:
        line.used = time.monotonic()
        kept.append(line)
    else:
        line.writer.close()
    return reply


async def _line(place: _Place, kept: list[_Line]) -> _Line:
    """A connection that was used a moment ago, or a new one."""
    while kept:
        line = kept.pop()
        if line.is_good():
            return line
        line.writer.close()
    tls, named = (trust(), place.host) if place.secure else (None, None)
    return _Line(*await asyncio.open_connection(place.host, place.port, limit=_LONGEST_HEAD, ssl=tls, server_hostname=named))


async def _read(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """An answer, and whether the connection can be used again."""
    status, version, headers = await _head(reader)
    while 100 <= status < 200:
        status, version, headers = await _head(reader)
    lasts = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if status in _NO_BODY:
        body = b""
    elif headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(_bounded(int(headers["content-length"])))
    else:
        body, lasts = await _to_the_end(reader), False
    return Reply(status, headers, _unpacked(headers.get("content-encoding", "identity"), body)), lasts


async def _head(reader: asyncio.StreamReader) -> tuple[int, str, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not version.startswith("HTTP/1."):
        raise ValueError("no HTTP/1")
    return int(rest[:3]), version, headers


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(_bounded(size + len(body)) - len(body))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return bytes(body)


async def _to_the_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while part := await reader.read(65_536):
        _bounded(len(body) + len(part))
        body += part
    return bytes(body)


def _bounded(size: int) -> int:
    if not 0 <= size <= _LARGEST:
        raise Unfetchable("size")
    return size


def _unpacked(encoding: str, body: bytes) -> bytes:
    if encoding == "gzip":
        packed = zlib.decompressobj(wbits=31)
        found = packed.decompress(body, _LARGEST)
        if packed.unconsumed_tail:
            raise Unfetchable("size")
        return found
    if encoding != "identity":
        raise ValueError("not asked for")
    return body


async def _through_proxy(method: str, url: str, content: bytes, headers: Mapping[str, str], seconds: float) -> Reply:
    """By the general client, which each event loop has for itself and nobody closes."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = _clients[loop] = httpx.AsyncClient(verify=trust(), trust_env=True, limits=httpx.Limits(keepalive_expiry=_KEPT_SECONDS))
    answer = await client.request(method, url, content=content or None, headers=dict(headers), timeout=seconds)
    _bounded(len(answer.content))
    return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content)
