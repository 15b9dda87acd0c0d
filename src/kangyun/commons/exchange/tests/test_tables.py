"""Spreadsheets of clinics through the doors of the platform: stored row by row, updated by a second sending, refused with the true reason."""

from __future__ import annotations

import csv
import io
import os
import struct
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kangyun.app.services import Services
from kangyun.base.fhir.validation import validate
from kangyun.commons.exchange.actions import Intake
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.tables import Good, dates, grids_of, open_table
from kangyun.commons.exchange.decisions.tables.cells import CONVERTERS
from kangyun.commons.exchange.decisions.tables.grids import Grid
from kangyun.commons.exchange.decisions.tables.headers import header_of
from kangyun.commons.exchange.decisions.tables.kinds import kinds
from kangyun.commons.exchange.listeners import Folder
from kangyun.commons.exchange.model import Fault
from kangyun.commons.exchange.queries.tables import held_rows, sheets

HEADER = ["档案编号", "姓名", "性别", "出生日期", "身份证号", "联系电话", "现住址", "民族", "血型", "药物过敏史", "既往史"]
ZHOU = ["99012110020100017", "周秀兰", "女", "1956-03-04", "990121195603040423", "12913005521", "柳河镇上河村12号", "汉", "O", "青霉素", "高血压、糖尿病"]
LI = ["99012110020100025", "李大山", "男", "1960-05-06", "990121196005060015", "12913005522", "柳河镇上河村13号", "汉族", "A", "无", "无"]


def csv_of(*rows: Sequence[str], encoding: str = "utf-8-sig", separator: str = ",") -> bytes:
    return "\r\n".join(separator.join(row) for row in rows).encode(encoding)


def workbook_of(*rows: Sequence[Any], title: str = "Sheet1") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    found = io.BytesIO()
    book.save(found)
    return found.getvalue()


async def send(api: httpx.AsyncClient, body: bytes, sender: str, kind: str = "") -> httpx.Response:
    return await api.post("/exchange/tables", params={"sender": sender, "kind": kind}, content=body)


async def found(services: Services, type_: str, query: str = "") -> list[dict[str, Any]]:
    return (await services.gate.system("test").search(type_, query)).resources


def reason(answer: httpx.Response) -> tuple[str, str]:
    issue = answer.json()["issue"][0]
    return issue["details"]["coding"][0]["code"], issue.get("expression", [""])[0]


async def test_the_rows_of_a_sheet_become_residents_with_what_is_told_of_them(api: httpx.AsyncClient, services: Services):
    answer = await send(api, csv_of(HEADER, ZHOU, LI), "C1")
    assert answer.status_code == 201, answer.text
    patients = await found(services, "Patient", "identifier=990121195603040423")
    assert [one["name"][0]["text"] for one in patients] == ["周秀兰"]
    assert patients[0]["telecom"] == [{"system": "phone", "value": "12913005521", "use": "mobile"}]
    about = f"subject=Patient/{patients[0]['id']}"
    assert {one["code"]["coding"][0]["code"] for one in await found(services, "Condition", about)} == {"I10", "E14.9"}
    assert len(await found(services, "AllergyIntolerance", f"patient=Patient/{patients[0]['id']}")) == 1
    assert len(await found(services, "Observation", f"{about}&code=http://loinc.org|883-9")) == 1
    persons = await found(services, "Person", f"link=Patient/{patients[0]['id']}")
    assert len(persons) == 1


async def test_a_second_sending_changes_what_is_new_and_doubles_nothing(api: httpx.AsyncClient, services: Services):
    await send(api, csv_of(HEADER, ZHOU, LI), "C2")
    before = await found(services, "Patient", "identifier=99012110020100017&_count=50")
    moved = [*ZHOU[:6], "柳河镇下河村3号", *ZHOU[7:]]
    answer = await send(api, csv_of(HEADER, moved, LI, encoding="gb18030", separator="\t"), "C2")
    assert answer.status_code == 201, answer.text
    after = await found(services, "Patient", "identifier=99012110020100017&_count=50")
    assert len(after) == len(before)
    mine = next(one for one in after if one["meta"]["source"].endswith(":C2"))
    assert (mine["address"][0]["text"], mine["meta"]["versionId"]) == ("柳河镇下河村3号", "2")
    conditions = await found(services, "Condition", f"subject=Patient/{mine['id']}")
    assert [one["meta"]["versionId"] for one in conditions] == ["1", "1"]


@pytest.mark.parametrize(
    ("encoding", "separator"),
    [("utf-8", ","), ("utf-8-sig", ";"), ("gbk", ","), ("gb18030", "\t"), ("utf-16", "\t"), ("utf-16-le", "|"), ("utf-8", "，")],
)
async def test_every_encoding_and_separator_is_read(api: httpx.AsyncClient, services: Services, encoding: str, separator: str):
    sender = f"E-{encoding}-{ord(separator)}"
    answer = await send(api, csv_of(HEADER, ZHOU, encoding=encoding, separator=separator), sender)
    assert answer.status_code == 201, answer.text
    assert [one for one in await found(services, "Patient", "identifier=990121195603040423&_count=100") if one["meta"]["source"].endswith(f":{sender}")]


async def test_good_rows_are_stored_and_bad_ones_listed_with_their_cell(api: httpx.AsyncClient, services: Services, database: Any):
    rows = [
        ZHOU,
        [*LI[:4], "990121196005060016", *LI[5:]],
        ["", "王小明", "男", "2020-02-30", "", "", "上河村", "", "", "", ""],
        ["", "赵六", "男", "1990-01-01", "=HYPERLINK(A1)", "", "", "", "", "", ""],
        ["", "钱七", "女", "1960-05-06", "990121196005060015", "", "", "", "", "", ""],
        ["", "孙八", "男", "1985-05-06", "", "12913005523", "上河村", "", "", "", "", "多一格"],
        ["合计", "6", "", "", "", "", "", "", "", "", ""],
    ]
    answer = await send(api, csv_of(["上河村居民健康档案登记表"], HEADER, *rows), "C3")
    assert answer.status_code == 422
    assert reason(answer)[0] == "exchange.rows-held"
    number = int(answer.headers["x-message"])
    async with database.connection() as connection:
        held = await held_rows(connection, number)
        result = await sheets(connection, number)
    assert [(one.row + 1, one.label, one.reason.key) for one in held] == [
        (4, "身份证号", "exchange.bad-id-number"),
        (5, "出生日期", "exchange.bad-date"),
        (6, "身份证号", "exchange.formula"),
        (7, "身份证号", "exchange.id-number-other-sex"),
        (8, "", "exchange.row-slipped"),
    ]
    assert [(one.kind, one.rows, one.stored, one.held) for one in result] == [("personal_basics", 6, 1, 5)]
    names = {one["name"][0]["text"] for one in await found(services, "Patient", "_count=200")}
    assert names.isdisjoint({"王小明", "赵六", "钱七", "孙八"})


async def test_slipped_columns_refuse_the_whole_sheet_and_name_the_column(api: httpx.AsyncClient, services: Services):
    slipped = [[row[0], row[4], *row[1:4], *row[5:]] for row in (ZHOU, LI)]
    answer = await send(api, workbook_of(HEADER, *slipped), "C4")
    assert answer.status_code == 400
    assert reason(answer) == ("exchange.sheet-slipped", "Sheet1!B")
    assert not [one for one in await found(services, "Patient", "_count=200") if one["meta"]["source"].endswith(":C4")]


async def test_a_workbook_with_titles_serials_numbers_and_two_header_rows(api: httpx.AsyncClient, services: Services):
    rows = [
        ["柳河镇上河村 2026年 高血压患者随访登记表", *[None] * 6],
        ["填表人：村医", *[None] * 6],
        ["姓　　名", "身份证号", "随访日期", "血压(mmHg)", None, "用药情况", "下次随访"],
        [None, None, None, "收缩压", "舒张压", None, None],
        ["周 秀兰", "'990121195603040423", 46082, 148, 88.0, "1.苯磺酸氨氯地平片 5mg；2.阿司匹林肠溶片", "2026年6月1日"],
    ]
    answer = await send(api, workbook_of(*rows), "C5")
    assert answer.status_code == 201, answer.text
    visits = await found(services, "Encounter", "type=follow-up")
    assert [one["period"]["start"] for one in visits] == ["2026-03-01"]
    pressures = await found(services, "Observation", "code=85354-9")
    assert [[part["valueQuantity"]["value"] for part in one["component"]] for one in pressures] == [[148, 88]]
    assert {one["medicationCodeableConcept"]["coding"][0]["code"] for one in await found(services, "MedicationStatement")} == {"C08CA01", "B01AC06"}


def zip_of(parts: dict[str, bytes]) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return found.getvalue()


def zip_with(book: bytes, **changes: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zip_of({**parts, **{name.replace("__", "/"): content for name, content in changes.items()}})


BOOK = workbook_of(HEADER, ZHOU)
BOMB = b"<worksheet>" + b"<row/>" * 8_000_000
DOCTYPE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>&a;</t></si></sst>'
CORNER = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (zip_of({"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": BOMB}), "exchange.sheet-bomb"),
        (zip_with(BOOK, **{"xl__sharedStrings.xml": DOCTYPE}), "exchange.sheet-entities"),
        (zip_with(BOOK, **{"xl__worksheets__sheet1.xml": CORNER}), "exchange.sheet-too-wide"),
        (zip_with(BOOK, **{"xl__vbaProject.bin": b"Sub Auto_Open()"}), "exchange.sheet-macros"),
        (BOOK[: len(BOOK) // 2], "exchange.sheet-broken"),
        (zip_of({"word/document.xml": b"<w/>"}), "exchange.sheet-broken"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "exchange.sheet-old-office"),
        (b"<html><table><tr><td>x</td></tr></table></html>", "exchange.sheet-no-table"),
        (b"%PDF-1.7 ...", "exchange.sheet-no-table"),
        ("今天天气不错\n没有表格".encode(), "exchange.sheet-no-header"),
        (b"", "exchange.sheet-empty"),
        (b"\n , ,\n", "exchange.sheet-empty"),
        ("姓名,身份证号\n周秀兰,\xff".encode("latin-1", "ignore") + b"\xff\xff", "exchange.sheet-undecodable"),
        (b"name,id no\n\x00abc,1", "exchange.sheet-binary"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_hostile_file_is_refused_with_the_true_reason(api: httpx.AsyncClient, body: bytes, key: str):
    answer = await send(api, body, "C6")
    assert answer.status_code in {400, 422}
    assert reason(answer)[0] == key


async def test_an_id_number_that_excel_rounded_is_told_as_such(api: httpx.AsyncClient, database: Any):
    answer = await send(api, workbook_of(["姓名", "身份证号", "出生日期"], ["周秀兰", 990121195603040423, "1956-03-04"]), "C7")
    async with database.connection() as connection:
        held = await held_rows(connection, int(answer.headers["x-message"]))
    assert [one.reason.key for one in held] == ["exchange.id-number-rounded"]


async def test_one_number_for_two_names_is_nobodys(api: httpx.AsyncClient, services: Services, database: Any):
    other = ["", "周小云", "女", "1956-03-04", "990121195603040423", "", "", "", "", "", ""]
    answer = await send(api, csv_of(HEADER, ["", *ZHOU[1:]], other), "C8")
    async with database.connection() as connection:
        held = await held_rows(connection, int(answer.headers["x-message"]))
    assert [one.reason.key for one in held] == ["exchange.id-number-twice"] * 2
    assert not [one for one in await found(services, "Patient", "_count=200") if one["meta"]["source"].endswith(":C8")]


async def test_the_same_file_again_is_a_repetition(api: httpx.AsyncClient, database: Any):
    body = csv_of(HEADER, LI)
    assert (await send(api, body, "C9")).status_code == 201
    assert (await send(api, body, "C9")).status_code == 200
    async with database.connection() as connection:
        states = await connection.fetch("SELECT state FROM raw_message WHERE sender = 'C9' ORDER BY state")
    assert [row["state"] for row in states] == ["duplicate", "stored"]


async def test_the_rows_that_wait_are_listed_and_given_back_in_their_columns(api: httpx.AsyncClient):
    bad = ["", "赵六", "男", "1990-01-01", "=HYPERLINK(A1)", "", "", "", "", "", ""]
    worse = ["", "钱七", "男", "1990-13-01", "", "+8613900000000", "@cmd", "", "", "", ""]
    answer = await send(api, csv_of(HEADER, bad, LI, worse), "D1")
    number = answer.headers["x-message"]
    page = await api.get(f"/exchange/tables/{number}")
    assert page.status_code == 200
    assert "E2" in page.text
    assert "赵六" not in page.text, "no cell stands on the page"
    assert f"/exchange/tables/{number}" in (await api.get(f"/exchange/messages/{number}")).text
    listed = await api.get(f"/exchange/tables/{number}/held.csv", headers={"accept-language": "zh"})
    lines = list(csv.reader(io.StringIO(listed.content.decode("utf-8-sig"))))
    assert lines[0][:3] == HEADER[:3]
    assert [line[1] for line in lines[1:]] == ["赵六", "钱七"]
    assert lines[1][4] == "'=HYPERLINK(A1)", "a spreadsheet program must not compute what was refused"
    assert lines[2][5:7] == ["+8613900000000", "'@cmd"]
    assert (await api.get("/exchange/tables/999999")).status_code == 404


def dbf_of(fields: Sequence[tuple[str, int]], *rows: Sequence[str]) -> bytes:
    size = 1 + sum(width for _, width in fields)
    head = struct.pack("<BBBBIHH20x", 3, 126, 3, 1, len(rows), 32 + 32 * len(fields) + 1, size)
    for name, width in fields:
        head += struct.pack("<11sc4xBB14x", name.encode(), b"C", width, 0)
    body = b"".join(b" " + b"".join(cell.encode("gbk").ljust(width) for cell, (_, width) in zip(row, fields, strict=True)) for row in rows)
    return head + b"\r" + body + b"\x1a"


async def test_a_dbf_of_an_old_program_is_read(api: httpx.AsyncClient, services: Services):
    body = dbf_of([("GRBH", 17), ("XM", 20), ("XB", 1), ("CSRQ", 8), ("SFZH", 18)], ["99012110020100017", "周秀兰", "2", "19560304", "990121195603040423"])
    answer = await send(api, body, "D2")
    assert answer.status_code == 201, answer.text
    mine = [one for one in await found(services, "Patient", "identifier=990121195603040423&_count=100") if one["meta"]["source"].endswith(":D2")]
    assert [(one["name"][0]["text"], one["gender"], one["birthDate"]) for one in mine] == [("周秀兰", "female", "1956-03-04")]


async def test_a_watched_folder_takes_spreadsheets_under_the_name_of_their_sender(services: Services, tmp_path: Path):
    folder = Folder(tmp_path, Intake(services.database, services.gate, services.keys))
    for name, body in (("YZF1_register_2026.xlsx", workbook_of(HEADER, ZHOU)), ("YZF1_register_bad.csv", csv_of(HEADER, [*LI[:4], "990121196005060016", *LI[5:]]))):
        (tmp_path / name).write_bytes(body)
        os.utime(tmp_path / name, (1, 1))
    assert await folder.look() == 2
    mine = [one for one in await found(services, "Patient", "identifier=990121195603040423&_count=100") if one["meta"]["source"].endswith(":YZF1")]
    assert len(mine) == 1
    assert [one.name for one in (tmp_path / "processed").iterdir()] == ["YZF1_register_2026.xlsx"]
    told = (tmp_path / "failed" / "YZF1_register_bad.csv.reason.txt").read_text("utf-8")
    assert "E2" in told


LAYOUTS = yaml.safe_load((Path(__file__).resolve().parents[4] / "yunzhou/data/sheets.yaml").read_text("utf-8"))["layouts"]
FIELDS = {
    "record": {"record_number"}, "name": {"name"}, "sex": {"sex"}, "birth": {"birth"}, "id": {"id_number"}, "phone": {"phone"}, "address": {"address"},
    "village": {"village"}, "pressure": {"pressure"}, "ethnicity": {"ethnicity"}, "marriage": {"marriage"}, "head": {"household_head"},
    "relation": {"household_relation"}, "blood": {"blood_group"}, "history": {"history"}, "contact": {"contact"}, "contact_phone": {"contact_phone"},
    "date": {"date"}, "complaint": {"complaint"}, "diagnosis": {"diagnosis"}, "icd": {"icd"}, "sbp": {"systolic"}, "dbp": {"diastolic"},
    "pulse": {"pulse"}, "temp": {"temperature"}, "glucose": {"glucose"}, "weight": {"weight"}, "drugs": {"drugs"}, "doctor": {"doctor"}, "next": {"next"},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("sheet", "kind"), [("register", "personal_basics"), ("visits", "outpatient"), ("followup", "followup")])
def test_every_layout_of_the_city_is_understood(layout: str, sheet: str, kind: str):
    columns: dict[str, str] = LAYOUTS[layout]["columns"][sheet]
    header = header_of(Grid("", [list(columns), ["x"] * len(columns)]))
    assert header.kind.name == kind
    told = {label: header.columns.get(place) for place, label in enumerate(columns)}
    assert {label: told[label] for label, name in columns.items() if name in FIELDS and told[label] not in FIELDS[name]} == {}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2020-1-5", "2020-01-05"), ("20200105", "2020-01-05"), ("2020年1月5日", "2020-01-05"), ("2020/1/5", "2020-01-05"), ("2020.01.05", "2020-01-05"),
        ("二〇二〇年一月五日", "2020-01-05"), ("一九五六年十二月二十一日", "1956-12-21"), (43835, "2020-01-05"), (43835.5, "2020-01-05"), ("43835", "2020-01-05"),
        (20200105, "2020-01-05"), ("２０２０－０１－０５", "2020-01-05"), ("2020-01", "2020-01"), ("2020年1月", "2020-01"), ("1956", "1956"), ("13/4/2020", "2020-04-13"),
        ("2020-01-05 10:30", "2020-01-05"), (date(2020, 1, 5), "2020-01-05"), ("2020年1月5日生", "2020-01-05"),
        ("2020-02-30", None), ("20201301", None), ("3/4/2020", None), ("1-5", None), ("昨天", None), ("99999999", None), (3.14, None), ("0000-00-00", None), (True, None),
    ],
)  # fmt: skip
def test_a_date_is_understood_or_refused(cell: Any, expected: str | None):
    if expected is None:
        with pytest.raises(Fault):
            dates.to_date(cell)
    else:
        assert dates.to_date(cell) == (expected, False)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("农历1956年正月廿二", "1956-03-04"), ("1956年1月22日(农历)", "1956-03-04"), ("阴历 1956-1-22", "1956-03-04"), ("农历1956年", "1956"), ("农历1956年13月1日", None)],
)
def test_a_lunar_birthday_becomes_the_solar_day(cell: str, expected: str | None):
    column = kinds()["personal_basics"].columns["birth"]
    if expected is None:
        with pytest.raises(Fault):
            CONVERTERS["birth"](cell, column, sender_of("X"))
    else:
        assert CONVERTERS["birth"](cell, column, sender_of("X")) == expected


CELLS = st.one_of(
    st.none(), st.text(max_size=30), st.integers(), st.floats(allow_nan=True), st.booleans(), st.dates(), st.datetimes(),
    st.sampled_from(["男", "1", "1956-03-04", "990121195603040423", "=1+1", "无", "周秀兰", "148/88", "10^9", "1.5m", "合计", "\0", "NaN", "∞"]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(kinds())), st.lists(st.lists(CELLS, max_size=12), max_size=6))
def test_rubbish_in_cells_is_a_row_or_a_fault_and_never_an_error(kind: str, rows: list[list[Any]]):
    columns: list[Any] = [str(column.options.get("shown_as") or name) for name, column in list(kinds()[kind].columns.items())[:10]]
    try:
        table = open_table(Grid("S", [columns, *rows]), sender_of("RUBBISH"), "2026-11-01", kind=kind)
    except Fault:
        return
    for row in table.rows():
        if isinstance(row, Good):
            for resource in [{**row.patient, "id": "p"}, *row.settle("p")]:
                assert [issue for issue in validate(resource) if issue.severity in {"error", "fatal"}] == []


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode) | st.binary(max_size=200).map(lambda tail: b"PK\x03\x04" + tail) | st.binary(min_size=40, max_size=300).map(lambda tail: b"\x03\x7e\x01\x01" + tail))
def test_rubbish_in_files_is_a_grid_or_a_fault(body: bytes):
    with suppress(Fault):
        assert grids_of(body)
