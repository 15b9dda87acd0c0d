"""Messages that are wrong on purpose: each must end in quarantine, and the right message follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from random import Random

from msgspec import Struct

from yunzhou import assumptions, chance, people
from yunzhou.institutions import Institution
from yunzhou.messages import Message
from yunzhou.visits import Cancelled


class Kind(Struct, frozen=True):
    """A kind of fault and what the platform should find."""

    kind: str
    weight: float
    reason: str


class Faults(Struct, frozen=True):
    """How often which fault occurs."""

    rate: float
    kinds: list[Kind]


class Duplicates(Struct, frozen=True):
    """How many residents are registered twice in a hospital, and when that is found out."""

    rate: float
    merged_after_days: tuple[int, int]


class Habits(Struct, frozen=True):
    """The whole of habits.yaml."""

    faults: Faults
    duplicates: Duplicates
    demand: float
    cancelled: Cancelled


@cache
def habits() -> Habits:
    """Return the bad habits of the city."""
    return assumptions.read("habits.yaml", Habits)


def before(message: Message, house: Institution, rng: Random, scale: float) -> Message | None:
    """Return a wrong message that was sent just before this one, or None: most often."""
    if message.transport != "mllp" or rng.random() >= habits().faults.rate * scale:
        return None
    kind = chance.weighted(rng, [(kind, kind.weight) for kind in habits().faults.kinds])
    segments = message.body.decode(house.encoding).rstrip("\r").split("\r")
    segments[0] = segments[0].replace(f"|{message.id}|", f"|{message.id}X|")
    if not BREAKS[kind.kind](segments):
        return None
    body = "".join(f"{text}\r" for text in segments).encode(house.encoding)
    at = message.at - timedelta(seconds=20)
    return Message(
        f"{message.id}X", message.institution, "mllp", at, message.household, body, message.kind, "refused", kind.reason,
    )  # fmt: skip


def _unsupported_event(segments: list[str]) -> bool:
    fields = segments[0].split("|")
    fields[8] = "ADT^A99"
    segments[0] = "|".join(fields)
    return True


def _wrong_check_digit(segments: list[str]) -> bool:
    pid = _patient(segments)
    found = next(
        (text for text in segments[pid].replace("~", "|").replace("^", "|").split("|") if people.is_valid(text)), None
    )
    if found:
        segments[pid] = segments[pid].replace(found, people.wrong_check(found))
    return bool(found)


def _broken_segment(segments: list[str]) -> bool:
    """Put a line end into the patient segment, as a form with a line break in a field does."""
    pid = _patient(segments)
    middle = len(segments[pid]) // 2
    segments[pid : pid + 1] = [segments[pid][:middle], f".{segments[pid][middle:]}"]
    return True


def _missing_pid(segments: list[str]) -> bool:
    del segments[_patient(segments)]
    return True


def _patient(segments: list[str]) -> int:
    return next(index for index, text in enumerate(segments) if text.startswith("PID|"))


BREAKS: dict[str, Callable[[list[str]], bool]] = {
    "unsupported_event": _unsupported_event,
    "wrong_check_digit": _wrong_check_digit,
    "broken_segment": _broken_segment,
    "missing_pid": _missing_pid,
}
