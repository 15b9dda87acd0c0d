"""HL7 v2 dates and times (DT, TM, DTM/TS) to FHIR; the precision sent is the precision kept.

HL7 v2.5.1 chapter 2A, sections 2.A.21, 2.A.22, 2.A.75.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

from kangyun.commons.exchange.model import Fault

_DTM = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?"
    r"(?:([+-])(\d\d):?(\d\d))?"
)
_TM = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(\.\d{1,6})?)?)?(?:[+-]\d{4})?")
_LATEST_OFFSET = timedelta(hours=14)


def to_date(text: str) -> str:
    """The date of a DT or DTM as YYYY, YYYY-MM or YYYY-MM-DD. Raises Fault."""
    match = _match(text)
    if match is None:
        raise Fault("exchange.bad-date", code="102")
    return "-".join(part for part in match.groups()[:3] if part)


@lru_cache(maxsize=8192)
def to_datetime(text: str, zone: timezone) -> str:
    """A FHIR dateTime; a time without an offset is in the sender's `zone`. Raises Fault."""
    match = _match(text)
    if match is None:
        raise Fault("exchange.bad-time", code="102")
    year_to_day = "-".join(part for part in match.groups()[:3] if part)
    hour, minute, second, fraction = match.groups()[3:7]
    if hour is None:
        return year_to_day
    clock_part = f"{hour}:{minute or '00'}:{second or '00'}{'.' + fraction if fraction else ''}"
    return f"{year_to_day}T{clock_part}{_offset(match, zone)}"


def to_instant(text: str, zone: timezone) -> str | None:
    """A FHIR instant; None when the time of day is not given. Raises Fault."""
    found = to_datetime(text, zone)
    return found if "T" in found else None


def to_time(text: str) -> str:
    """A FHIR time from a TM. Raises Fault."""
    match = _TM.fullmatch(text)
    if match is None:
        raise Fault("exchange.bad-time", code="102")
    hour, minute, second, fraction = match.groups()
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        raise Fault("exchange.bad-time", code="102")
    return f"{hour}:{minute or '00'}:{second or '00'}{fraction or ''}"


def moment(text: str) -> datetime:
    """A point in time from a FHIR date or dateTime, for putting events into order."""
    padded = text + "0000-01-01"[len(text) :] if len(text) < 10 else text
    found = datetime.fromisoformat(padded)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def zone_of(text: str) -> timezone:
    """The zone of a rule such as `+08:00`. Raises ValueError."""
    sign = -1 if text.startswith("-") else 1
    hours, minutes = text.strip("+-").split(":")
    return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))


def _match(text: str) -> re.Match[str] | None:
    match = _DTM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) if part else 0 for part in match.groups()[:6])
    # A day of a month exists or not; a leap second is written as the second before it by nobody, so 60 is refused.
    try:
        date(year, month if match[2] else 1, day if match[3] else 1)
    except ValueError:
        return None
    offset = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    if hour > 23 or minute > 59 or second > 59 or offset > _LATEST_OFFSET or int(match[10] or 0) > 59:
        return None
    return match


def _offset(match: re.Match[str], zone: timezone) -> str:
    if match[8]:
        return f"{match[8]}{match[9]}:{match[10]}"
    delta = zone.utcoffset(None)
    sign = "-" if delta < timedelta(0) else "+"
    minutes = abs(int(delta.total_seconds())) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
