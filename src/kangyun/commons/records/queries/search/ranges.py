"""Values of date, number and quantity parameters -> tests of spans (R4 search, 3.1.1.4.6 to 3.1.1.4.11)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from kangyun.commons.records.decisions.index.dates import from_microseconds, range_of, to_microseconds
from kangyun.commons.records.model import hash64
from kangyun.commons.records.queries.search.conditions import Test, Updated
from kangyun.commons.records.queries.search.refusals import bad_value
from kangyun.commons.records.queries.search.syntax import prefix, split, unescape

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?")
# A plus sign that was not percent-encoded arrives as a blank.
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:\d\d$)")
_MOST_DIGITS = 60


def tests(kind: str, params: Iterable[int], name: str, text: str, now: datetime) -> tuple[Test, ...]:
    """The tests of one value under each param; raises Problem 400."""
    operator, low, high, unit = read(kind, name, text, now)
    return tuple(Test(param, operator, low, high, unit) for param in params)


def read(kind: str, name: str, text: str, now: datetime) -> tuple[str, float, float, tuple[str, int] | None]:
    """(operator, low, high, unit) of one value."""
    operator, rest = prefix(text)
    if kind == "date":
        return (*_date(operator, name, rest, now), None)
    if kind == "number":
        return (*_number(operator, name, rest), None)
    number, unit = _quantity(name, rest)
    return (*_number(operator, name, number), unit)


def _date(operator: str, name: str, text: str, now: datetime) -> tuple[str, float, float]:
    found = range_of(_LOST_PLUS.sub("+", unescape(text)))
    if found is None:
        raise bad_value(name)
    low, high = found
    if operator == "ap":
        # R4: 10 % of the gap between now and the date.
        gap = abs(to_microseconds(now) - (low if low > to_microseconds(now) else high)) * 0.1
        return operator, low - gap, high + gap
    return operator, low, high


def _number(operator: str, name: str, text: str) -> tuple[str, float, float]:
    if not _NUMBER.fullmatch(text) or len(text) > _MOST_DIGITS:
        raise bad_value(name)
    value = Decimal(text)
    if operator in {"eq", "ne"}:
        exponent = value.as_tuple().exponent
        half = Decimal((0, (5,), int(exponent) - 1))
        return operator, float(value - half), math.nextafter(float(value + half), -math.inf)
    if operator == "ap":
        tenth = abs(value) / 10
        return operator, float(value - tenth), float(value + tenth)
    return operator, float(value), float(value)


def _quantity(name: str, text: str) -> tuple[str, tuple[str, int] | None]:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) == 1:
        return parts[0], None
    if len(parts) != 3 or not parts[2]:
        raise bad_value(name)
    number, system, code = parts
    return number, ("full", hash64(f"{system}|{code}")) if system else ("any", hash64(code))


def updated(name: str, text: str, now: datetime) -> Updated:
    """A value of _lastUpdated."""
    operator, low, high, _ = read("date", name, text, now)
    return Updated(operator, from_microseconds(low), from_microseconds(high))
