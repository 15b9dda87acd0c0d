"""An older row of a sheet never puts older values over newer ones, whichever way the rows and the messages come."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.sheets import take_file
from kangyun.commons.exchange.actions import Intake, joining, order
from kangyun.commons.exchange.tests.test_tables import csv_of, send

HEADER = ["档案编号", "姓名", "性别", "出生日期", "身份证号", "联系电话", "随访日期", "收缩压", "舒张压", "诊断"]
MESSAGE = "MSH|^~\\&|HIS|{sender}|||{time}+0800||ADT^A31|{time}|P|2.5||||||UNICODE UTF-8\rEVN|A31|{time}+0800\rPID|1||990121195603040423^^^MOPS^NNCHN~M1^^^H&1.2.3&ISO^MR||周秀兰||19560304|F|||||^PRN^CP^^^^^^^^^{phone}\r"


def row(day: str, phone: str, diagnosis: str = "高血压", pressure: str = "140") -> list[str]:
    return ["99012110020100017", "周秀兰", "女", "1956-03-04", "990121195603040423", phone, day, pressure, "90", diagnosis]


@pytest.fixture(autouse=True)
async def _empty(services: Services) -> None:
    joining.forget()
    order.forget()
    async with services.database.connection() as connection:
        await connection.execute(
            "TRUNCATE raw_message, message_note, resource, span, history, change, commit_once, identity, candidate, row_told, table_sheet, held_row"
        )


async def phones(services: Services) -> list[str]:
    [found] = (await services.gate.system("test").search("Patient", "identifier=990121195603040423")).resources
    return [one["value"] for one in found.get("telecom", [])]


async def pressures(services: Services) -> int:
    found = await services.gate.system("test").search("Encounter", [("_count", "50")])
    return len(found.resources)


async def take(api: httpx.AsyncClient, *rows: list[str], sender: str = "YZO1") -> None:
    answer = await send(api, csv_of(HEADER, *rows), sender, "followup")
    assert answer.status_code in {200, 201}, answer.text


async def test_an_older_sheet_that_comes_later_adds_its_visit_and_changes_nothing_else(api: httpx.AsyncClient, services: Services):
    await take(api, row("2026-03-05", "13900000002"))
    await take(api, row("2026-01-05", "13900000001"))
    assert await phones(services) == ["13900000002"]
    assert await pressures(services) == 2
    await take(api, row("2026-04-05", "13900000003"))
    assert await phones(services) == ["13900000003"]


async def test_rows_of_one_sheet_need_not_stand_in_order(api: httpx.AsyncClient, services: Services):
    await take(api, row("2026-03-05", "13900000002"), row("2026-01-05", "13900000001"), row("2026-02-05", "13900000009"))
    assert await phones(services) == ["13900000002"]
    assert await pressures(services) == 3


async def test_what_outlasts_the_visit_stays_as_the_newer_row_has_said(api: httpx.AsyncClient, services: Services):
    await take(api, row("2026-03-05", "13900000002"))
    [newer] = (await services.gate.system("test").search("Condition", "")).resources
    await take(api, row("2026-01-05", "13900000001"))
    [after] = (await services.gate.system("test").search("Condition", "")).resources
    assert after == newer


async def test_a_correction_of_the_same_day_is_taken(api: httpx.AsyncClient, services: Services):
    await take(api, row("2026-03-05", "13900000002"))
    await take(api, row("2026-03-05", "13900000004"))
    assert await phones(services) == ["13900000004"]


async def message(services: Services, time: str, phone: str) -> None:
    intake = Intake(services.database, services.gate, services.keys)
    outcome = (await intake.take(MESSAGE.format(sender="YZO1", time=time, phone=phone).encode())).outcome
    assert outcome.state == "stored", outcome.reason


async def test_rows_and_messages_of_one_sender_keep_one_order(api: httpx.AsyncClient, services: Services):
    await take(api, row("2026-03-05", "13900000002"))
    await message(services, "20260401080000", "13900000005")
    await take(api, row("2026-03-20", "13900000006"))
    assert (await phones(services))[0] == "13900000005"
    assert "13900000006" not in await phones(services)
    await take(api, row("2026-05-05", "13900000007"))
    await message(services, "20260501080000", "13900000008")
    assert (await phones(services))[0] == "13900000007"


async def test_a_bulk_of_files_keeps_the_order_as_well(services: Services, tmp_path: Path):
    newer, older = tmp_path / "YZO1_followup_2.csv", tmp_path / "YZO1_followup_1.csv"
    newer.write_bytes(csv_of(HEADER, row("2026-03-05", "13900000002")))
    older.write_bytes(csv_of(HEADER, row("2026-01-05", "13900000001")))
    for path in (newer, older):
        report = await take_file(services, path)
        assert (report.stored, report.held) == (1, 0)
    assert await phones(services) == ["13900000002"]
    assert await pressures(services) == 2
