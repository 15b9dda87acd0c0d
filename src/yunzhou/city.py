"""The city: all its messages as one stream, household block by household block, each block in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from yunzhou import households, places, story
from yunzhou.households import Household
from yunzhou.messages import Message
from yunzhou.places import Region, Settlement
from yunzhou.plans import CHINA
from yunzhou.story import Window

# One block is held in memory at a time: some ten thousand messages. A small city is one block, so its history runs in true order.
BLOCK = 400


@dataclass(frozen=True, slots=True)
class City:
    """What is simulated: so many residents by that seed, in that window; `villages` if not as many as such a city has."""

    seed: int
    residents: int
    window: Window
    villages: int = 0

    @property
    def region(self) -> Region:
        """Its settlements."""
        return places.region(self.residents, self.villages)

    def households(self) -> Iterator[Household]:
        """Yield all households."""
        return households.of_city(self.seed, self.region)

    def messages(self) -> Iterator[Message]:
        """Yield all messages; those of one household are always in order of time."""
        left = self.households()
        while block := list(islice(left, BLOCK)):
            told = [message for home in block for message in story.of_household(self.seed, home, self.window)]
            yield from sorted(told, key=lambda message: message.at)

    def settlement(self, settlement: Settlement) -> list[Message]:
        """Return the messages of the households of one settlement in order of time."""
        homes = households.of_settlement(self.seed, self.region, settlement)
        told = [message for home in homes for message in story.of_household(self.seed, home, self.window)]
        return sorted(told, key=lambda message: message.at)


def window(years: int, until: datetime, faults: float = 1.0) -> Window:
    """Return the window of so many calendar years up to `until`, of which the last may have only begun."""
    last = until.year if until > datetime(until.year, 1, 1, tzinfo=CHINA) else until.year - 1
    return Window(datetime(last - years + 1, 1, 1, tzinfo=CHINA), until, faults)


def midnight(now: datetime) -> datetime:
    """Return the beginning of that day in China."""
    return now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
