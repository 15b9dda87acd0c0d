"""The spreadsheets of the village clinics: rows in the columns, words and bad habits of each layout (sheets.yaml)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from random import Random

import msgspec
from msgspec import Struct

from yunzhou import assumptions, chance, institutions, workbook
from yunzhou.institutions import FIRST_CLINIC, Institution
from yunzhou.messages import Message
from yunzhou.rows import Row

Cells = list[str | int]
# Day 1 of a workbook is the first of January 1900, and there is a 29 February 1900 that never was.
_DAY_ZERO = date(1899, 12, 30)
_FIRST_SERIAL = date(1900, 3, 1)
_WIDE = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
MARRIAGES = {"married": ("已婚", "20"), "single": ("未婚", "10"), "widowed": ("丧偶", "30")}
WIDE_SHARE = 0.1
NAME_ONLY = "the row has a name and no number; who knows the clinic's residents may know whom it means"


class Layout(Struct, frozen=True):
    """One kind of spreadsheet; the fields are explained in sheets.yaml."""

    format: str
    sexes: str
    dates: str
    ids: str
    empty: str
    columns: dict[str, dict[str, str]]
    encoding: str = "utf-8"
    title: int = 0
    total: bool = False
    shifted: float = 0.0


class Sheets(Struct, frozen=True):
    """The whole of sheets.yaml."""

    sheets: dict[str, str]
    layouts: dict[str, Layout]
    order: list[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A finished spreadsheet with the messages of its rows; what is expected of them stands in these."""

    name: str
    body: bytes
    messages: tuple[Message, ...]


@cache
def book() -> Sheets:
    """Return what sheets.yaml says."""
    return assumptions.read("sheets.yaml", Sheets)


def layout(key: int) -> Layout:
    """Return the layout of the clinic of a key."""
    said = book()
    return said.layouts[said.order[(key - FIRST_CLINIC) % len(said.order)]]


def of(messages: Iterable[Message], part: str) -> list[Sheet]:
    """Sort the rows among messages into one sheet for each clinic and kind; `part` is the end of the files' names."""
    sorted_rows: dict[tuple[int, str], list[Message]] = {}
    for message in messages:
        if message.transport == "sheet":
            sorted_rows.setdefault((message.institution, message.kind), []).append(message)
    return [sheet(institutions.institution(key), kind, rows, part) for (key, kind), rows in sorted(sorted_rows.items())]


def sheet(house: Institution, kind: str, messages: list[Message], part: str) -> Sheet:
    """Write one sheet."""
    form = layout(house.key)
    columns = form.columns[kind]
    rng = chance.stream("sheet", house.key, kind, part)
    lines: list[Cells] = [*_title(form, house, kind), list(columns)]
    told: list[Message] = []
    for number, message in enumerate(messages, 1):
        row = {**msgspec.json.decode(message.body, type=Row), "no": str(number)}
        cells: Cells = [cell(field, row, form, rng) for field in columns.values()]
        expected, reason = ("stored", "") if _identified(form, kind, row) else ("either", NAME_ONLY)
        if form.shifted and rng.random() < form.shifted:
            cells.insert(1, "")
            expected, reason = "refused", "the cells of the row have slipped to the right"
        told.append(replace(message, expected=expected, reason=reason))
        lines.append(cells)
    if form.total:
        lines.append(["合计", str(len(messages))])
    name = f"{house.mnemonic}_{kind}_{part}.{form.format}"
    return Sheet(name, _file(form, book().sheets[kind], lines), tuple(told))


def _identified(form: Layout, kind: str, row: Row) -> bool:
    """Tell whether a row by itself says who it is: by a name with a birth date, or a number."""
    fields = form.columns[kind].values()
    return "record" in fields or "birth" in fields or ("id" in fields and bool(row.get("id")))


def _title(form: Layout, house: Institution, kind: str) -> list[Cells]:
    titles: list[Cells] = [[f"{house.name}{book().sheets[kind]}"], ["填表单位（盖章）：", house.name]]
    return titles[: form.title]


def _file(form: Layout, title: str, lines: list[Cells]) -> bytes:
    if form.format == "xlsx":
        return workbook.xlsx(title, lines)
    out = io.StringIO()
    csv.writer(out, delimiter="\t" if form.format == "tsv" else ",", lineterminator="\r\n").writerows(lines)
    # A character that the old program does not know becomes a question mark there.
    return out.getvalue().encode(form.encoding, errors="replace")


def cell(field: str, row: Row, form: Layout, rng: Random) -> str | int:
    """Return what stands in a cell."""
    value = row.get(field, "")
    if not value:
        return form.empty
    if field in DATES:
        return WRITTEN[form.dates](date.fromisoformat(value))
    if field == "sex":
        return SEXES[form.sexes][value]
    if field == "marriage":
        return MARRIAGES[value][form.sexes == "codes"]
    return _id(value, form.ids, rng) if field == "id" else value


def _id(number: str, habit: str, rng: Random) -> str:
    if habit == "quoted":
        return f"'{number}"
    if habit == "spaced":
        return f"{number[:6]} {number[6:14]} {number[14:]}"
    if habit == "wide" and rng.random() < WIDE_SHARE:
        return number.translate(_WIDE)
    return number


def _serial(day: date) -> str | int:
    return (day - _DAY_ZERO).days if day >= _FIRST_SERIAL else day.isoformat()


DATES = frozenset({"birth", "date", "next"})
SEXES = {
    "男女": {"male": "男", "female": "女"},
    "codes": {"male": "1", "female": "2"},
    "letters": {"male": "M", "female": "F"},
}
WRITTEN: dict[str, Callable[[date], str | int]] = {
    "iso": lambda day: day.isoformat(),
    "slash": lambda day: f"{day.year}/{day.month}/{day.day}",
    "plain": lambda day: f"{day:%Y%m%d}",
    "chinese": lambda day: f"{day.year}年{day.month}月{day.day}日",
    "dotted": lambda day: f"{day.year}.{day.month:02d}.{day.day:02d}",
    "serial": _serial,
}
