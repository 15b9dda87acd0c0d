"""A lean HTTP/1.1 client for a whole city on one machine: keep-alive connections to one server, as many as callers at once.

A general client costs more for a small request than the platform needs to answer it; a city that plays eight thousand
people would measure itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

_LONGEST = 60.0


class LineLostError(Exception):
    """The connection broke before the answer was there: the server may or may not have done what it was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON. Raises ValueError when it is none."""
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Line:
    """The way to one server; `at_once` bounds its connections."""

    def __init__(self, url: str, at_once: int = 64) -> None:
        parts = urlsplit(url)
        self.url, self._host, self._port = url.rstrip("/"), parts.hostname or "127.0.0.1", parts.port or 80
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._places = asyncio.Semaphore(at_once)

    async def ask(self, method: str, path: str, body: Any = None, *, kind: str = "application/fhir+json", **headers: str) -> Answer:
        """One request; `body` is sent as JSON unless it is bytes. Raises LineLostError when no whole answer comes."""
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        head = [f"{method} {path} HTTP/1.1", f"host: {self._host}:{self._port}", f"accept: {kind}", f"content-length: {len(content)}"]
        head += [f"content-type: {kind}"] if content else []
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*head, "\r\n"]).encode() + content
        async with self._places:
            return await self._answered(request)

    async def _answered(self, request: bytes) -> Answer:
        """Ask on a free connection that the server has not closed meanwhile, or on a new one."""
        while self._free:
            reader, writer = self._free.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return await self._exchange(reader, writer, request)
            writer.close()
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        except OSError as error:
            raise LineLostError(str(error)) from error
        return await self._exchange(reader, writer, request)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Answer:
        try:
            async with asyncio.timeout(_LONGEST):
                writer.write(request)
                answer = await _read(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            writer.close()
            raise LineLostError(type(error).__name__) from error
        except asyncio.CancelledError:
            writer.close()
            raise
        if answer.headers.get("connection", "") == "close":
            writer.close()
        else:
            self._free.append((reader, writer))
        return answer

    def close(self) -> None:
        """Close all connections."""
        for _, writer in self._free:
            writer.close()
        self._free.clear()


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    status = int(head[0].split(" ", 2)[1])
    if headers.get("transfer-encoding") == "chunked":
        return Answer(status, headers, await _chunks(reader))
    return Answer(status, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readline()
    return b"".join(parts)
