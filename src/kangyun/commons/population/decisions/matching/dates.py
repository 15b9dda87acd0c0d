"""Birth dates as people get them wrong: day and month swapped, lunar instead of solar, 1 January for unknown."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import date, timedelta
from functools import cache, lru_cache

from kangyun.base import rules

_PACKAGE = "kangyun.commons.population"
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_YEAR = re.compile(r"(?:18|19|20)\d{2}")


@lru_cache(maxsize=32768)
def parse(text: str) -> date | None:
    """A whole date `1956-03-04`, also from the beginning of a time, or None."""
    match = _DATE.match(text)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def year(text: str) -> str:
    """The year of a date that may be partial, or an empty text."""
    match = _YEAR.match(text)
    return match[0] if match else ""


@lru_cache(maxsize=32768)
def swapped(text: str) -> str:
    """The date with day and month exchanged; empty when there is no such date or it is the same."""
    day = parse(text)
    if day is None or day.day > 12 or day.day == day.month:
        return ""
    return date(day.year, day.day, day.month).isoformat()


@lru_cache(maxsize=32768)
def lunar(text: str) -> str:
    """The lunar date of a solar one, written alike: `1956-03-04` -> `1956-01-22`; a leap month bears the number before it.

    Empty when the date is outside the table of rules/lunar.yaml. The 30th of a second month has no solar twin but stays.
    """
    day = parse(text)
    starts, years = _lunar_years()
    place = bisect_right(starts, day) - 1 if day else -1
    if day is None or place < 0:
        return ""
    return _within(years[place], day, starts[place])


def _within(lunar_year: tuple[int, int, str], day: date, start: date) -> str:
    number, leap, lengths = lunar_year
    for place, long in enumerate(lengths):
        days = 29 + int(long)
        if (day - start).days < days:
            month = place + 1 if leap == 0 or place < leap else place
            return f"{number:04d}-{month:02d}-{(day - start).days + 1:02d}"
        start += timedelta(days=days)
    return ""


@cache
def _lunar_years() -> tuple[list[date], list[tuple[int, int, str]]]:
    starts: list[date] = []
    years: list[tuple[int, int, str]] = []
    for number, text in rules.load(_PACKAGE, "lunar.yaml").map.items():
        first, leap, lengths = str(text).split()
        starts.append(date.fromisoformat(f"{number}-{first}"))
        years.append((int(number), int(leap), lengths))
    return starts, years
