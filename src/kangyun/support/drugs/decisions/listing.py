"""A region's own list: rows of a table become rows of the catalogue; what is wrong is told by row and heading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.catalogue import RowError, drug_of, forms, rows_of
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.model import Drug

_NUMBERS = ("pack", "price", "limit", "first_pay", "usual", "single", "daily")
_DOSE = ("dose_unit", "route", "frequency", "usual", "single", "daily")
_YUAN = ("price", "limit")
_FEN = 100
# Own rows without a number of ours get one from here on.
_FIRST_NUMBER = 100_000


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a list: the row (as a spreadsheet counts, 0 of the whole), the heading or key."""

    row: int
    field: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A list as it was read: rows with the keys of the catalogue, their drugs, and all faults."""

    rows: list[dict[str, Any]]
    drugs: list[Drug]
    wrong: list[Wrong]


@lru_cache(maxsize=2)
def _headings(_edition: int) -> dict[str, str]:
    return {str(heading): key for key, headings in rules.load(PACKAGE, "listing.yaml").map.items() for heading in headings}


def key_of(heading: object) -> str:
    """The key of the catalogue that a heading stands for; empty for one that is not known."""
    return _headings(id(rules.load(PACKAGE, "listing.yaml"))).get(str(heading or "").strip().casefold().replace(" ", ""), "")


def shipped_rows() -> dict[str, dict[str, Any]]:
    """The built-in rows by code, as their files say them."""
    names = [name for name in rules.names(PACKAGE) if name.startswith("catalogue/") or name == "herbs/herbs.yaml"]
    return {str(row["code"]): row for name in names for row in rows_of(rules.load(PACKAGE, name))}


def read(table: Sequence[Sequence[Any]], known: Mapping[str, Mapping[str, Any]]) -> Listed:
    """A table whose first row are headings. A code of the built-in catalogue needs only what differs; another one everything."""
    keys = [key_of(heading) for heading in (table[0] if table else ())]
    if "code" not in keys:
        return Listed([], [], [Wrong(1, "code")])
    if len(table) - 1 > rules.load(PACKAGE, "listing.yaml").body["largest"]:
        return Listed([], [], [Wrong(0, "code")])
    found, wrong = Listed([], [], []), list[Wrong]()
    seen: set[str] = set()
    for number, cells in enumerate(table[1:], start=2):
        said = {key: cell for key, cell in zip(keys, cells, strict=False) if key and str(cell if cell is not None else "").strip()}
        if said:
            _take(found, wrong, number, said, known, seen)
    return Listed(found.rows, found.drugs, wrong or ([] if found.rows else [Wrong(0, "code")]))


def _take(found: Listed, wrong: list[Wrong], number: int, said: dict[str, Any], known: Mapping[str, Mapping[str, Any]], seen: set[str]) -> None:  # noqa: PLR0917 - one row of a loop, taken out of it to be read
    code = str(said.get("code", "")).strip()
    if not code or code in seen:
        wrong.append(Wrong(number, "code"))
        return
    seen.add(code)
    try:
        row = {**known.get(code, {"number": _FIRST_NUMBER + number}), **_row(said, known.get(code, {})), "code": code}
        found.drugs.append(drug_of(row, certainty="default", source="a region's own list"))
        found.rows.append(row)
    except RowError as error:
        wrong.append(Wrong(number, error.field))


def _row(said: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a catalogue row that cells say; RowError with the key of one that cannot be read."""
    row: dict[str, Any] = {}
    for key, cell in said.items():
        row[key] = _number(key, cell) if key in _NUMBERS else _word(key, str(cell).strip())
    if "first_pay" in row:
        row["ins"] = _with_first_pay(str(row.get("ins", str(known.get("ins", "C"))[:1])), row.pop("first_pay"))
    for key in _YUAN:
        if key in row:
            row[key] = round(row[key] * _FEN)
    if "trade" in row:
        row["trade"] = [part.strip() for part in str(row["trade"]).replace("，", ",").split(",") if part.strip()]
    if any(key in row for key in _DOSE):
        usual = dict(zip(_DOSE, known.get("dose", [None] * len(_DOSE)), strict=True))
        row["dose"] = [row.pop(key, usual[key]) for key in _DOSE]
    return row


def _number(key: str, cell: object) -> float:
    try:
        return float(str(cell).strip().removesuffix("%").removesuffix("元")) / (100 if str(cell).strip().endswith("%") else 1)
    except ValueError as error:
        raise RowError("row", key) from error


def _word(key: str, text: str) -> Any:
    words: Mapping[str, str] = rules.load(PACKAGE, "listing.yaml").body["words"].get(key, {})
    found = words.get(text, words.get(text.casefold(), text))
    if key == "form" and found not in forms():
        found = next((name for name, row in forms().items() if text == row["zh"]), found)
        if found not in forms():
            raise RowError("row", "form")
    return bool(found) if key == "ess" else found


def _with_first_pay(insurance: str, part: float) -> str:
    return f"B{round((part / 100 if part > 1 else part) * 100):d}" if insurance.startswith("B") and part else insurance[:1]


def check_heading(rule: Rule, given: str) -> str:
    """The key that a heading stands for."""
    del rule
    return key_of(given)
