"""A steward looks at a spreadsheet with held rows and at the province's queue, on phone and desktop."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.browser.conftest import OpenLook
from tests.browser.test_doctor import LOOKS, overflow, serious

_SHEET = "姓名,性别,出生日期,身份证号,电话\n周秀兰,女,1956-03-04,,12913005521\n吴桂英,女,1961-13-45,,12913005522\n"


@pytest.fixture(scope="module")
def sheet(server: str) -> str:
    """The page of a sheet with one row stored and one held."""
    answer = httpx.post(
        f"{server}/exchange/tables", params={"sender": "SHEETS", "kind": "personal_basics"}, content=_SHEET.encode(),
        headers={"content-type": "text/csv"}, timeout=60,
    )
    assert answer.status_code in {200, 422}, answer.text
    number = re.search(r"\d+", str(httpx.get(f"{server}/exchange/quarantine?sender=SHEETS", timeout=60).text.partition("/exchange/messages/")[2]))
    assert number
    return f"/exchange/tables/{number[0]}"


@pytest.mark.parametrize("way", LOOKS, ids="-".join)
def test_the_pages_of_sheets_and_of_the_province_are_right(look: OpenLook, axe: str, sheet: str, way: tuple[str, ...]) -> None:
    seen = look(*way)
    for path in (sheet, "/exchange/upload", "/exchange/quarantine?sender=SHEETS"):
        seen.open(path)
        assert overflow(seen) <= 0, path
        assert serious(seen, axe) == [], path
