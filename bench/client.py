"""A lean HTTP client for the benchmarks: keep-alive connections that each ask, wait and ask again."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured: answers a second, the times of single answers in milliseconds, and all requests with those to warm up."""

    rate: float
    median: float
    p95: float
    errors: int
    asked: int = 0


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.buffer = bytearray()
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # pyright: ignore[reportAttributeAccessIssue]

    def connection_lost(self, _exc: Exception | None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        lower = bytes(self.buffer[:head]).lower()
        place = lower.find(b"content-length:")
        length = int(lower[place + 15:].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(self.buffer) >= head + 4 + length:
            body = bytes(self.buffer[head + 4:head + 4 + length])
            status = int(self.buffer[9:12])
            del self.buffer[:head + 4 + length]
            assert self.answer is not None
            self.answer.set_result((status, body))

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    transport, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port)
    try:
        return await connection.ask(request)
    finally:
        transport.close()


async def measure(port: int | Sequence[int], requests: Callable[[], Iterator[bytes]], seconds: float, clients: int = 8) -> Figures:
    """Let `clients` connections ask for `seconds`, after a tenth of that time to warm up; of several ports each has its share."""
    ports = [port] if isinstance(port, int) else port
    times: list[float] = []
    errors = 0
    source = requests()

    async def one(number: int, until: float) -> None:
        nonlocal errors
        transport, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", ports[number % len(ports)])
        while time.perf_counter() < until:
            began = time.perf_counter()
            status, _ = await connection.ask(next(source))
            times.append(time.perf_counter() - began)
            errors += status >= 400
        transport.close()

    await asyncio.gather(*(one(number, time.perf_counter() + seconds / 10) for number in range(clients)))
    warm = len(times)
    times.clear()
    began = time.perf_counter()
    await asyncio.gather(*(one(number, began + seconds) for number in range(clients)))
    elapsed = time.perf_counter() - began
    times.sort()
    p95 = times[int(len(times) * 0.95)] if times else 0.0
    return Figures(len(times) / elapsed, statistics.median(times) * 1000, p95 * 1000, errors, warm + len(times))


class _Login:
    """The header that every request carries once `log_in` was called."""

    header = ""


def log_in(data: Path, port: int) -> None:
    """Register a service of the platform on `data` and fetch its access token, as a connected system does."""
    kangyun = Path(sys.executable).with_name("kangyun")
    made = subprocess.run(
        [kangyun, "client", "add", "bench", "--scope", "system/*.cruds", "--data", data, "--json"], capture_output=True, check=True)
    client = json.loads(made.stdout)
    form = {"grant_type": "client_credentials", "client_id": client["client_id"], "client_secret": client["client_secret"]}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/oauth/token", urlencode(form | {"scope": "system/*.cruds"}).encode()) as answer:
        show(json.load(answer)["access_token"])


def show(token: str) -> None:
    """Let every request carry an access token; '' for none."""
    _Login.header = f"authorization: Bearer {token}\r\n" if token else ""


def shown() -> str:
    """The access token that requests carry."""
    return _Login.header.removeprefix("authorization: Bearer ").strip()


def get(path: str) -> bytes:
    """The bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{_Login.header}accept: application/fhir+json\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """The bytes of a POST of FHIR JSON."""
    head = (f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{_Login.header}"
            f"content-type: application/fhir+json\r\ncontent-length: {len(body)}\r\n\r\n")
    return head.encode() + body
