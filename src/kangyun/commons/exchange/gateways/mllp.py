"""HL7 v2 over MLLP to a receiver: one connection, one message at a time, each waiting for its acknowledgement.

MLLP release 1: <VT> message <FS> <CR>.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Self

_MOST_ANSWER = 1 << 20


class Unreachable(Exception):  # noqa: N818 - what a line does, not a fault of the program
    """The receiver cannot be reached, does not answer in time, or answers what is no message."""


class Line:
    """An open connection to a receiver: `async with Line(host, port) as line: answer = await line.send(body)`."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None, patience: float = 30.0) -> None:
        self._address = host, port
        self._tls = tls
        self._patience = patience
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._patience):
                host, port = self._address
                self._streams = await asyncio.open_connection(host, port, ssl=self._tls, limit=_MOST_ANSWER)
        except (OSError, TimeoutError) as error:
            raise Unreachable(type(error).__name__) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._streams:
            writer = self._streams[1]
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(5):
                    await writer.wait_closed()

    async def send(self, body: bytes) -> bytes:
        """Send one message and give its acknowledgement. Raises Unreachable; then nobody knows whether it was taken."""
        assert self._streams, "use it as a context"
        reader, writer = self._streams
        try:
            async with asyncio.timeout(self._patience):
                writer.write(b"\x0b" + body + b"\x1c\r")
                await writer.drain()
                answer = await reader.readuntil(b"\x1c\r")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise Unreachable(type(error).__name__) from error
        return answer[:-2].lstrip(b"\x0b\r\n")


def trusted() -> ssl.SSLContext:
    """TLS with the machine's own list of authorities, the receiver's name checked."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
