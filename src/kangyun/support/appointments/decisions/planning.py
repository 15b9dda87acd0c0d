"""From templates and exceptions to sittings, and from a sitting to its numbers with the quotas of the channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from kangyun.support.appointments.model import CHINA, Departure, Number, Part, Sitting, Template

_LONGEST = 24 * 60


def faults(part: Part, channels: Iterable[str]) -> str:
    """What cannot be right of a part of a day, as the name of its field; empty when it can."""
    if not 1 <= part.minutes <= _LONGEST:
        return "minutes"
    if not 1 <= part.numbers <= 500 or part.minutes * part.numbers > _LONGEST:
        return "numbers"
    known = set(channels)
    if not set(part.quotas) <= known or any(most < 0 for most in part.quotas.values()) or sum(part.quotas.values()) > part.numbers:
        return "quotas"
    return ""


def sittings(
    schedule: str, templates: Sequence[Template], departures: Sequence[Departure], first: date, days: int
) -> list[tuple[Sitting, Part]]:
    """The sittings of a schedule on so many days from the first on: its templates, less closed days, and extra ones."""
    found: list[tuple[Sitting, Part]] = []
    for day in (first + timedelta(days=n) for n in range(days)):
        found += [(sitting(schedule, day, part), part) for part in _parts(day, templates, departures)]
    return found


def _parts(day: date, templates: Sequence[Template], departures: Sequence[Departure]) -> list[Part]:
    of_day = [one for one in departures if one.day == day]
    extra = [one.part for one in of_day if one.kind == "extra" and one.part]
    if any(one.kind == "closed" for one in of_day):
        return extra
    usual = [one.part for one in templates if one.weekday == day.isoweekday() and one.since <= day and (one.until is None or day <= one.until)]
    return usual + [one for one in extra if all(one.begins != other.begins for other in usual)]


def sitting(schedule: str, day: date, part: Part) -> Sitting:
    """One sitting; its id says which, so that making it twice makes it once."""
    starts = datetime.combine(day, part.begins, CHINA)
    ends = starts + timedelta(minutes=part.minutes * part.numbers)
    return Sitting(f"{schedule}.{starts:%y%m%d%H%M}", schedule, day, starts, ends)


def numbers(of: Sitting, part: Part) -> list[Number]:
    """The numbers of a sitting in their order, each kept for a channel or open to all; quotas are spread over the time."""
    kept = _spread(part.quotas, part.numbers)
    length = timedelta(minutes=part.minutes)
    return [
        Number(f"{of.id}.{n + 1}", of.id, n + 1, of.starts + n * length, of.starts + (n + 1) * length, kept.get(n, ""), free_at=of.starts - timedelta(days=366))
        for n in range(part.numbers)
    ]


def _spread(quotas: Mapping[str, int], most: int) -> dict[int, str]:
    """Which places are kept for whom: each channel's evenly over the sitting, so that none has only the last ones."""
    wanted = sorted(((place + 0.5) / count, channel) for channel, count in quotas.items() for place in range(count))
    free = list(range(most))
    found: dict[int, str] = {}
    for share, channel in wanted:
        place = min(free, key=lambda n: abs(n + 0.5 - share * most))
        free.remove(place)
        found[place] = channel
    return found
