"""A small city for the tests, and an independent reader of HL7 v2 that knows nothing of the writer."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from yunzhou import institutions
from yunzhou.city import City, window
from yunzhou.households import Household
from yunzhou.messages import Message
from yunzhou.plans import CHINA

UNTIL = datetime(2026, 7, 1, tzinfo=CHINA)
SYSTEM_ID = "2.16.156.10011.1.3"


def small_city(seed: int = 7, faults: float = 1.0) -> City:
    """A hundred residents in two and a half years."""
    return City(seed, 100, window(3, UNTIL, faults))


@cache
def told(faults: float = 1.0) -> tuple[Message, ...]:
    """All messages of the small city."""
    return tuple(small_city(faults=faults).messages())


@cache
def homes(people: int = 1000) -> tuple[Household, ...]:
    """The households of so many people."""
    return tuple(City(7, people, window(3, UNTIL)).households())


class Split:
    """An HL7 message taken apart at its separators."""

    def __init__(self, message: Message) -> None:
        house = institutions.institution(message.institution)
        text = message.body.decode(house.encoding)
        assert text.endswith("\r")
        self.lines = [line.split("|") for line in text[:-1].split("\r")]
        # MSH-1 is the separator itself.
        self.lines[0].insert(1, "|")

    def all(self, name: str) -> list[list[str]]:
        return [line for line in self.lines if line[0] == name]

    def field(self, name: str, number: int) -> str:
        line = next((line for line in self.lines if line[0] == name), [])
        return line[number] if number < len(line) else ""
