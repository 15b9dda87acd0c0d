"""Dates of the lunar calendar, as elderly people know their birthdays, as solar ones."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

from kangyun.commons.population.decisions.matching import dates

_LUNAR = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
# The lunar new year falls between 21 January and 21 February, and no month drifts further than a leap month.
_EARLIEST, _LATEST = 15, 62


@lru_cache(maxsize=16_384)
def solar_of(text: str) -> str | None:
    """The solar day of a lunar date written alike: `1956-01-22` -> `1956-03-04`; None where there is no such day.

    Of a month and its leap month the first is meant.
    """
    match = _LUNAR.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= 12 or not 1 <= int(match[3]) <= 30:
        return None
    start = date(int(match[1]), int(match[2]), 1) + timedelta(days=int(match[3]) - 1)
    days = (start + timedelta(days=later) for later in range(_EARLIEST, _LATEST))
    return next((day.isoformat() for day in days if dates.lunar(day.isoformat()) == text), None)
