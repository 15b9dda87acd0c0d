"""The laboratory's catalogue: items, panels, units, reference ranges and flags."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from msgspec import Struct

from yunzhou import assumptions


class Range(Struct, frozen=True):
    """A reference range of a sex and of ages below `under` years."""

    sex: str = ""
    under: float = 999
    low: float | None = None
    high: float | None = None


class Item(Struct, frozen=True):
    """An item of the laboratory. Without `loinc` it goes by its local code only."""

    name: str
    english: str
    local: str
    tcm: tuple[str, str]
    loinc: str = ""
    unit: str = ""
    digits: int = 0
    mean: float = 0
    women: float = 0
    children: float = 0
    spread: float = 0
    noise: float = 0
    aging: float = 0
    season: float = 0
    floor: float = -1e9
    ceiling: float = 1e9
    derived: str = ""
    from_age: float = 0
    ranges: list[Range] = []
    critical: tuple[float | None, float | None] = (None, None)
    words: dict[str, float] = {}
    normal: str = ""


class Panel(Struct, frozen=True):
    """Items that are ordered together; the report is issued some hours after the sample."""

    name: str
    local: str
    tcm: str
    items: list[str]
    hours: float
    loinc: str = ""
    only: list[int] = []


class Catalogue(Struct, frozen=True):
    """The whole of laboratory.yaml."""

    items: dict[str, Item]
    panels: dict[str, Panel]
    formulas: dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Result:
    """One result. `value`, `low` and `high` are the texts that the laboratory prints, with the item's decimals."""

    item: str
    value: str
    numeric: bool
    unit: str
    low: str
    high: str
    flag: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one panel. `number` is the report's, unique in the institution."""

    number: str
    panel: str
    collected: datetime
    issued: datetime
    results: tuple[Result, ...]


@cache
def catalogue() -> Catalogue:
    """Return all items and panels."""
    return assumptions.read("laboratory.yaml", Catalogue)


def reference(item: Item, sex: str, age: float) -> Range:
    """Return the reference range for a person; an empty one if the item has none."""
    fitting = (r for r in item.ranges if r.sex in {"", sex} and age < r.under)
    return next(fitting, Range())


def flag(item: Item, value: float, within: Range) -> str:
    """Judge a printed value: LL, L, N, H or HH; empty without a range."""
    below, above = item.critical
    if below is not None and value < below:
        return "LL"
    if above is not None and value >= above:
        return "HH"
    if within.low is not None and value < within.low:
        return "L"
    if within.high is not None and value > within.high:
        return "H"
    return "N" if item.ranges else ""


def result(key: str, value: float, sex: str, age: float, at: datetime) -> Result:
    """Print a measured value as the laboratory does and flag what was printed."""
    item, within, low, high = _printed_reference(key, sex, int(age))
    printed = _print(value, item.digits)
    return Result(key, printed, True, item.unit, low, high, flag(item, float(printed), within), at)


@cache
def _printed_reference(key: str, sex: str, age: int) -> tuple[Item, Range, str, str]:
    """Return an item with the range of somebody of so many whole years, and how its ends are printed."""
    item = catalogue().items[key]
    within = reference(item, sex, age)
    low, high = (_print(bound, item.digits) if bound is not None else "" for bound in (within.low, within.high))
    return item, within, low, high


def finding(key: str, word: str, at: datetime) -> Result:
    """Return a result in words; anything but the normal word is abnormal."""
    item = catalogue().items[key]
    return Result(key, word, False, "", "", "", "N" if word == item.normal else "A", at)


def _print(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"
