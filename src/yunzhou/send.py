"""Sends the messages of the city over real connections, and counts what the platform answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from yunzhou import institutions, sheets
from yunzhou.access import Access
from yunzhou.messages import Message
from yunzhou.mllp import Answer, Link
from yunzhou.sheets import Sheet
from yunzhou.transactions import CDA, FhirLink

Heard = Callable[[Message, Answer], None]
QUEUE = 400
CHUNK = 200
# What the platform calls the kinds of sheets, and what it is told of a file.
TABLES = {"register": "personal_basics", "visits": "outpatient", "followup": "followup"}
FILE = "application/octet-stream"


class Way(Protocol):
    """A connection to the platform."""

    sent: int
    reconnects: int

    async def send(self, name: str, body: bytes, /) -> Answer:
        """Send until answered."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where the platform is; `connections` of each hospital, `rate` in messages a second of all together, 0 for no limit.

    `folder` is watched by the platform for spreadsheets; without it they are posted to `/exchange/tables`.
    """

    host: str
    port: int
    fhir: str
    token: str = ""
    folder: Path | None = None
    connections: int = 1
    rate: float = 0.0
    access: Access | None = None

    @property
    def exchange(self) -> str:
        """Where documents and spreadsheets are posted."""
        return f"{self.fhir.removesuffix('/').removesuffix('/fhir')}/exchange"


@dataclass(slots=True)
class Tally:
    """What was answered, by institution and code; `surprises` are answers that were not expected."""

    answers: Counter[tuple[int, str, str]] = field(default_factory=Counter[tuple[int, str, str]])
    surprises: list[tuple[Message, Answer]] = field(default_factory=list[tuple[Message, Answer]])

    def hear(self, message: Message, answer: Answer) -> None:
        """Count an answer."""
        self.answers[(message.institution, message.transport, answer.code)] += 1
        # What becomes of a row is seen later: a file has one answer, or none.
        if message.transport != "sheet" and answer.stored != (message.expected == "stored"):
            self.surprises.append((message, answer))

    @property
    def total(self) -> int:
        """How many messages were answered."""
        return sum(self.answers.values())


@dataclass(slots=True)
class _Order:
    """A message in a lane: it waits for `before`, the household's message ahead of it, and tells `done` when it is answered."""

    message: Message
    before: asyncio.Event | None
    done: asyncio.Event


class Sender:
    """Sends messages in lanes: one for each connection of an institution, in order of time for every household."""

    def __init__(self, target: Target, heard: Heard) -> None:
        self.target, self.heard = target, heard
        self.links: list[Way] = []
        self._queues: dict[tuple[int, int], asyncio.Queue[_Order]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._last: dict[int, asyncio.Event] = {}
        self._rows: list[Message] = []
        self._year = 0

    async def send_all(self, messages: Iterable[Message]) -> None:
        """Send everything and wait for the last answer."""
        iterator = iter(messages)
        # The city is thought up in a thread, so that connections are served meanwhile.
        while chunk := await asyncio.to_thread(_take, iterator):
            for message in chunk:
                if message.at.year != self._year:
                    await self.hand_in(str(self._year))
                    self._year = message.at.year
                await self.put(message)
                if self.target.rate:
                    await asyncio.sleep(1 / self.target.rate)
        await self.drain()
        await self.hand_in(str(self._year))

    async def hand_in(self, part: str) -> None:
        """Hand in the spreadsheets with the rows noted since the last time."""
        rows, self._rows = self._rows, []
        for sheet in sheets.of(rows, part):
            answer = await self._hand_in(sheet)
            for message in sheet.messages:
                self.heard(message, answer)

    async def _hand_in(self, sheet: Sheet) -> Answer:
        if self.target.folder:
            await asyncio.to_thread(drop, self.target.folder, sheet)
            return Answer("file", "")
        sender, kind, _ = sheet.name.split("_", 2)
        link = FhirLink(f"{self.target.exchange}/tables?sender={sender}&kind={TABLES[kind]}", self.target.token, kind=FILE, access=self.target.access)
        answer = await link.send(sheet.name, sheet.body)
        await link.close()
        return answer

    async def put(self, message: Message) -> None:
        """Queue one message; waits while its lane is full. A row waits until its spreadsheet is handed in."""
        if message.transport == "sheet":
            self._rows.append(message)
            return
        done = asyncio.Event()
        before = self._last.get(message.household)
        self._last[message.household] = done
        await self._lane(message).put(_Order(message, before, done))
        self._raise_broken()

    async def drain(self) -> None:
        """Wait until all queued messages are answered."""
        joins = [asyncio.ensure_future(queue.join()) for queue in self._queues.values()]
        finished = asyncio.gather(*joins)
        await asyncio.wait([finished, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        self._raise_broken()
        await finished

    async def close(self) -> None:
        """End the lanes and close their connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self.links:
            await link.close()

    def _raise_broken(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    def _lane(self, message: Message) -> asyncio.Queue[_Order]:
        key = (message.institution, message.household % self.target.connections)
        if key not in self._queues:
            self._queues[key] = asyncio.Queue(QUEUE)
            self._tasks.append(asyncio.create_task(self._work(message.institution, self._queues[key])))
        return self._queues[key]

    async def _work(self, key: int, queue: asyncio.Queue[_Order]) -> None:
        ways: dict[str, Way] = {
            "mllp": Link(self.target.host, self.target.port, institutions.institution(key).encoding),
            "fhir": FhirLink(self.target.fhir, self.target.token, access=self.target.access),
            "cda": FhirLink(f"{self.target.exchange}/cda", self.target.token, kind=CDA, access=self.target.access),
        }
        self.links.extend(ways.values())
        while True:
            order = await queue.get()
            if order.before:
                await order.before.wait()
            answer = await ways[order.message.transport].send(order.message.id, order.message.body)
            self._settle(order)
            self.heard(order.message, answer)
            queue.task_done()

    def _settle(self, order: _Order) -> None:
        order.done.set()
        if self._last.get(order.message.household) is order.done:
            del self._last[order.message.household]


def drop(folder: Path, sheet: Sheet) -> None:
    """Put a spreadsheet into the watched folder, whole at once: hidden names are left alone there."""
    hidden = folder / f".{sheet.name}"
    hidden.write_bytes(sheet.body)
    hidden.rename(folder / sheet.name)


def _take(messages: Iterator[Message]) -> list[Message]:
    return list(islice(messages, CHUNK))
