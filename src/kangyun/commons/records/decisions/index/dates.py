"""Dates as ranges of microseconds, by their precision (FHIR R4 search, 3.1.1.4.9)."""

from __future__ import annotations

import re
import time
from calendar import monthrange
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import TypeAlias

# Whole microseconds; of a side that is open, infinity.
Range: TypeAlias = tuple[float, float]

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_SHAPE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
INFINITY = float("inf")


class _Zone:
    """Where a date without a time zone is meant: the server's local time, as R4 says, unless set."""

    zone: tzinfo | None = None


def set_zone(zone: tzinfo | None) -> None:
    """Choose the zone of dates that state none; what is indexed already keeps the zone it was indexed with."""
    _Zone.zone = zone
    range_of.cache_clear()


@lru_cache(maxsize=4096)
def range_of(text: str) -> Range | None:
    """First and last microsecond since 1970 that a date, dateTime or instant may mean; None when it is not a date."""
    if len(text) == 25 and (usual := _to_the_second(text)) is not None:
        return usual
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = shape.groups()
    try:
        if hour is None:
            return _days(int(year), int(month or 0), int(day or 0))
        moment = datetime(  # noqa: DTZ001 - the zone is applied by _microseconds
            int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59)
        )
        low = _microseconds(moment, zone) + int((fraction or "")[:6].ljust(6, "0"))
    except (ValueError, OverflowError):
        return None
    return low, low + _width(second, fraction) - 1


def _to_the_second(text: str) -> Range | None:
    """The range of `2024-05-01T08:30:00+08:00`, which is how nearly all are written; None when it is written otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.isoformat() != text:
        return None
    low = to_microseconds(moment)
    return low, low + _SECOND - 1


def _width(second: str | None, fraction: str | None) -> int:
    if second is None:
        return 60 * _SECOND
    return 10 ** max(0, 6 - len(fraction or ""))


def _microseconds(moment: datetime, zone: str | None) -> int:
    if zone is None:
        return _local(moment)
    days = moment.toordinal() - _EPOCH_DAY
    seconds = days * 86_400 + moment.hour * 3600 + moment.minute * 60 + moment.second
    if zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds -= offset if zone[0] == "+" else -offset
    return seconds * _SECOND


def _local(moment: datetime) -> int:
    if _Zone.zone is None and time.timezone == 0 and not time.daylight:
        return _microseconds(moment, "Z")
    delta = moment.replace(tzinfo=_Zone.zone).astimezone(UTC) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * _SECOND


def _days(year: int, month: int, day: int) -> Range:
    first = datetime(year, month or 1, day or 1)  # noqa: DTZ001 - the zone is applied by _local
    low = _local(first)
    length = 1 if day else monthrange(year, month)[1] if month else 366 if monthrange(year, 2)[1] == 29 else 365
    ordinal = first.toordinal() + length
    end = low + length * _DAY if ordinal > date.max.toordinal() else _local(datetime.fromordinal(ordinal))
    return low, end - 1


def from_microseconds(value: float) -> datetime:
    """The instant of a number of microseconds, clipped to what Python can hold."""
    clipped = min(max(value, -62_135_596_800 * _SECOND), 253_402_300_799 * _SECOND)
    return datetime.fromtimestamp(clipped // _SECOND, UTC).replace(microsecond=int(clipped % _SECOND))


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * _SECOND + delta.microseconds
