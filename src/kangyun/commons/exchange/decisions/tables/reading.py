"""Files to grids: what a file is told by its first bytes, not by its name."""

from __future__ import annotations

from kangyun.base import rules
from kangyun.base.errors import refuse
from kangyun.commons.exchange.decisions.tables.dbf import VERSIONS, grid_of_dbf
from kangyun.commons.exchange.decisions.tables.grids import Grid, Row, written
from kangyun.commons.exchange.decisions.tables.texts import grid_of
from kangyun.commons.exchange.decisions.tables.workbooks import grids_of_workbook
from kangyun.commons.exchange.model import Fault

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def grids_of(body: bytes, name: str = "") -> list[Grid]:
    """The sheets of a file that hold anything; `name` stands for the sheet where the file gives it none.

    Raises Fault with the true reason: encrypted, with macros, a bomb, broken, not a table at all.
    """
    grids = [grid for grid in _grids(body, name) if any(written(cell) for row in grid.rows for cell in row)]
    if not grids:
        raise Fault("exchange.sheet-empty", name, unreadable=True)
    if len(grids) > rules.load("kangyun.commons.exchange", "tables/limits.yaml").value["sheets"]:
        raise Fault("exchange.sheet-bomb", name, {"size": str(len(grids))}, unreadable=True)
    return grids


def table_of(body: bytes, name: str = "") -> list[Row]:
    """The rows of the only sheet of a small table that is no message, such as a list of drugs.

    Raises Problem 422 with the true reason where it is no table, or has several sheets that hold anything.
    """
    try:
        grids = grids_of(body, name)
    except Fault as fault:
        raise refuse(422, "structure", fault.key, **fault.params) from fault
    if len(grids) > 1:
        raise refuse(422, "structure", "exchange.sheets-several", count=str(len(grids)))
    return grids[0].rows


def _grids(body: bytes, name: str) -> list[Grid]:
    if body.startswith(_OLD_OFFICE):
        # Old .xls, and new files under a password: both may hide macros, and saving as .xlsx is one click.
        raise Fault("exchange.sheet-old-office", name, unreadable=True)
    if body.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return grids_of_workbook(body, name)
    if body[:5] in {b"%PDF-", b"{\\rtf"} or body.lstrip()[:6].lower() in {b"<html>", b"<table", b"<!doct", b"<?xml "}:
        raise Fault("exchange.sheet-no-table", name, unreadable=True)
    if len(body) > 32 and body[0] in VERSIONS and 0 < body[2] <= 12 and 0 < body[3] <= 31 and b"\r" in body[32 : 32 * 300]:
        return [grid_of_dbf(body, name)]
    return [grid_of(body, name)]
