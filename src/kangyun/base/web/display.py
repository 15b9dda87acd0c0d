"""How dates, numbers, ages and identifiers are written for people, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from urllib.parse import parse_qsl

from kangyun.base import clock
from kangyun.base.web.texts import translate

CHINA = timezone(timedelta(hours=8))
"""All of China keeps one time, without summer time (GB/T 7408 writes it +08:00)."""

_FHIR_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_BRACKETS = re.compile(r"[\[\]{}]")
_POWER = re.compile(r"10[*^](\d+)")
_SQUARE = re.compile(r"\b([cdm]?m)([23])\b")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(text: str | None) -> datetime | None:
    """Read a FHIR date, dateTime or instant of any precision as an aware datetime in China's time; ``None`` if unreadable."""
    if not text:
        return None
    try:
        if "T" in text:
            return datetime.fromisoformat(text).astimezone(CHINA)
        parts = [int(part) for part in text.split("-")]
        return datetime(parts[0], *[*parts[1:], 1, 1][:2], tzinfo=CHINA)
    except (ValueError, IndexError, OverflowError):
        return None


def written_date(language: str, text: str | None) -> str:
    """Write a FHIR date as people do, keeping its precision: 2024年3月5日, 5 Mar 2024, 2024年3月."""
    match = _FHIR_DATE.match(_local_text(text))
    if not match:
        return ""
    year, month, day = match.groups()
    if language == "zh":
        return f"{year}年" + (f"{int(month)}月" if month else "") + (f"{int(day)}日" if day else "")
    return " ".join(([str(int(day))] if day else []) + ([_MONTHS[int(month) - 1]] if month else []) + [year])


def written_time(language: str, text: str | None) -> str:
    """Write a FHIR dateTime with hours and minutes where it has them: 2024年3月5日 08:30."""
    day, when = written_date(language, text), moment(text)
    return f"{day} {when:%H:%M}" if when and text and "T" in text else day


def _local_text(text: str | None) -> str:
    when = moment(text)
    return when.isoformat() if when and text and "T" in text else text or ""


def day_and_month(language: str, text: str | None) -> str:
    """Write the part of a date below a heading that already names the year: 3月5日, 5 Mar."""
    full = written_date(language, text)
    year = _FHIR_DATE.match(_local_text(text))
    return full.replace(f"{year[1]}年", "").replace(f" {year[1]}", "").strip() or full if year else full


def written_number(value: float | Decimal | str | None) -> str:
    """Write a number as received, with thousands separated from five digits on; decimals keep their zeros."""
    if value is None:
        return ""
    text = format(value, "f") if isinstance(value, Decimal) else repr(value) if isinstance(value, float) else str(value)
    whole, dot, rest = text.partition(".")
    return f"{int(whole):,}{dot}{rest}" if re.fullmatch(r"-?\d{5,}", whole) else text


def rounded(value: float | Decimal | None, digits: int = 4) -> str:
    """Write a number with at most ``digits`` significant figures, for charts and lists; exact text stands in the table."""
    if value is None:
        return ""
    short = format(Decimal(f"{float(value):.{digits}g}"), "f")
    return written_number(short if "." not in short else short.rstrip("0").rstrip("."))


@lru_cache(maxsize=1024)
def written_unit(unit: str) -> str:
    """Write a UCUM unit as people read it: ``10*9/L`` as 10⁹/L, ``kg/m2`` as kg/m², ``mm[Hg]`` as mmHg."""
    plain = _BRACKETS.sub("", unit).replace("_", " ").replace("Cel", "℃")
    plain = _POWER.sub(lambda match: "10" + match[1].translate(_RAISED), plain)
    return _SQUARE.sub(lambda match: match[1] + match[2].translate(_RAISED), plain).replace("umol", "μmol").replace("uL", "μL")


def masked(identifier: str | None) -> str:
    """Hide the middle of an identifier: the first three and last four signs stay (short ones keep only the last two)."""
    text = identifier or ""
    if len(text) <= 8:
        return "*" * max(len(text) - 2, 0) + text[-2:]
    return f"{text[:3]}{'*' * min(len(text) - 7, 8)}{text[-4:]}"


def age(language: str, born: str | None, until: str | None = None) -> str:
    """Write an age as the ward does: days below a month, months below three years, then years."""
    start, end = moment(born), moment(until) or clock.now().astimezone(CHINA)
    if start is None:
        return ""
    days, months = (end - start).days, months_between(start, end)
    if days < 31:
        return translate(language, "web.age.days", n=max(days, 0))
    if months < 36:
        return translate(language, "web.age.months", n=months)
    return translate(language, "web.age.years", n=months // 12)


def months_between(start: date, end: date) -> int:
    """Count the completed months from ``start`` to ``end``."""
    return (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)


def ago(language: str, text: str | None) -> str:
    """Write how long ago an instant was: just now, 5 minutes ago, yesterday's and older ones as a date."""
    when = moment(text)
    if when is None:
        return ""
    seconds = (clock.now().astimezone(UTC) - when).total_seconds()
    for limit, size, key in ((60, 1, "now"), (3600, 60, "minutes"), (86400, 3600, "hours")):
        if seconds < limit:
            return translate(language, f"web.ago.{key}", n=int(max(seconds, 0) // size))
    return written_date(language, text)


def query_pairs(query: str, *, without: str = "") -> list[tuple[str, str]]:
    """Split a query string into pairs, leaving one name out."""
    return [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != without]


def filters(language: str) -> dict[str, Callable[..., Any]]:
    """Return the template filters of one language."""
    return {
        "date": partial(written_date, language),
        "datetime": partial(written_time, language),
        "day": partial(day_and_month, language),
        "ago": partial(ago, language),
        "age": partial(age, language),
        "number": written_number,
        "rounded": rounded,
        "masked": masked,
    }
