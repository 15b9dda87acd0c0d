"""Comma, tab and other separated texts in the encodings that spreadsheet programs write, separator detected."""

from __future__ import annotations

import csv
import io
from collections import Counter

from kangyun.base import rules
from kangyun.commons.exchange.decisions.tables.grids import Grid, Row
from kangyun.commons.exchange.model import Fault

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\x00\x00", "utf-32-le"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"),
)  # fmt: skip
_SEPARATORS = (",", "\t", ";", "|", "，")
_LOOKED_AT = 30


def grid_of(body: bytes, name: str) -> Grid:
    """The one sheet of a text file. Raises Fault."""
    text = decoded(body)
    if "\0" in text:
        raise Fault("exchange.sheet-binary", name, unreadable=True)
    limits = rules.load("kangyun.commons.exchange", "tables/limits.yaml").value
    rows: list[Row] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator(text)):
            rows.append(list(row))
            if len(row) > limits["columns"] or len(rows) > limits["rows"]:
                raise Fault("exchange.sheet-too-wide", name, {"limit": str(limits["columns"])}, unreadable=True)
    except csv.Error as error:
        raise Fault("exchange.sheet-quotes", name, {"line": str(len(rows) + 1)}, unreadable=True) from error
    return Grid(name, rows)


def decoded(body: bytes) -> str:
    """The text of a file: by its byte order mark, else UTF-8, UTF-16 by its zero bytes, else GB18030. Raises Fault."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return _decode(body[len(mark) :], encoding)
    head = body[:4096]
    if len(body) % 2 == 0 and head.count(0) > len(head) // 8:
        odd = head[1::2].count(0)
        return _decode(body, "utf-16-le" if odd * 2 > head.count(0) else "utf-16-be")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return _decode(body, "gb18030")


def _decode(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        raise Fault("exchange.sheet-undecodable", "", {"byte": str(error.start)}, unreadable=True) from error


def separator(text: str) -> str:
    """The character that parts the cells: the one that gives most lines the same number of cells, more than one."""
    lines = text.lstrip("\r\n").split("\n", _LOOKED_AT)[:_LOOKED_AT]
    return max(_SEPARATORS, key=lambda sign: (_agreement(lines, sign), -_SEPARATORS.index(sign)))


def _agreement(lines: list[str], sign: str) -> int:
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=sign) if len(row) > 1)
    except csv.Error:
        return 0
    return max((width * number for width, number in widths.items()), default=0)
