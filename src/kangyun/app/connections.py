"""How HTTP connections are bounded: heads in size and time, requests in number; each refusal is an OperationOutcome.

uvicorn's own protocol waits for ever for the end of a head, lets it grow without end, and refuses in plain text.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from kangyun.base.errors import operation_outcome, refuse
from kangyun.base.fhir import json as fhir_json

HEAD_BYTES = 64 * 1024
MOST_REQUESTS = 2000
MOST_CONNECTIONS = 10_000

# What carries no version is taken for HTTP/0.9, which has no heads.
_VERSIONS = {"1.0", "1.1"}
_CONTENT = b"application/fhir+json; charset=utf-8"


def _refusal(status: int, code: str, key: str) -> bytes:
    return fhir_json.dumps(operation_outcome(refuse(status, code, key, limit=str(HEAD_BYTES)), "zh"))


async def _busy(_scope: Any, _receive: Any, send: Any) -> None:
    """The application that stands in while there are too many requests."""
    headers = [(b"content-type", _CONTENT), (b"retry-after", b"1"), (b"connection", b"close")]
    content = _refusal(503, "throttled", "base.busy")
    headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class _Answer(asyncio.Transport):
    """Where one answer is written: its head waits for what follows in the same turn of the loop, so that both are one packet.

    uvicorn writes them one after the other, which is a system call more and wakes the client twice.
    """

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        # Empty: nothing was written yet. None: the head has left.
        self._head: bytes | None = b""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Write the head soon, the rest at once."""
        if self._head is None:
            self._transport.write(data)
        elif self._head:
            head, self._head = self._head, None
            self._transport.write(head + bytes(data))
        else:
            self._head = bytes(data)
            self._loop.call_soon(self._leave)

    def close(self) -> None:
        """Close the connection after what was written."""
        self._leave()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is being closed."""
        return bool(self._transport.is_closing())

    def _leave(self) -> None:
        head, self._head = self._head, None
        if head:
            self._transport.write(head)


def bounded(head_seconds: float) -> type[BoundedConnection]:
    """The protocol for uvicorn, with the time that a head may take to arrive."""
    return type("BoundedConnection", (BoundedConnection,), {"head_seconds": head_seconds})


class BoundedConnection(HttpToolsProtocol):
    """One connection of a client."""

    head_seconds = 30.0

    _head = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has connected and must say something soon."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; refuse a head that grows too large."""
        if self._timer is not None:
            self._head += len(data)
        super().data_received(data)
        if self._timer is not None and self._head > HEAD_BYTES:
            self._refuse(431, "too-long", "base.head-too-large")

    def on_message_begin(self) -> None:
        """A request begins; its head has some time to arrive."""
        super().on_message_begin()
        if self._timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is there: serve the request, or refuse it when there are too many."""
        self._stop_timer()
        assert self.parser is not None, "the head came through it"
        if self.parser.get_http_version() not in _VERSIONS:
            self._refuse(505, "not-supported", "base.http-version")
            return
        crowded = len(self.tasks) >= MOST_REQUESTS or len(self.connections) >= MOST_CONNECTIONS
        self.app = _busy if crowded else self.config.loaded_app
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.transport = _Answer(self.transport, self.loop)

    def send_400_response(self, msg: str) -> None:
        """Tell that this is not HTTP; `msg` is uvicorn's own word for it."""
        del msg
        self._refuse(400, "structure", "base.not-http")

    def _await_head(self) -> None:
        self._head = 0
        self._timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if self._head:
            self._refuse(408, "timeout", "base.head-slow")
        else:
            self._stop_timer()
            self.transport.close()

    def _refuse(self, status: int, code: str, key: str) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        content = _refusal(status, code, key)
        self.transport.write(b"".join([
            STATUS_LINE[status], b"content-type: ", _CONTENT, b"\r\ncontent-length: ", str(len(content)).encode(),
            b"\r\nconnection: close\r\n\r\n", content,
        ]))
        self.transport.close()
