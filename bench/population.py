"""Writes the residents and observations that the record benchmarks load: NDJSON, about 1 KB each, same every time."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰志国建文辉力健世广美云莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤珍贞"
CODES = [  # LOINC code, Chinese name, unit, low, high
    ("718-7", "血红蛋白", "g/L", 115.0, 175.0), ("4548-4", "糖化血红蛋白", "%", 4.0, 6.0),
    ("14749-6", "葡萄糖", "mmol/L", 3.9, 6.1), ("14682-9", "肌酐", "umol/L", 41.0, 111.0),
    ("14647-2", "总胆固醇", "mmol/L", 2.8, 5.2), ("8480-6", "收缩压", "mm[Hg]", 90.0, 140.0),
    ("8462-4", "舒张压", "mm[Hg]", 60.0, 90.0), ("29463-7", "体重", "kg", 40.0, 120.0),
    ("6690-2", "白细胞", "10*9/L", 3.5, 9.5), ("777-3", "血小板", "10*9/L", 125.0, 350.0),
]


def resident(number: int) -> str:
    """One line: a Patient of about 1 KB with id `r<number>`."""
    chance = random.Random(number)
    family = chance.choices(SURNAMES, weights=range(len(SURNAMES), 0, -1))[0]
    given = "".join(chance.choices(GIVEN, k=chance.choice((1, 2, 2))))
    born = f"{chance.randrange(1930, 2024)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    sex = chance.choice(("male", "female"))
    return (
        f'{{"resourceType":"Patient","id":"r{number}","identifier":[{{"use":"official","type":{{"coding":[{{"system":'
        f'"http://terminology.hl7.org/CodeSystem/v2-0203","code":"NI"}}]}},"system":"urn:oid:2.16.156.10011.1.3",'
        f'"value":"99{number:016d}"}},{{"use":"usual","system":"urn:oid:2.16.156.10011.99.1","value":"M{number:08d}"}}],'
        f'"active":true,"name":[{{"use":"official","text":"{family}{given}","family":"{family}","given":["{given}"]}}],'
        f'"telecom":[{{"system":"phone","value":"139{number:08d}","use":"mobile"}}],"gender":"{sex}","birthDate":"{born}",'
        f'"address":[{{"use":"home","text":"云州市东城区人民路街道幸福里{number % 997}号","city":"云州市","district":"东城区",'
        f'"line":["人民路街道幸福里{number % 997}号"],"country":"CN"}}],"maritalStatus":{{"coding":[{{"system":'
        f'"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}}]}},"contact":[{{"name":{{"text":'
        f'"{family}家人"}},"telecom":[{{"system":"phone","value":"138{number:08d}"}}]}}]}}\n'
    )


def observation(number: int, residents: int) -> str:
    """One line: a laboratory Observation of about 1 KB for the resident number modulo residents."""
    chance = random.Random(-number)
    code, name, unit, low, high = CODES[(number // residents + number) % len(CODES)]
    value = f"{chance.uniform(low * 0.7, high * 1.3):.2f}"
    when = f"{chance.randrange(2015, 2026)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    time = f"{when}T{chance.randrange(7, 18):02d}:{chance.randrange(60):02d}:00+08:00"
    return (
        f'{{"resourceType":"Observation","id":"o{number}","identifier":[{{"system":"urn:oid:2.16.156.10011.99.1.7","value":'
        f'"L{number:09d}"}}],"status":"final","category":[{{"coding":[{{"system":'
        f'"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}}]}}],"code":{{"coding":[{{'
        f'"system":"http://loinc.org","code":"{code}","display":"{name}"}}],"text":"{name}"}},"subject":{{"reference":'
        f'"Patient/r{number % residents}"}},"effectiveDateTime":"{time}","issued":"{time}","performer":[{{"display":'
        f'"云州市第一人民医院检验科"}}],"valueQuantity":{{"value":{value},"unit":"{unit}","system":"http://unitsofmeasure.org",'
        f'"code":"{unit}"}},"referenceRange":[{{"low":{{"value":{low},"unit":"{unit}","system":"http://unitsofmeasure.org",'
        f'"code":"{unit}"}},"high":{{"value":{high},"unit":"{unit}","system":"http://unitsofmeasure.org","code":"{unit}"}}}}],'
        f'"note":[{{"text":"标本状态正常，结果已由检验医师审核并发布。"}}]}}\n'
    )


def lines(residents: int, observations: int) -> Iterator[str]:
    """All residents, then all observations."""
    for number in range(residents):
        yield resident(number)
    for number in range(observations):
        yield observation(number, residents)


def write(path: Path, residents: int, observations: int) -> int:
    """Write the file unless it is there; returns its size in bytes."""
    if not path.exists():
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            file.writelines(lines(residents, observations))
        part.rename(path)
    return path.stat().st_size


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
