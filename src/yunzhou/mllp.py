"""An MLLP client that loses nothing: a message is sent again until its acknowledgement is read, and never afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass

from yunzhou.hl7 import frame

END = b"\x1c\r"
# HL7 table 0357: the record is locked, internal error. The same message again, a little later, is right.
AGAIN = ("206", "207")
MOST = 12
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class AnswerError(ConnectionError):
    """The other side answered something that is no acknowledgement."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The platform's answer: AA, AE or AR for HL7, the HTTP status for FHIR; with its words."""

    code: str
    text: str

    @property
    def stored(self) -> bool:
        """Whether the platform took the message."""
        return self.code == "AA" or self.code.startswith("2")

    @property
    def transient(self) -> bool:
        """Whether the platform refused for a reason that passes."""
        return not self.stored and any(f"{code}^" in self.text or f"{code}&" in self.text for code in AGAIN)


def read_acknowledgement(message: bytes, encoding: str = "utf-8") -> tuple[str, Answer]:
    """Return the control id that is acknowledged and the answer; raises AnswerError if there is no MSA."""
    texts = message.decode(encoding, errors="replace").split("\r")
    segments = {text[:3]: text.split("|") for text in reversed(texts)}
    found = [*segments.get("MSA", []), "", "", "", ""]
    if found[0] != "MSA":
        raise AnswerError("an answer without MSA")
    return found[2], Answer(found[1], "|".join([found[3], *segments.get("ERR", [])[1:]]).strip("|"))


class Link:
    """One connection to an MLLP server. `sent` counts what went out, `reconnects` how often it had to begin again."""

    def __init__(self, host: str, port: int, encoding: str = "utf-8", patience: float = 60.0) -> None:
        self.host, self.port, self.encoding, self.patience = host, port, encoding, patience
        self.sent = self.reconnects = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, control: str, message: bytes) -> Answer:
        """Send a message until it is acknowledged for good; `control` is its MSH-10."""
        pause, refused = FIRST_PAUSE, 0
        while True:
            try:
                answer = await self._attempt(control, message)
                refused += 1
                if not answer.transient or refused == MOST:
                    return answer
            except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self.close()
                self.reconnects += 1
            # The random part keeps the city's hospitals from coming back all at the same moment.
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _attempt(self, control: str, message: bytes) -> Answer:
        reader, writer = self._streams or await self._open()
        writer.write(frame(message))
        self.sent += 1
        await writer.drain()
        async with asyncio.timeout(self.patience):
            while True:
                acknowledged, answer = self._read(await reader.readuntil(END))
                if acknowledged == control:
                    return answer

    def _read(self, framed: bytes) -> tuple[str, Answer]:
        return read_acknowledgement(framed.strip(b"\x0b\x1c\r"), self.encoding)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection(self.host, self.port)
        return self._streams

    async def close(self) -> None:
        """Close the connection; the next `send` opens it again."""
        if self._streams:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
