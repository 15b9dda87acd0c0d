"""The lunar calendar of China, computed from sun and moon: old people tell their birthday by it.

New moons after the main terms of J. Meeus, Astronomical Algorithms, chapter 49; the sun's longitude after chapter 25. A new moon within minutes of
midnight may fall on the wrong day; for birthdays that people remember this is exact enough.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

MONTH = 29.530588861
# Julian day of 2000-01-01 at midnight in China, and the difference of dynamical time.
_EPOCH, _CHINA, _DELTA = 2451544.5, 8 / 24, 60 / 86400
_DAY_ZERO = date(2000, 1, 1)
# Coefficient, power of the eccentricity, multiples of M, M' and F.
_TERMS = (
    (-0.40720, 0, 0, 1, 0), (0.17241, 1, 1, 0, 0), (0.01608, 0, 0, 2, 0), (0.01039, 0, 0, 0, 2), (0.00739, 1, -1, 1, 0),
    (-0.00514, 1, 1, 1, 0), (0.00208, 2, 2, 0, 0), (-0.00111, 0, 0, 1, -2), (-0.00057, 0, 0, 1, 2), (0.00056, 1, 1, 2, 0),
    (-0.00042, 0, 0, 3, 0), (0.00042, 1, 1, 0, 2), (0.00038, 1, 1, 0, -2), (-0.00024, 1, -1, 2, 0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LunarDate:
    """A day of the lunar calendar; `leap` in a month that comes twice."""

    year: int
    month: int
    day: int
    leap: bool = False


def of(day: date) -> LunarDate:
    """Return the lunar date of a day."""
    for year in (day.year + 1, day.year):
        starts = _months(year)
        index = bisect_right(starts, (day, 99, True)) - 1
        if 0 <= index < len(starts):
            start, month, leap = starts[index]
            turn = year - 1 if month >= 11 and index < 3 else year
            return LunarDate(turn, month, (day - start).days + 1, leap)
    raise ValueError(f"{day} lies outside the computed months")


def as_date(birth: date) -> date | None:
    """Return the lunar birthday written as if it were a date of the common calendar; None where there is no such day."""
    found = of(birth)
    try:
        return date(found.year, found.month, found.day)
    except ValueError:
        return None


@cache
def _months(year: int) -> list[tuple[date, int, bool]]:
    """Return the months from the eleventh of the year before to the tenth of the year, as start, number and leap."""
    first, last = _eleventh(year - 1), _eleventh(year)
    number = _index_of(first)
    starts: list[date] = []
    while (start := _new_moon(number)) < last:
        starts.append(start)
        number += 1
    leap = len(starts) == 13
    return _numbered([*starts, last], leap)


def _numbered(starts: list[date], leap: bool) -> list[tuple[date, int, bool]]:
    found: list[tuple[date, int, bool]] = []
    month = 10
    for start, following in pairwise(starts):
        again = leap and len(found) > 0 and _sign(start) == _sign(following)
        leap, month = leap and not again, month if again else month % 12 + 1
        found.append((start, month, again))
    return found


def _eleventh(year: int) -> date:
    """Return the first day of the month with the winter solstice."""
    number = _index_of(date(year, 12, 22))
    candidates = [start for n in range(number - 2, number + 3) if (start := _new_moon(n)) <= _solstice(year)]
    return max(candidates)


@cache
def _solstice(year: int) -> date:
    """Return the day in China on which the sun reaches 270 degrees."""
    day = date(year, 12, 19)
    while _longitude(_julian(day + timedelta(days=1))) < 270:
        day += timedelta(days=1)
    return day


def _sign(day: date) -> int:
    """Return the twelfth of the sun's way at the beginning of a day."""
    return int(_longitude(_julian(day)) // 30)


def _julian(day: date) -> float:
    return _EPOCH + (day - _DAY_ZERO).days - _CHINA + _DELTA


def _index_of(day: date) -> int:
    return round(((day - date(2000, 1, 7)).days) / MONTH)


@cache
def _new_moon(k: int) -> date:
    """Return the day in China of the new moon numbered from 6 January 2000."""
    t = k / 1236.85
    sun, moon, node = (math.radians(x) for x in (
        2.5534 + 29.10535670 * k, 201.5643 + 385.81693528 * k + 0.0107582 * t * t,
        160.7108 + 390.67050284 * k - 0.0016118 * t * t,
    ))  # fmt: skip
    flat = 1 - 0.002516 * t
    shift = sum(c * flat**e * math.sin(a * sun + b * moon + f * node) for c, e, a, b, f in _TERMS)
    julian = 2451550.09766 + MONTH * k + 0.00015437 * t * t + shift
    return _DAY_ZERO + timedelta(days=math.floor(julian - _EPOCH + _CHINA - _DELTA))


def _longitude(julian: float) -> float:
    """Return the apparent longitude of the sun in degrees."""
    t = (julian - 2451545.0) / 36525
    mean = 280.46646 + 36000.76983 * t
    anomaly = math.radians(357.52911 + 35999.05029 * t)
    centre = (1.914602 - 0.004817 * t) * math.sin(anomaly) + 0.019993 * math.sin(2 * anomaly) + 0.000289 * math.sin(3 * anomaly)
    node = math.radians(125.04 - 1934.136 * t)
    return (mean + centre - 0.00569 - 0.00478 * math.sin(node)) % 360
