"""Rows of a sheet that name residents without any number: taken to the one of the clinic's own residents who fits, else held."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.sheets import take_file
from kangyun.commons.exchange.actions import Intake, quarantine
from kangyun.commons.exchange.actions.table_files import TableFile
from kangyun.commons.exchange.listeners import Folder
from kangyun.commons.exchange.queries.tables import held_rows
from kangyun.commons.exchange.tests.test_tables import csv_of, found, send

REGISTER = ["姓名", "性别", "出生日期", "身份证号", "联系电话", "现住址", "既往史"]
VISITS = ["姓名", "性别", "年龄", "身份证号", "住址", "联系电话", "就诊日期", "诊断"]
FOLLOW_UPS = ["姓名", "身份证号", "随访日期", "病种", "血压"]
ZHOU = ["周秀兰", "女", "1956-03-04", "990121195603040423", "12913005521", "柳河镇上河村12号", "高血压"]
LI = ["李大山", "男", "1960-05-06", "990121196005060015", "12913005522", "柳河镇上河村13号", ""]


def visit(name: str, sex: str = "", age: str = "", address: str = "", *, phone: str = "", day: str = "2026-03-10") -> list[str]:
    return [name, sex, age, "无", address, phone, day, "急性胃肠炎"]


def follow_up(name: str, illness: str = "高血压", day: str = "2026-03-10", pressure: str = "148/88") -> list[str]:
    return [name, "", day, illness, pressure]


async def register(api: httpx.AsyncClient, sender: str, *rows: Sequence[str]) -> None:
    answer = await send(api, csv_of(REGISTER, *rows), sender, "personal_basics")
    assert answer.status_code == 201, answer.text


async def visits_of(services: Services, sender: str) -> list[tuple[str, str, str]]:
    """Who came to this clinic: name, birth date and day of each visit and follow-up."""
    found_visits = await found(services, "Encounter", "_count=500")
    mine = [one for one in found_visits if one["meta"]["source"].endswith(f":{sender}")]
    people = {one["id"]: one for one in await found(services, "Patient", "_count=500")}
    told = [(people[one["subject"]["reference"].removeprefix("Patient/")], one["period"]["start"]) for one in mine]
    return sorted((who["name"][0]["text"], who["birthDate"], day) for who, day in told)


async def held(services: Services, answer: httpx.Response) -> list[tuple[str, str]]:
    """The column and the reason of each row that is held."""
    async with services.database.connection() as connection:
        rows = await held_rows(connection, int(answer.headers["x-message"]))
    return [(one.label, one.reason.key) for one in rows]


async def test_a_visit_without_a_number_goes_to_the_resident_whom_the_clinic_has_registered(api: httpx.AsyncClient, services: Services):
    await register(api, "R1", ZHOU, LI)
    answer = await send(api, csv_of(VISITS, visit("周秀兰", "女", "70"), visit("李大山", address="上河村13号", phone="无")), "R1", "outpatient")
    assert answer.status_code == 201, answer.text
    assert await visits_of(services, "R1") == [("周秀兰", "1956-03-04", "2026-03-10"), ("李大山", "1960-05-06", "2026-03-10")]
    patients = [one for one in await found(services, "Patient", "_count=200") if one["meta"]["source"].endswith(":R1")]
    assert [one["meta"]["versionId"] for one in patients] == ["1", "1"]


@pytest.mark.parametrize(
    ("told", "label", "key"),
    [
        (visit("周秀兰", "女", "45"), "年龄", "exchange.namesake-contradicts"),
        (visit("周秀兰", "男", "70"), "性别", "exchange.namesake-contradicts"),
        (visit("周秀兰", "女", "70", day="1955-03-10"), "就诊日期", "exchange.namesake-contradicts"),
        (visit("周秀兰", "女"), "姓名", "exchange.name-alone"),
        (visit("周秀兰", "女", "71"), "姓名", "exchange.name-alone"),
        (visit("周秀兰", "女", "70", "柳河镇下河村12号"), "姓名", "exchange.name-alone"),
        (visit("周秀兰", "女", address="上河村"), "姓名", "exchange.name-alone"),
        (visit("周秀兰", "女", address="上河村2号"), "姓名", "exchange.name-alone"),
        (visit("周秀梅", "女", "70", "上河村12号", phone="12913005521"), "姓名", "exchange.not-registered"),
    ],
)
async def test_in_doubt_a_row_is_held_with_the_true_reason(
    api: httpx.AsyncClient, services: Services, told: list[str], label: str, key: str
):
    sender = f"D{uuid4().hex[:8]}"
    await register(api, sender, ZHOU, LI)
    answer = await send(api, csv_of(VISITS, told), sender, "outpatient")
    assert answer.status_code == 422
    assert await held(services, answer) == [(label, key)]
    assert await visits_of(services, sender) == []


async def test_namesakes_are_told_apart_or_both_left_alone(api: httpx.AsyncClient, services: Services):
    old = ["王伟", "男", "1950-02-01", "", "12913005531", "上河村1号", ""]
    young = ["王伟", "男", "1991-02-01", "", "12913005532", "上河村2号", ""]
    await register(api, "N1", old, young)
    rows = [
        visit("王伟", "男", "76"), visit("王伟", phone="12913005532", day="2026-03-11"), visit("王伟", address="上河村2号", day="2026-03-12"),
        visit("王伟", "男", day="2026-03-13"), visit("王伟", "男", "60", day="2026-03-14"), visit("王伟", "男", "76", phone="12913005532", day="2026-03-15"),
    ]  # fmt: skip
    answer = await send(api, csv_of(VISITS, *rows), "N1", "outpatient")
    assert await held(services, answer) == [
        ("姓名", "exchange.namesakes"), ("年龄", "exchange.namesake-contradicts"), ("姓名", "exchange.namesakes"),
    ]  # fmt: skip
    assert await visits_of(services, "N1") == [
        ("王伟", "1950-02-01", "2026-03-10"), ("王伟", "1991-02-01", "2026-03-11"), ("王伟", "1991-02-01", "2026-03-12"),
    ]  # fmt: skip


async def test_father_and_son_in_one_house_are_two(api: httpx.AsyncClient, services: Services):
    father = ["王建国", "男", "1955-02-01", "", "12913005541", "上河村8组5号", ""]
    son = ["王建军", "男", "1980-02-01", "", "12913005541", "上河村8组5号", ""]
    grandson = ["王建国", "男", "2008-02-01", "", "12913005541", "上河村8组5号", ""]
    await register(api, "F1", father, son, grandson)
    rows = [
        visit("王建军", address="上河村8组5号"), visit("王建军", phone="12913005541", day="2026-03-11"),
        visit("王建国", "男", "71", "上河村8组5号", day="2026-03-12"), visit("王建国", "男", "", "上河村8组5号", phone="12913005541", day="2026-03-13"),
    ]  # fmt: skip
    answer = await send(api, csv_of(VISITS, *rows), "F1", "outpatient")
    assert await held(services, answer) == [("姓名", "exchange.namesakes")]
    assert await visits_of(services, "F1") == [
        ("王建军", "1980-02-01", "2026-03-10"), ("王建军", "1980-02-01", "2026-03-11"), ("王建国", "1955-02-01", "2026-03-12"),
    ]  # fmt: skip


async def test_somebody_of_another_clinic_is_nobody_here(api: httpx.AsyncClient, services: Services):
    await register(api, "O1", ZHOU)
    await register(api, "O2", LI)
    answer = await send(api, csv_of(VISITS, visit("周秀兰", "女", "70", "上河村12号", phone="12913005521")), "O2", "outpatient")
    assert await held(services, answer) == [("姓名", "exchange.not-registered")]
    assert await visits_of(services, "O1") == await visits_of(services, "O2") == []


async def test_a_follow_up_is_known_by_the_illness_or_by_the_visit_of_the_day(api: httpx.AsyncClient, services: Services):
    await register(api, "U1", ZHOU, LI)
    await send(api, csv_of(VISITS, visit("李大山", "男", "65")), "U1", "outpatient")
    rows = [follow_up("周秀兰"), follow_up("李大山"), follow_up("周秀兰", "糖尿病"), follow_up("李大山", day="2026-04-10")]
    answer = await send(api, csv_of(FOLLOW_UPS, *rows), "U1", "followup")
    assert await held(services, answer) == [("姓名", "exchange.name-alone")] * 2
    # What the clinic has noted by the second row tells whom the last one means.
    assert await quarantine.replay(services, int(answer.headers["x-message"]))
    assert await held(services, answer) == [("姓名", "exchange.name-alone")]
    about = [one for one in await visits_of(services, "U1") if one[0] == "周秀兰"]
    assert about == [("周秀兰", "1956-03-04", "2026-03-10")]
    assert ("李大山", "1960-05-06", "2026-04-10") in await visits_of(services, "U1")


async def test_a_day_with_a_number_and_one_without_are_two_visits(api: httpx.AsyncClient, services: Services):
    await register(api, "T1", ZHOU)
    numbered = visit("周秀兰", "女", "70")
    numbered[3] = ZHOU[3]
    for _ in range(2):
        answer = await send(api, csv_of(VISITS, numbered, visit("周秀兰", "女", "70"), [*visit("李大山")[:-1], f"{_}"]), "T1", "outpatient")
        assert await held(services, answer) == [("姓名", "exchange.not-registered")]
    assert await visits_of(services, "T1") == [("周秀兰", "1956-03-04", "2026-03-10")] * 2


async def test_a_row_that_came_before_the_register_is_tried_again_by_itself(api: httpx.AsyncClient, services: Services):
    early = await send(api, csv_of(FOLLOW_UPS, follow_up("周秀兰")), "E1", "followup")
    other = await send(api, csv_of(VISITS, visit("周秀兰", "女", "70", day="2026-03-12")), "E1", "outpatient")
    assert await held(services, early) == await held(services, other) == [("姓名", "exchange.not-registered")]
    await register(api, "E1", ZHOU)
    async with services.database.connection() as connection:
        payloads = [json.loads(row["payload"]) for row in await connection.fetch("SELECT payload FROM job WHERE name = 'exchange.recognise'")]
    mine = [one for one in payloads if int(early.headers["x-message"]) in one["messages"]]
    assert len(mine) == 1
    await quarantine.recognise_again(services, mine[0])
    assert await held(services, early) == await held(services, other) == []
    assert [day for _, _, day in await visits_of(services, "E1")] == ["2026-03-10", "2026-03-12"]


async def test_a_replay_takes_what_is_known_meanwhile_and_doubles_nothing(api: httpx.AsyncClient, services: Services):
    rows = [visit("周秀兰", "女", "70"), visit("钱七", "男", "40")]
    answer = await send(api, csv_of(VISITS, *rows), "P1", "outpatient")
    await register(api, "P1", ZHOU)
    for _ in range(2):
        assert await quarantine.replay(services, int(answer.headers["x-message"]))
        assert await held(services, answer) == [("姓名", "exchange.not-registered")]
        assert await visits_of(services, "P1") == [("周秀兰", "1956-03-04", "2026-03-10")]


def write(folder: Path, name: str, body: bytes, *, age: float = 100) -> Path:
    path = folder / name
    path.write_bytes(body)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


async def test_a_watched_folder_takes_the_register_first_and_waits_while_it_grows(services: Services, tmp_path: Path):
    folder = Folder(tmp_path, Intake(services.database, services.gate, services.keys))
    write(tmp_path, "W1_followup_2026.csv", csv_of(FOLLOW_UPS, follow_up("周秀兰"), follow_up("李大山")))
    write(tmp_path, "W1_visits_2026.csv", csv_of(VISITS, visit("李大山", "男", "65")))
    growing = write(tmp_path, "W1_register_2026.csv", csv_of(REGISTER, ZHOU, LI), age=0)
    assert await folder.look() == 0
    os.utime(growing, (1, 1))
    assert await folder.look() == 3
    assert len(list((tmp_path / "processed").iterdir())) == 3
    assert [name for name, _, _ in await visits_of(services, "W1")] == ["周秀兰", "李大山", "李大山"]


async def test_a_load_that_was_killed_goes_on_and_doubles_nothing(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    report = await take_file(services, write(tmp_path, "K1_register_2026.csv", csv_of(REGISTER, ZHOU, LI)))
    assert (report.stored, report.held) == (2, 0)
    rows = [visit("周秀兰", "女", "70"), visit("周秀兰", "女", "70"), visit("李大山", "男", "65"), visit("钱七", "男", "40")]
    sheet = write(tmp_path, "K1_visits_2026.csv", csv_of(VISITS, *rows))

    async def killed(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(TableFile, "hold_again", killed)
        with pytest.raises(RuntimeError):
            await take_file(services, sheet)
    for _ in range(2):
        report = await take_file(services, sheet)
        assert (report.stored, report.held) == (3, 1)
        assert [name for name, _, _ in await visits_of(services, "K1")] == ["周秀兰", "周秀兰", "李大山"]
    await take_file(services, write(tmp_path, "K1_register_2027.csv", csv_of(REGISTER, ["钱七", "男", "1985-05-06", "", "", "", ""])))
    report = await take_file(services, sheet)
    assert (report.stored, report.held) == (4, 0)
    assert len(await visits_of(services, "K1")) == 4


async def test_a_person_whom_the_clinic_has_registered_twice_is_one(api: httpx.AsyncClient, services: Services):
    await register(api, "B1", ZHOU)
    await register(api, "B1", [ZHOU[0], ZHOU[1], ZHOU[2], "", ZHOU[4], ZHOU[5], ""])
    answer = await send(api, csv_of(VISITS, visit("周秀兰", "女", "70", "上河村12号")), "B1", "outpatient")
    assert answer.status_code == 201, await held(services, answer)
    assert await visits_of(services, "B1") == [("周秀兰", "1956-03-04", "2026-03-10")]
