"""HL7 v2 taken in: four senders over MLLP, one keep-alive connection each, every message matched, stored and acknowledged.

Run: ``.venv/bin/python bench/intake.py [--seconds 20] [--people 5000] [--connections 1]``. The mix is that of a
hospital's day: registrations, updates, admissions, and laboratory reports of eight results. The floor, measured in the same
run: the same bytes received by a bare asyncio MLLP server that inserts each into PostgreSQL as one row and then answers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import asyncpg
import uvloop

import population
from kangyun.base.database.embedded import EmbeddedServer

KANGYUN = Path(sys.executable).with_name("kangyun")
SENDERS = ("YZFH", "YZTCM", "YZCH1", "YZCH2")
HTTP, MLLP, BARE = 18082, 12576, 12577
# Registration, update, admission, report: how often each of a hundred messages is one.
MIX = (("ADT^A04^ADT_A01", 20), ("ADT^A08^ADT_A01", 20), ("ADT^A01^ADT_A01", 10), ("ORU^R01^ORU_R01", 50))


@dataclass(slots=True)
class Figures:
    """What one run reached: messages, seconds, and each answer's milliseconds."""

    answers: Counter[str] = field(default_factory=Counter[str])
    times: list[float] = field(default_factory=list[float])
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return sum(self.answers.values()) / self.seconds

    @property
    def p95(self) -> float:
        return quantiles(self.times, n=20)[-1] * 1000 if len(self.times) > 1 else 0.0


def id_number(number: int) -> str:
    """A resident ID number of the invented region 99, with its check digit (GB 11643)."""
    body = f"990101{1930 + number % 90}{number % 12 + 1:02d}{number % 28 + 1:02d}{number % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


def pid(number: int, sender: str) -> str:
    """One person as a sender tells: the same person at another sender has another number; one in three tells no ID number."""
    chance = random.Random(number)
    name = chance.choice(population.SURNAMES) + "".join(chance.choices(population.GIVEN, k=2))
    born = f"{1930 + number % 90}{number % 12 + 1:02d}{number % 28 + 1:02d}"
    told = f"~{id_number(number)}^^^MOPS^NNCHN" if number % 3 else ""
    home = f"人民路街道幸福里{number % 997}号^^云州市^云岭省^990101^CHN^H"
    return f"PID|1||{sender}{number:07d}^^^{sender}^MR{told}||{name}||{born}|{'MF'[number // 2 % 2]}|||{home}||139{number % 10**8:08d}"


def message(kind: str, control: str, sender: str, person: int, chance: random.Random) -> bytes:
    """One message of about 500 bytes (ADT) or 1,100 (ORU)."""
    now = time.strftime("%Y%m%d%H%M%S+0800")
    lines = [f"MSH|^~\\&|HIS|{sender}|KANGYUN|YUNZHOU|{now}||{kind}|{control}|P|2.5|||AL|NE|CHN|UNICODE UTF-8"]
    if kind.startswith("ADT"):
        event = kind[4:7]
        lines += [f"EVN|{event}|{now}", pid(person, sender), "NK1|1|吴国强|SPO^配偶^HL70063||12913005520"]
        lines += [f"PV1|1|{'I' if event == 'A01' else 'O'}|W{person % 9}^{person % 20}^1||||D{person % 50}^王^志远" + "|" * 12 + f"V{control}"]
        lines += ["DG1|1||I10^高血压^I10|||W"]
    else:
        lines += [pid(person, sender), f"OBR|1|P{control}|R{control}|24323-8^生化全套^LN|||{now}|||||||||||||||{now}||LAB|F"]
        for number, (code, name, unit, low, high) in enumerate(population.CODES[:8], 1):
            value = f"{chance.uniform(low * 0.8, high * 1.2):.2f}"
            lines.append(f"OBX|{number}|NM|{code}^{name}^LN||{value}|{unit}|{low}-{high}|N|||F|||{now}")
    return ("\r".join(lines) + "\r").encode()


def stream(sender: str, run: str, people: int) -> Iterator[bytes]:
    """The messages of one sender, without end."""
    chance = random.Random(f"{sender}{run}")
    kinds, weights = [kind for kind, _ in MIX], [weight for _, weight in MIX]
    number = 0
    while True:
        number += 1
        kind = chance.choices(kinds, weights)[0]
        yield message(kind, f"{run}{sender[-2:]}{number}", sender, chance.randrange(people), chance)


async def drive(port: int, run: str, seconds: float, people: int, connections: int) -> Figures:
    """Send for some seconds; each connection waits for an answer before it sends the next message."""
    found = Figures()
    began = time.perf_counter()

    async def one(sender: str, place: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in stream(sender, f"{run}{place}", people):
            sent = time.perf_counter()
            if sent - began > seconds:
                break
            writer.write(b"\x0b" + body + b"\x1c\r")
            answer = await reader.readuntil(b"\x1c\r")
            found.times.append(time.perf_counter() - sent)
            at = answer.find(b"MSA|") + 4
            found.answers[answer[at:at + 2].decode()] += 1
        writer.close()

    await asyncio.gather(*(one(sender, place) for sender in SENDERS for place in range(connections)))
    found.seconds = time.perf_counter() - began
    return found


async def floor(dsn: str, seconds: float, people: int, connections: int) -> Figures:
    """The same through a bare server: read a frame, insert a row, answer."""
    pool = await asyncpg.create_pool(dsn, min_size=4, max_size=8)
    await pool.execute("CREATE TABLE IF NOT EXISTS floor (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await reader.readuntil(b"\x1c\r")
                await pool.execute("INSERT INTO floor (body) VALUES ($1)", frame)
                writer.write(b"\x0bMSH|^~\\&|\rMSA|AA|1\r\x1c\r")
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", BARE, limit=1 << 20)
    try:
        return await drive(BARE, "F", seconds, people, connections)
    finally:
        server.close()
        await pool.execute("DROP TABLE floor")
        await pool.close()


def start(data: Path) -> subprocess.Popen[bytes]:
    """The platform with its MLLP port open."""
    command = [KANGYUN, "serve", "--data", data, "--port", str(HTTP), "--mllp-port", str(MLLP)]
    process = subprocess.Popen(command)
    asyncio.run(_open())
    return process


async def _open() -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", MLLP)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise TimeoutError("the server did not open its MLLP port")


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--people", type=int, default=5000, help="how many people the messages are about")
    parser.add_argument("--connections", type=int, default=1, help="for each of the four senders")
    parser.add_argument("--folder", type=Path, help="use this data folder and keep it")
    asked = parser.parse_args()
    folder: Path = asked.folder or Path(tempfile.mkdtemp(prefix="kangyun-bench-"))
    process = start(folder / "data")
    run = f"{time.time_ns() // 10**6 % 10**9:09d}"
    try:
        uvloop.run(drive(MLLP, f"W{run}", min(3.0, asked.seconds), asked.people, asked.connections))
        found = uvloop.run(drive(MLLP, f"M{run}", asked.seconds, asked.people, asked.connections))
        dsn = EmbeddedServer(folder / "data" / "postgres").dsn()
        bare = uvloop.run(floor(dsn, asked.seconds / 2, asked.people, asked.connections))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        if not asked.folder:
            shutil.rmtree(folder, ignore_errors=True)
    told = ", ".join(f"{count} {code}" for code, count in found.answers.most_common())
    print(f"received, translated, matched, stored, acknowledged: {found.rate:,.0f}/s, p95 {found.p95:.1f} ms ({told}); wanted 500/s")
    print(f"floor, received and one row each: {bare.rate:,.0f}/s, p95 {bare.p95:.1f} ms; ratio {found.rate / bare.rate:.2f}")
    return 0


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")
    sys.exit(main())
