"""Dates, times of day and moments of any precision, as FHIRPath N1 compares and moves them.

The limits of partial values follow clause 6.1 (equality) and 6.2 (comparison): a comparison that depends on a part
that is not known has no answer.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Self

TIME = r"(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?"
DATE_PATTERN = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
TIME_PATTERN = re.compile(TIME, re.ASCII)
DATETIME_PATTERN = re.compile(rf"(\d{{4}})(?:-(\d\d)(?:-(\d\d))?)?(?:T(?:{TIME}(Z|[+-]\d\d:\d\d)?)?)?", re.ASCII)
# A year (4 digits), month, day, hour, minute, second (2 each) and milliseconds (3): how precision() counts.
DIGITS = (4, 2, 2, 2, 2, 2)
# Clocks on Earth run from twelve hours behind to fourteen hours ahead of UTC.
WEST, EAST = -12 * 60, 14 * 60
NANOSECONDS = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Temporal:
    """``parts`` from the largest down; ``fraction`` are the digits after the seconds; ``offset`` minutes from UTC."""

    parts: tuple[int, ...]
    fraction: str = ""
    offset: int | None = None

    def components(self) -> tuple[int, ...]:
        """The parts with seconds and their fraction as one number: both are the same precision (clause 6.2)."""
        return self.parts

    def precision(self) -> int:
        """How many digits are known."""
        return sum(DIGITS[: len(self.parts)]) + len(self.fraction)


@dataclass(frozen=True, slots=True)
class Time(Temporal):
    """A time of day: one to three parts."""

    def components(self) -> tuple[int, ...]:
        """The parts, seconds with their fraction."""
        return _with_fraction(self.parts, 3, self.fraction)

    def precision(self) -> int:
        """How many digits are known."""
        return 2 * len(self.parts) + len(self.fraction)

    def __str__(self) -> str:
        return _time_text(self.parts, self.fraction)


@dataclass(frozen=True, slots=True)
class DateTime(Temporal):
    """A moment: one to six parts; the offset may stand from the hour on."""

    def components(self) -> tuple[int, ...]:
        """The parts, seconds with their fraction."""
        return _with_fraction(self.parts, 6, self.fraction)

    def __str__(self) -> str:
        text = _date_text(self.parts)
        if len(self.parts) > 3:
            text += "T" + _time_text(self.parts[3:], self.fraction) + _offset_text(self.offset)
        return text

    def in_utc(self) -> Self:
        """The same moment at offset zero, as precise as before."""
        if not self.offset:
            return self
        moved = _datetime(self.parts) - timedelta(minutes=self.offset)
        return replace(self, parts=moved.timetuple()[: len(self.parts)], offset=0)


@dataclass(frozen=True, slots=True)
class Date(DateTime):
    """A date: one to three parts."""


def _with_fraction(parts: tuple[int, ...], complete: int, fraction: str) -> tuple[int, ...]:
    if len(parts) < complete:
        return parts
    return (*parts[:-1], parts[-1] * NANOSECONDS + int(fraction[:9].ljust(9, "0") or 0))


def _date_text(parts: tuple[int, ...]) -> str:
    return "-".join(f"{part:0{width}d}" for part, width in zip(parts, DIGITS[:3], strict=False))


def _time_text(parts: tuple[int, ...], fraction: str) -> str:
    return ":".join(f"{part:02d}" for part in parts) + (f".{fraction}" if fraction else "")


def _offset_text(offset: int | None) -> str:
    if offset is None:
        return ""
    if offset == 0:
        return "Z"
    hours, minutes = divmod(abs(offset), 60)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"


def _datetime(parts: tuple[int, ...]) -> datetime:
    filled = (*parts, *(1, 1, 1, 0, 0, 0)[len(parts) :])
    return datetime(*filled[:6], tzinfo=UTC)


@functools.lru_cache(maxsize=4096)
def parse_date(text: str) -> Date | None:
    """``2015``, ``2015-02`` or ``2015-02-04``; None when it is not an existing date."""
    found = DATE_PATTERN.fullmatch(text)
    return Date(_numbers(found.groups())) if found and _exists(_numbers(found.groups())) else None


@functools.lru_cache(maxsize=4096)
def parse_datetime(text: str) -> DateTime | None:
    """A date, optionally followed by ``T`` and a time, optionally with ``Z`` or ``+08:00``; None when malformed."""
    found = DATETIME_PATTERN.fullmatch(text)
    if found is None:
        return None
    parts = _numbers(found.groups()[:6])
    if not _exists(parts):
        return None
    zone = found.group(8)
    return DateTime(parts, found.group(7) or "", _minutes(zone) if zone else None)


def parse_time(text: str) -> Time | None:
    """``14``, ``14:34``, ``14:34:28`` or ``14:34:28.123``; None when malformed."""
    found = TIME_PATTERN.fullmatch(text)
    if found is None:
        return None
    parts = _numbers(found.groups()[:3])
    return Time(parts, found.group(4) or "") if _is_time(parts) else None


def _numbers(groups: tuple[str | None, ...]) -> tuple[int, ...]:
    return tuple(int(group) for group in groups if group is not None)


def _minutes(zone: str) -> int:
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return -minutes if zone[0] == "-" else minutes


def _is_time(parts: tuple[int, ...]) -> bool:
    # FHIR allows the leap second 60 in its regular expressions; it counts as the last known second here.
    return all(part < limit for part, limit in zip(parts, (24, 60, 61), strict=False))


def _exists(parts: tuple[int, ...]) -> bool:
    try:
        date(*(*parts[:3], 1, 1)[:3])
    except ValueError:
        return False
    return _is_time(parts[3:])


def compare(left: Temporal, right: Temporal) -> int | None:
    """-1, 0 or 1; None when the precision known does not decide it."""
    if left.offset != right.offset and isinstance(left, DateTime) and isinstance(right, DateTime):
        if left.offset is None or right.offset is None:
            return _compare_ranges(left, right)
        left, right = left.in_utc(), right.in_utc()
    if len(left.parts) == len(right.parts) and left.parts != right.parts:
        return -1 if left.parts < right.parts else 1
    return _compare_parts(left.components(), right.components())


def _compare_parts(first: tuple[int, ...], second: tuple[int, ...]) -> int | None:
    for one, other in zip(first, second, strict=False):
        if one != other:
            return -1 if one < other else 1
    return 0 if len(first) == len(second) else None


def _compare_ranges(left: DateTime, right: DateTime) -> int | None:
    if instant(left, last=True) < instant(right, last=False):
        return -1
    if instant(left, last=False) > instant(right, last=True):
        return 1
    return None


def instant(value: DateTime, *, last: bool) -> int:
    """Nanoseconds since 1970 of the first or last moment that the value can mean, anywhere on Earth."""
    full = boundary(value, last=last)
    seconds = _datetime(full.parts) - EPOCH
    return int(seconds.total_seconds() - (full.offset or 0) * 60) * NANOSECONDS + int(full.fraction[:9].ljust(9, "0"))


def boundary(value: DateTime, *, last: bool) -> DateTime:
    """The earliest or latest full moment (milliseconds, offset) that a partial one can mean."""
    year, month, *_ = (*value.parts, 12 if last else 1)[:2]
    days = _month_length(year, month)
    limits = (0, 12, days, 23, 59, 59) if last else (0, 1, 1, 0, 0, 0)
    parts = (*value.parts, *limits[len(value.parts) :])
    fraction = value.fraction or ("999" if last and len(value.parts) < 6 else "000")
    offset = value.offset if value.offset is not None else (WEST if last else EAST)
    return DateTime(parts, fraction.ljust(3, "9" if last else "0"), offset)


def _month_length(year: int, month: int) -> int:
    start = date(year, month, 1)
    following = date(year + month // 12, month % 12 + 1, 1) if (year, month) != (9999, 12) else None
    return (following - start).days if following else 31


def add_months(value: DateTime, months: int) -> DateTime:
    """Move by calendar months; a day that the month does not have becomes its last day (clause 6.7)."""
    year, month, *rest = (*value.parts, 1)[:2] if len(value.parts) == 1 else value.parts
    total = year * 12 + month - 1 + months
    year, month = total // 12, total % 12 + 1
    if rest:
        rest[0] = min(rest[0], _month_length(year, month))
    return replace(value, parts=(year, month, *rest)[: len(value.parts)])


def add_milliseconds(value: DateTime, milliseconds: int) -> DateTime:
    """Move by exact time; the result is as precise as the value was."""
    moment = _datetime(value.parts) + timedelta(milliseconds=int(value.fraction[:3].ljust(3, "0")) + milliseconds)
    fraction = value.fraction
    if len(value.parts) == 6 and (fraction or moment.microsecond):
        fraction = f"{moment.microsecond // 1000:03d}" + fraction[3:]
    return replace(value, parts=tuple(moment.timetuple()[: len(value.parts)]), fraction=fraction)


def add_to_time(value: Time, milliseconds: int) -> Time:
    """Move a time of day around the clock."""
    shifted = add_milliseconds(DateTime((2000, 1, 1, *value.parts), value.fraction), milliseconds)
    return Time(shifted.parts[3:], shifted.fraction)


def from_datetime(moment: datetime) -> DateTime:
    """An aware Python datetime with milliseconds."""
    offset = moment.utcoffset() or timedelta()
    fraction = f"{moment.microsecond // 1000:03d}"
    return DateTime(tuple(moment.timetuple()[:6]), fraction, int(offset.total_seconds()) // 60)
