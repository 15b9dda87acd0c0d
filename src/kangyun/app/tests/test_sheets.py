"""`kangyun sheets` over a folder of spreadsheets: everything once, whatever ends it in between."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kangyun.base.database import Database
from kangyun.base.settings import Settings
from kangyun.commons.population.decisions.residents import id_check_digit

KANGYUN = Path(sys.executable).with_name("kangyun")
CLINICS, ROWS = 4, 40


def write_sheets(folder: Path) -> None:
    """One CSV of each clinic; every tenth row has a wrong ID number, and two clinics know one resident in common."""
    for clinic in range(CLINICS):
        with (folder / f"YZC{clinic:04d}_register_2026.csv").open("w", encoding="gb18030", newline="") as file:
            out = csv.writer(file)
            out.writerow(["档案编号", "姓名", "性别", "出生日期", "身份证号", "联系电话", "既往史"])
            for row in range(ROWS):
                base = f"99012119{40 + clinic}{row % 12 + 1:02d}{row % 28 + 1:02d}{row:02d}1" if row else "99012119500101001"
                number = base + id_check_digit(base)
                wrong = "0" if number[-1] != "0" else "1"
                told = number[:-1] + wrong if row % 10 == 9 else number
                name = f"{'王李张刘陈杨'[clinic]}{'伟芳娜敏静秀英丽强磊军洋'[row % 12]}{'明超兰霞平刚'[row % 6]}" if row else "周建国"
                out.writerow([f"990121100201{clinic:02d}{row:03d}", name, "男", f"{number[6:10]}/{int(number[10:12])}/{int(number[12:14])}", told, f"139{clinic + 1:04d}{row:04d}", "高血压" if row % 4 == 0 else ""])


def load(folder: Path, data: Path, **options: bool) -> subprocess.Popen[str]:
    command = [str(KANGYUN), "sheets", str(folder), "--data", str(data), "--processes", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)  # pyright: ignore[reportCallIssue, reportArgumentType]


async def counts(data: Path) -> dict[str, int]:
    database = await Database.open(Settings(data=data))
    try:
        async with database.connection() as connection:
            queries = {
                "resources": "SELECT count(*) FROM resource",
                "identity": "SELECT count(*) FROM identity",
                "persons": "SELECT count(DISTINCT person) FROM identity",
                "held": "SELECT count(*) FROM held_row",
                "files": "SELECT count(*) FROM raw_message WHERE original",
                "unfinished": "SELECT count(*) FROM raw_message WHERE state = 'received'",
            }
            return {name: await connection.fetchval(query) for name, query in queries.items()}
    finally:
        await database.close()
        await database.stop_server()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_killed_load_goes_on_and_nothing_is_there_twice(tmp_path: Path):
    sheets, data = tmp_path / "sheets", tmp_path / "data"
    sheets.mkdir()
    write_sheets(sheets)
    first = load(sheets, data, start_new_session=True)
    assert first.stdout is not None
    for line in first.stdout:
        if "rows stored" in line:
            break
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    second = load(sheets, data)
    told, _ = second.communicate(timeout=100)
    assert second.returncode == 1, told
    found = await counts(data)
    good = CLINICS * ROWS * 9 // 10
    assert (found["identity"], found["held"], found["files"], found["unfinished"]) == (good, CLINICS * ROWS // 10, CLINICS, 0)
    # One resident is known to all clinics, and stands under one Person.
    assert found["persons"] == good - (CLINICS - 1)
    third = load(sheets, data)
    told, _ = third.communicate(timeout=100)
    again = await counts(data)
    assert again == found, told


def write_diaries(folder: Path) -> None:
    """A diary of each clinic about its residents, whom it names without any number; its name comes before that of the register."""
    for path in sorted(folder.glob("*_register_*.csv")):
        with path.open(encoding="gb18030", newline="") as file:
            residents = list(csv.DictReader(file))
        with (folder / path.name.replace("register", "outpatient")).open("w", encoding="gb18030", newline="") as file:
            out = csv.writer(file)
            out.writerow(["姓名", "电话", "就诊日期", "诊断"])
            out.writerows([one["姓名"], one["联系电话"], "2026-03-10", "高血压"] for one in residents)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_rows_without_numbers_find_the_residents_of_the_same_load_also_after_a_kill(tmp_path: Path):
    sheets, data = tmp_path / "sheets", tmp_path / "data"
    sheets.mkdir()
    write_sheets(sheets)
    write_diaries(sheets)
    first = load(sheets, data, start_new_session=True)
    assert first.stdout is not None
    for line in first.stdout:
        if "rows stored" in line:
            break
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    found: list[dict[str, int]] = []
    for _ in range(2):
        told, _ = load(sheets, data).communicate(timeout=100)
        found.append(await counts(data))
        # Whose row of the register is held is nobody whom the diary could mean.
        assert (found[-1]["identity"], found[-1]["held"], found[-1]["unfinished"]) == (CLINICS * ROWS * 9 // 10, CLINICS * ROWS * 2 // 10, 0), told
    assert found[0] == found[1]
