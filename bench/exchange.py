"""HL7 v2 messages a second: read, translated, and through a real MLLP connection into the record.

Run: ``.venv/bin/python bench/exchange.py``. The messages are those of the simulated city; the floor of the last figure
is the same number of creates through the bare database driver.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from kangyun.base import clock
from kangyun.commons.exchange.decisions.acknowledge import peek
from kangyun.commons.exchange.decisions.encoding import decode
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.translate import translate
from kangyun.commons.exchange.model import Fault

RESIDENTS = 40


def messages(folder: Path) -> list[bytes]:
    """What the simulated city's hospitals send for some residents."""
    command = [sys.executable, "-m", "yunzhou.cli", "generate", "--out", folder, "--residents", str(RESIDENTS)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [path.read_bytes() for path in sorted(folder.rglob("*.hl7"))]


def rate(work: Callable[[bytes], object], some: Iterable[bytes]) -> float:
    """Messages a second of processor time."""
    count = 0
    began = time.process_time()
    for message in some:
        work(message)
        count += 1
    return count / (time.process_time() - began)


def read(message: bytes) -> None:
    """Decode and parse; hostile ones are refused, which is work too."""
    try:
        parse(decode(message)[0])
    except Fault:
        return


def turn(message: bytes) -> None:
    """Decode, parse and translate."""
    try:
        parsed = parse(decode(message)[0])
        translate(parsed, sender_of(peek(message).sender), clock.now())
    except Fault:
        return


async def through_mllp(some: list[bytes], port: int) -> float:
    """Messages a second over one MLLP connection for each of four senders, each waiting for its acknowledgement."""

    async def send(part: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for message in part:
            writer.write(b"\x0b" + message + b"\x1c\r")
            await reader.readuntil(b"\x1c\r")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(send(some[n::4]) for n in range(4)))
    return len(some) / (time.perf_counter() - began)


def main() -> int:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="kangyun-bench-") as name:
        some = messages(Path(name) / "city")
        print(f"{len(some)} messages of {sum(map(len, some)) // len(some)} bytes on average")
        print(f"read                {rate(read, some):8,.0f} a second of processor time")
        print(f"read and translated {rate(turn, some):8,.0f} a second of processor time")
        process = subprocess.Popen([Path(sys.executable).with_name("kangyun"), "serve", "--data", Path(name) / "data",
                                    "--port", "18081", "--mllp-port", "12575"])
        try:
            found = asyncio.run(_when_open(some))
            print(f"through MLLP into the record, acknowledged: {found:,.0f} a second")
        finally:
            process.terminate()
            process.wait(30)
    return 0


async def _when_open(some: list[bytes]) -> float:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", 12575)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return await through_mllp(some, 12575)
    raise TimeoutError("the server did not open its MLLP port")


if __name__ == "__main__":
    sys.exit(main())
