"""Workbooks (.xlsx): looked at as an archive first, so that what would blow up a reader never reaches it.

ECMA-376 part 1 (SpreadsheetML) and part 2 (packages). Values only: a formula's last result is what the file holds, and
nothing here computes one.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.tables.grids import Cell, Grid, Row, place
from kangyun.commons.exchange.model import Fault

_FORMULA = re.compile(rb'<c\b[^>]*?\br="([A-Z]{1,3})(\d{1,7})"[^>]*>\s*<f\b')
_ROW = re.compile(rb'<row\b[^>]*?\br="(\d{1,10})"')
_WIDE = re.compile(rb'<c\b[^>]*?\br="([A-Z]{2,8})\d')
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_XML = (".xml", ".rels", ".vml")
_BLOCK = 1 << 20


def _limits() -> dict[str, Any]:
    return rules.load("kangyun.commons.exchange", "tables/limits.yaml").value


def grids_of_workbook(body: bytes, name: str) -> list[Grid]:
    """The visible sheets of a workbook. Raises Fault for what is no plain workbook, or a dangerous one."""
    parts = _sheet_parts(body, name)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(body))
        visible = [sheet for sheet in book.sheets_metadata if "Visible" in str(sheet.visible) and "WorkSheet" in str(sheet.typ)]
        return [_grid(book, sheet.name, parts) for sheet in visible]
    except (CalamineError, ValueError, OSError, KeyError) as error:
        raise Fault("exchange.sheet-broken", name, unreadable=True) from error
    except BaseException as error:
        # The reader is a Rust library; its panics arrive as an exception of their own that nothing else catches.
        if type(error).__name__ == "PanicException":
            raise Fault("exchange.sheet-broken", name, unreadable=True) from error
        raise


def _grid(book: CalamineWorkbook, name: str, parts: dict[str, bytes]) -> Grid:
    sheet = book.get_sheet_by_name(name)
    rows: list[Row] = [[_cell(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
    # Which part belongs to which sheet stands in two relations; formulas are rare, and a place too many only asks a person.
    found = [at for part in parts.values() if b"<f" in part for at in _formulas(part)]
    return Grid(name, rows, frozenset(found))


def _cell(cell: Any) -> Cell:
    return None if cell == "" else cell


def _formulas(part: bytes) -> list[tuple[int, int]]:
    return [(int(row) - 1, _number(letters) - 1) for letters, row in _FORMULA.findall(part)]


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _sheet_parts(body: bytes, name: str) -> dict[str, bytes]:
    """The XML of the sheets, after every part of the archive has been looked at. Raises Fault."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return _looked_at(archive, len(body), name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, ValueError, zipfile.LargeZipFile) as error:
        raise Fault("exchange.sheet-broken", name, unreadable=True) from error
    except RuntimeError as error:
        raise Fault("exchange.sheet-locked", name, unreadable=True) from error
    except Exception as error:
        if isinstance(error, Fault):
            raise
        raise Fault("exchange.sheet-broken", name, unreadable=True) from error


def _looked_at(archive: zipfile.ZipFile, size: int, name: str) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > _limits()["parts"]:
        raise Fault("exchange.sheet-bomb", name, {"size": str(len(entries))}, unreadable=True)
    names = {entry.filename.lower() for entry in entries}
    if any(one.endswith(("vbaproject.bin", ".bas")) or "/macrosheets/" in one for one in names):
        raise Fault("exchange.sheet-macros", name, unreadable=True)
    if "xl/workbook.xml" not in names:
        raise Fault("exchange.sheet-broken", name, unreadable=True)
    sheets: dict[str, bytes] = {}
    total = 0
    for entry in entries:
        content, total = _unpacked(archive, entry, size, total, name)
        if entry.filename.lower().endswith(_XML):
            _without_declarations(content, name)
        if _SHEET.fullmatch(entry.filename):
            _not_vast(content, f"{name}/{entry.filename.rsplit('/', 1)[-1]}")
            sheets[entry.filename] = content
    return sheets


def _unpacked(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, size: int, total: int, name: str
) -> tuple[bytes, int]:
    """One part, read in pieces, because what the archive says of its sizes may be a lie."""
    keep = entry.filename.lower().endswith(_XML)
    pieces: list[bytes] = []
    with archive.open(entry) as file:
        while piece := file.read(_BLOCK):
            total += len(piece)
            fault = too_much(size, total)
            if fault:
                raise Fault(fault, name, {"size": str(total)}, unreadable=True)
            if keep:
                pieces.append(piece)
    return b"".join(pieces), total


def too_much(packed: int, unpacked: int) -> str | None:
    """The key of the fault when an archive unpacks to more than a sheet of people can be."""
    limits = _limits()
    bomb = unpacked > limits["unpacked_bytes"] or (unpacked > limits["plain_bytes"] and unpacked > packed * limits["ratio"])
    return "exchange.sheet-bomb" if bomb else None


def _without_declarations(content: bytes, name: str) -> None:
    """Spreadsheet programs write no document type; who does wants entities. Raises Fault."""
    head = content[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in content[:64]
    text = content.decode("utf-16", "ignore").encode() if head else content
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"<!doctype" in text:
        raise Fault("exchange.sheet-entities", name, unreadable=True)


def _not_vast(content: bytes, name: str) -> None:
    """One cell at the far corner would make the reader fill a billion empty ones. Raises Fault."""
    limits = _limits()
    rows = [int(number) for number in _ROW.findall(content)]
    last = max(rows, default=0)
    width = max((_number(letters[:4]) for letters in set(_WIDE.findall(content))), default=26)
    if width > limits["columns"] or last > limits["rows"] or last * width > limits["cells"]:
        raise Fault("exchange.sheet-too-wide", place(name, None), {"limit": str(limits["columns"])}, unreadable=True)


def check_example(_rule: Rule, given: dict[str, int]) -> str | None:
    """The judge of rules/tables/limits.yaml."""
    return too_much(given["packed"], given["unpacked"])
