"""dBASE and FoxPro tables (.dbf), as old public-health programs export them.

The header: version, three bytes of date, number of records, length of header and record; then 32 bytes for each field up
to 0x0D; then records, each behind a flag (space, or * for deleted).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import date

from kangyun.commons.exchange.decisions.tables.grids import Cell, Grid, Row
from kangyun.commons.exchange.decisions.tables.texts import decoded
from kangyun.commons.exchange.model import Fault

VERSIONS = {0x02, 0x03, 0x30, 0x31, 0x32, 0x43, 0x83, 0x8B, 0xCB, 0xF5}
_DELETED = 0x2A
_END = 0x0D
_EPOCH = date(1, 1, 1).toordinal() - 1721426


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: str
    start: int
    size: int


def grid_of_dbf(body: bytes, name: str) -> Grid:
    """The table with its field names as the first row; deleted records left out. Raises Fault."""
    try:
        number, header, size = struct.unpack_from("<IHH", body, 4)
        fields = _fields(body, header)
    except (struct.error, IndexError) as error:
        raise Fault("exchange.sheet-broken", name, unreadable=True) from error
    if not fields or size < 2 or fields[-1].start + fields[-1].size > size or header + number * size > len(body) + size:
        raise Fault("exchange.sheet-broken", name, unreadable=True)
    rows: list[Row] = [[field.name for field in fields]]
    starts = range(header, min(header + number * size, len(body) - size + 1), size)
    rows += [_record(body, start, fields) for start in starts if body[start] != _DELETED]
    return Grid(name, rows)


def _record(body: bytes, start: int, fields: list[_Field]) -> Row:
    return [_cell(body[start + field.start : start + field.start + field.size], field) for field in fields]


def _fields(body: bytes, header: int) -> list[_Field]:
    fields: list[_Field] = []
    start = 1
    for place in range(32, header - 1, 32):
        if body[place] == _END:
            break
        name = decoded(body[place : place + 11].split(b"\0", 1)[0]).strip()
        kind, size = chr(body[place + 11]), body[place + 16]
        if kind == "C":
            size += body[place + 17] << 8
        fields.append(_Field(name, kind, start, size))
        start += size
    return fields


def _cell(raw: bytes, field: _Field) -> Cell:
    if field.kind == "I":
        return int.from_bytes(raw, "little", signed=True)
    if field.kind == "T":
        return _moment(raw)
    text = decoded(raw.strip(b" \0"))
    if field.kind == "L":
        return {"T": "1", "Y": "1", "F": "0", "N": "0"}.get(text.upper(), "")
    return text or None


def _moment(raw: bytes) -> Cell:
    """A date as a Julian day number and the milliseconds of the day, of which tables of people use the day."""
    day = int.from_bytes(raw[:4], "little")
    try:
        return date.fromordinal(day + _EPOCH) if day else None
    except (ValueError, OverflowError):
        return None
