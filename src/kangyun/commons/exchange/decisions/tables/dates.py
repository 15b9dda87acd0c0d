"""Dates as people type them into cells: 2020-1-5, 20200105, 2020年1月5日, 二〇二〇年一月五日, 43835, 农历."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache

from kangyun.commons.exchange.decisions import times
from kangyun.commons.exchange.decisions.tables.grids import Cell
from kangyun.commons.exchange.model import Fault

_SEPARATED = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})(?:\s*[-/.月]\s*(\d{1,2})\s*[日号]?|\s*月?)")
_YEAR = re.compile(r"(\d{4})年?")
_PLAIN = re.compile(r"\d{6}|\d{8}|\d{14}")
_SERIAL = re.compile(r"\d{4,5}(\.\d+)?")
_AMERICAN = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_CLOCK = re.compile(r"[T\s]*(\d{1,2})[:时点](\d{1,2})?(?:[:分](\d{1,2})?)?(?:\.\d+)?(?:秒)?Z?")
_LUNAR = re.compile(r"[(（]?(?:农历|阴历|旧历)[)）]?|[(（]农[)）]|^[农阴](?=\d)|[(（]阴[)）]")
_CHINESE_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")
# Day 60 of Excel's calendar is a 29 February 1900 that never was; days before it are no birthdays in these sheets.
_EXCEL = date(1899, 12, 30)
_SERIALS = (61, 80_000)


def to_date(cell: Cell) -> tuple[str, bool]:
    """A FHIR date of the precision given, and whether it is marked as one of the lunar calendar. Raises Fault."""
    if isinstance(cell, datetime):
        return _checked(cell.date().isoformat()), False
    if isinstance(cell, date):
        return _checked(cell.isoformat()), False
    if isinstance(cell, bool | time | timedelta) or cell is None:
        raise Fault("exchange.bad-date", code="102")
    if isinstance(cell, int | float):
        return _of_number(float(cell)), False
    return _of_text(cell)


def to_moment(cell: Cell, zone: timezone) -> str:
    """A FHIR date, or dateTime where the cell tells a time of day. Raises Fault."""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else _moment(cell.date().isoformat(), cell.time(), zone)
    if isinstance(cell, int | float) and not isinstance(cell, bool) and _SERIALS[0] <= cell <= _SERIALS[1]:
        seconds = round((cell % 1) * 86_400) % 86_400
        day = _of_number(float(cell))
        return _moment(day, time(seconds // 3600, seconds // 60 % 60, seconds % 60), zone) if seconds else day
    if isinstance(cell, str):
        text = unicodedata.normalize("NFKC", cell).strip()
        if len(text) == 14 and text.isdecimal():
            return times.to_datetime(text, zone)
        clock = _CLOCK.search(text)
        if clock and len(text[: clock.start()].strip()) >= 8:
            day = to_date(text[: clock.start()])[0]
            try:
                hour, minute, second = (int(part or 0) for part in clock.groups())
                return _moment(day, time(hour, minute, second), zone)
            except ValueError as error:
                raise Fault("exchange.bad-time", code="102") from error
    return to_date(cell)[0]


def _moment(day: str, clock: time, zone: timezone) -> str:
    return f"{day}T{clock.replace(microsecond=0, tzinfo=zone).isoformat()}" if len(day) == 10 else day


def _of_number(number: float) -> str:
    if _SERIALS[0] <= number <= _SERIALS[1]:
        return (_EXCEL + timedelta(days=int(number))).isoformat()
    if number.is_integer() and 18_000_000 < number < 22_000_000:
        return _plain(str(int(number)))
    raise Fault("exchange.bad-date", code="102")


@lru_cache(maxsize=65_536)
def _of_text(text: str) -> tuple[str, bool]:
    text = unicodedata.normalize("NFKC", text).strip()
    lunar = bool(_LUNAR.search(text))
    text = _LUNAR.sub("", text).strip().lstrip("'").rstrip("生")
    found = _written(text)
    if found is None:
        raise Fault("exchange.bad-date", code="102")
    # A lunar month may have thirty days where the solar one has not; the calendar's own table judges it.
    return (found, True) if lunar else (_checked(found), False)


def _written(text: str) -> str | None:
    if re.search(r"[〇零一二三四五六七八九十]", text):
        text = _in_digits(text)
    match = _SEPARATED.match(text)
    if match and (match.end() == len(text) or _CLOCK.fullmatch(text[match.end() :])):
        return "-".join(part.zfill(2) for part in match.groups() if part)
    if _PLAIN.fullmatch(text):
        return _plain(text[:8])
    if _SERIAL.fullmatch(text) and _SERIALS[0] <= float(text) <= _SERIALS[1] and not re.fullmatch(r"(19|20)\d\d", text):
        return _of_number(float(text))
    match = _AMERICAN.fullmatch(text)
    if match:
        return _unambiguous(int(match[1]), int(match[2]), match[3])
    match = _YEAR.fullmatch(text)
    return match[1] if match else None


def _unambiguous(first: int, second: int, year: str) -> str | None:
    """3/4/2020 may be two days; 13/4/2020 and 4/13/2020 are one."""
    if first > 12 >= second or first == second:
        return f"{year}-{second:02d}-{first:02d}"
    return f"{year}-{first:02d}-{second:02d}" if second > 12 >= first else None


def _in_digits(text: str) -> str:
    """Chinese numerals of a date: 二十一 is 21, 初四 is 4, 二〇二〇 is 2020, 正月 and 腊月 are months."""
    text = text.replace("正月", "1月").replace("冬月", "11月").replace("腊月", "12月").replace("初", "")
    text = text.replace("廿", "二十").replace("卅", "三十")
    text = re.sub(r"([二三])?十([一二三四五六七八九])?", _ten, text)
    return text.translate(_CHINESE_DIGITS)


def _ten(match: re.Match[str]) -> str:
    tens = (match[1] or "一").translate(_CHINESE_DIGITS)
    return tens + (match[2] or "〇").translate(_CHINESE_DIGITS)


def _plain(text: str) -> str:
    if len(text) == 6:
        return _checked(f"{text[:4]}-{text[4:]}")
    return _checked(f"{text[:4]}-{text[4:6]}-{text[6:]}")


def _checked(text: str) -> str:
    """The date when there is such a day, of a year in which a living person can have been born. Raises Fault."""
    try:
        year, month, day = (int(part) for part in (text + "-01-01"[len(text) - 4 :]).split("-"))
        date(year, month, day)
    except ValueError as error:
        raise Fault("exchange.bad-date", code="102") from error
    if not 1850 < year < 2200:
        raise Fault("exchange.bad-date", code="102")
    return text
