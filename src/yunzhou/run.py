"""A run of `yunzhou send`: the history, then today, with lines about how it goes."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from yunzhou import institutions
from yunzhou.city import City
from yunzhou.live import Today
from yunzhou.messages import Message
from yunzhou.mllp import Answer
from yunzhou.plans import CHINA
from yunzhou.send import Sender, Tally, Target

EVERY, EVERY_LIVE = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What is sent, and where the truth is kept."""

    history: bool = True
    live: bool = False
    truth: Path | None = None


@dataclass(slots=True)
class Run:
    """Sends, counts and tells."""

    city: City
    target: Target
    options: Options
    tally: Tally = field(default_factory=Tally)
    began: float = field(default_factory=time.monotonic)
    _told: float = 0.0
    _living: bool = False
    _reached: datetime | None = None
    _truth: BinaryIO | None = None
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """End the run after the messages that are under way."""
        self._stopped.set()

    async def run(self) -> int:
        """Send everything; return 1 if an answer was not the expected one."""
        if self.options.truth:
            self._truth = self.options.truth.open("ab")
        sender = Sender(self.target, self._hear)
        try:
            await self._send(sender)
        finally:
            await sender.close()
            if self._truth:
                self._truth.close()
            self._report(sender)
        return 1 if self.tally.surprises else 0

    async def _send(self, sender: Sender) -> None:
        if self.options.history:
            history = asyncio.create_task(sender.send_all(self.city.messages()))
            stopped = asyncio.create_task(self._stopped.wait())
            await asyncio.wait([history, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not history.done():
                history.cancel()
                return
            history.result()
            self._say()
        if self.options.live:
            print("the history is told; today goes on until stopped (Ctrl+C)", flush=True)
            self._living = True
            await self._live(sender)

    async def _live(self, sender: Sender) -> None:
        today = Today(self.city, lambda: datetime.now(CHINA))
        while not self._stopped.is_set():
            for message in await asyncio.to_thread(today.due):
                await sender.put(message)
                await sender.hand_in(message.id)
                if await self._pause(random.uniform(0.8, 2.2)):
                    return
            await self._pause(0.5)

    async def _pause(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopped.wait()
        except TimeoutError:
            return False

    def _hear(self, message: Message, answer: Answer) -> None:
        self.tally.hear(message, answer)
        self._reached = message.at
        if self._truth:
            self._truth.writelines(msgspec.json.encode(fact) + b"\n" for fact in [*message.every_fact(), message.fact()])
        pause = 0.2 if sys.stdout.isatty() else EVERY_LIVE if self._living else EVERY
        if time.monotonic() - self._told > pause:
            self._say()

    def _say(self) -> None:
        """Tell how far it is: a bar over the time of the history on a terminal, else a line."""
        self._told = time.monotonic()
        if not self._reached:
            return
        window, seconds = self.city.window, self._told - self.began
        share = min(1.0, (self._reached - window.since) / (window.until - window.since))
        bar = ("█" * int(share * 24)).ljust(24, "·")
        text = f"{bar} {self._reached:%Y-%m-%d}  {self.tally.total:,} messages  {self.tally.total / seconds:,.0f}/s"
        if self._living:
            text = f"{self._reached:%Y-%m-%d %H:%M}  {self.tally.total:,} messages since the beginning"
        # A terminal shows one moving line; a log gets a new one.
        print(f"\r{text}" if sys.stdout.isatty() else text, end="" if sys.stdout.isatty() else "\n", flush=True)

    def _report(self, sender: Sender) -> None:
        print(f"\n{self.tally.total:,} messages in {time.monotonic() - self.began:.1f} s", flush=True)
        for (key, transport, code), number in sorted(self.tally.answers.items()):
            print(f"  {institutions.institution(key).name}  {transport}  {code}  {number:,}")
        rows = sum(number for (_, transport, _), number in self.tally.answers.items() if transport == "sheet")
        again = sum(link.sent for link in sender.links) - (self.tally.total - rows)
        print(f"  sent again {again:,}, connections lost {sum(link.reconnects for link in sender.links):,}")
        for message, answer in self.tally.surprises[:10]:
            print(
                f"  NOT EXPECTED {answer.code} for {message.kind} {message.id} ({message.expected}): {answer.text[:200]}"
            )
        if len(self.tally.surprises) > 10:
            print(f"  ... and {len(self.tally.surprises) - 10:,} more")
