"""Health-record sheets of many clinics into an empty platform: `kangyun sheets` end to end, validated, indexed, placed.

Run: ``.venv/bin/python bench/sheets.py [--rows 60000] [--clinics 35] [--full]``. ``--full`` takes 1,210,000 rows of 697
clinics. The sheets are made here, in the layouts that clinics use (CSV, TSV, GBK, XLSX), one row for each resident.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import openpyxl

from kangyun.commons.population.decisions.residents import id_check_digit

KANGYUN = Path(sys.executable).with_name("kangyun")
GOAL = 1_210_000 / 900

HEADER = [
    "档案编号", "姓名", "性别", "出生日期", "身份证号", "联系电话", "现住址", "民族", "婚姻状况", "文化程度", "职业", "血型",
    "医疗费用支付方式", "药物过敏史", "既往史", "厨房排风设施", "燃料类型", "饮水", "厕所",
]  # fmt: skip
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许邓韩冯曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
GIVEN = "伟芳娜敏静秀英丽强磊军洋勇艳杰娟涛明超兰霞平刚桂华建国红梅玉春燕文辉力志永健世广义兴良海山仁波宁贵福生龙元全胜学祥才发武新利清飞彬富顺信子昌成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江亮政谦亨奇固之轮翰朗伯宏言若鸣朋斌梁栋维启克伦翔旭鹏泽晨辰士以家致树炎德行时泰盛雄琛钧冠策腾楠榕风航弘"


def rows(clinic: int, count: int, chance: random.Random) -> Iterator[list[str]]:
    """The residents of one clinic, each once in the whole city."""
    village = f"{SURNAMES[clinic % 97]}家{GIVEN[clinic % 151]}村"
    for number in range(count):
        year, month, day = chance.randint(1930, 2024), chance.randint(1, 12), chance.randint(1, 28)
        male = chance.random() < 0.5
        base = f"9901{20 + clinic % 10:02d}{year}{month:02d}{day:02d}{chance.randint(0, 99):02d}{chance.choice('13579' if male else '02468')}"
        known = chance.random() < 0.67
        yield [
            f"9901{20 + clinic % 10:02d}{clinic % 1000:03d}1{clinic // 1000:02d}{number:05d}"[:17],
            chance.choice(SURNAMES) + chance.choice(GIVEN) + (chance.choice(GIVEN) if chance.random() < 0.8 else ""),
            "男" if male else "女", f"{year}-{month:02d}-{day:02d}", base + id_check_digit(base) if known else "",
            f"139{chance.randint(0, 99_999_999):08d}", f"柳河镇{village}{chance.randint(1, 400)}号", "汉族",
            "已婚" if year < 1998 else "未婚", chance.choice(["小学", "初中", "高中", "大专"]), "农民",
            chance.choice(["A型", "B型", "O型", *["不详"] * 5]), "城乡居民基本医疗保险", "青霉素" if chance.random() < 0.03 else "无",
            chance.choice(["高血压", "糖尿病", "高血压、糖尿病", "冠心病"]) if chance.random() < (0.3 if year < 1975 else 0.02) else "无",
            "油烟机", "液化气", "自来水", "卫生厕所",
        ]  # fmt: skip


def write(folder: Path, clinic: int, count: int) -> None:
    """The sheet of one clinic, in one of four layouts."""
    chance = random.Random(clinic)
    told = list(rows(clinic, count, chance))
    name = folder / f"YZC{clinic:04d}_register_2026"
    layout = clinic % 4
    if layout == 3:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("档案")
        sheet.append([f"第{clinic}村卫生室居民健康档案登记表"])
        for row in (HEADER, *told):
            sheet.append(row)
        book.save(name.with_suffix(".xlsx"))
        return
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t" if layout == 2 else ",").writerows([HEADER, *told])
    encoding = ("utf-8-sig", "gbk", "gb18030")[layout]
    name.with_suffix(".tsv" if layout == 2 else ".csv").write_bytes(text.getvalue().encode(encoding))


def main() -> None:
    """Write the sheets, load them, tell the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--clinics", type=int, default=35)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="1,210,000 rows of 697 clinics")
    asked = parser.parse_args()
    count, clinics = (1_210_000, 697) if asked.full else (asked.rows, asked.clinics)
    with tempfile.TemporaryDirectory(prefix="kangyun-sheets-") as place:
        folder = Path(place) / "sheets"
        folder.mkdir()
        for clinic in range(clinics):
            write(folder, clinic, count // clinics + (clinic < count % clinics))
        data = Path(place) / "data"
        subprocess.run([KANGYUN, "migrate", "--data", data], check=True)
        began = time.perf_counter()
        command = [KANGYUN, "sheets", folder, "--data", data, "--processes", str(asked.processes)]
        subprocess.run(command, check=False)
        seconds = time.perf_counter() - began
        print(f"{count} rows of {clinics} clinics in {seconds:.0f} s: {count / seconds:.0f}/s (goal {GOAL:.0f}/s)")


if __name__ == "__main__":
    main()
