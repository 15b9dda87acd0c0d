"""Bad input through the real doors: refused or held with the true reason, no wrong person touched, no message lost.

Two bystanders stand in the record; whatever is sent, they are afterwards as they were unless the message is truly about them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import Intake
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.listeners import Folder
from kangyun.commons.exchange.tests.test_cda import DIAGNOSES, document
from kangyun.commons.exchange.tests.test_tables import (
    BOMB,
    BOOK,
    DOCTYPE,
    csv_of,
    reason,
    send,
    workbook_of,
    zip_of,
    zip_with,
)
from kangyun.commons.exchange.tests.test_whole_day import ask, hospital
from kangyun.commons.population import identities

ZHOU = "990121195603040423"
MSH = "MSH|^~\\&|HIS|BI1|KANGYUN|YUNZHOU|20260301080000+0800||{kind}|{control}|P|2.5.1||||||UNICODE UTF-8"
EVN = "EVN||20260301080000+0800"
PV1 = "PV1|1|I|W3^305^2||||||||||||||||V1"
OBR = "OBR|1||R1|24323-8^生化全套^LN|||20260301083600+0800|||||||||||||||20260301104100+0800||LAB|F"
HEADER = ["姓名", "性别", "出生日期", "身份证号", "联系电话", "随访日期", "收缩压", "舒张压"]


def check(number: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return number[:17] + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False)) % 11]


WU = check("990121196107080020")


def pid(number: str, id_number: str = "", name: str = "周秀兰", birth: str = "19560304", sex: str = "F") -> str:
    other = f"~{id_number}^^^MOPS^NNCHN" if id_number else ""
    return f"PID|1||{number}^^^H&1.2.3&ISO^MR{other}||{name}||{birth}|{sex}"


class City:
    """The real doors, and the two bystanders Zhou (M1) and Wu (M2)."""

    def __init__(self, services: Services, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.services, self.reader, self.writer = services, reader, writer
        self.handle = services.gate.system("test")
        self.control = 0
        self.before: list[dict[str, Any]] = []

    async def send(self, kind: str, *segments: str) -> tuple[str, str, str]:
        """(MSA-1, ERR-8 reason key, ERR-2 place) of the answer."""
        self.control += 1
        answer = parse(await ask(self.reader, self.writer, "\r".join([MSH.format(kind=kind, control=self.control), *segments])))
        msa, err = answer.first("MSA"), answer.first("ERR")
        assert msa is not None
        if err is None:
            return msa.text(1), "", ""
        place = "-".join(part for part in (err.text(2, 1), err.text(2, 3)) if part)
        return msa.text(1), err.text(5), place

    async def people(self) -> list[dict[str, Any]]:
        return sorted((await self.handle.search("Patient", [("_count", "100")])).resources, key=lambda one: str(one["id"]))

    async def untouched(self) -> bool:
        """Whether the bystanders, and nobody else, are there as they were."""
        return await self.people() == self.before

    async def id_of(self, number: str) -> str:
        [found] = (await self.handle.search("Patient", [("identifier", number), ("active", "true")])).resources
        return str(found["id"])

    async def states(self) -> dict[str, int]:
        async with self.services.database.connection() as connection:
            return await queries.states(connection)


@pytest.fixture
async def city(services: Services) -> AsyncGenerator[City]:
    async with hospital(services) as (reader, writer):
        found = City(services, reader, writer)
        for segment in (pid("M1", ZHOU), pid("M2", WU, "吴桂英", "19610708")):
            assert (await found.send("ADT^A28^ADT_A05", EVN, segment))[0] == "AA"
        found.before = await found.people()
        assert len(found.before) == 2
        yield found


@pytest.mark.parametrize("day", ["19560231", "20260301250000", "00000000", "19561304", "99991231", "21500101"])
async def test_an_impossible_day_of_birth_is_refused_at_its_field(city: City, day: str):
    assert (await city.send("ADT^A28^ADT_A05", EVN, pid("M9", "", "赵六", day)))[::2] == ("AE", "PID-7")
    assert await city.untouched()
    assert await city.states() == {"stored": 2, "quarantined": 1}


@pytest.mark.parametrize("field", ["PV1-44", "EVN-2", "EVN-2 years ahead", "OBX-14"])
async def test_an_impossible_time_is_refused_at_its_field(city: City, field: str):
    segments = {
        "PV1-44": ["ADT^A01^ADT_A01", EVN, pid("M1"), PV1 + "|" * 25 + "20260230080000"],
        "EVN-2": ["ADT^A01^ADT_A01", "EVN||20261301080000", pid("M1"), PV1],
        "EVN-2 years ahead": ["ADT^A01^ADT_A01", "EVN||21260301080000", pid("M1"), PV1],
        "OBX-14": ["ORU^R01^ORU_R01", pid("M1"), OBR, "OBX|1|NM|14749-6^葡萄糖^LN||8.4|mmol/L|||||F|||20260301996000"],
    }[field]
    answer = await city.send(*segments)
    assert (answer[0], answer[2]) == ("AE", field.split(maxsplit=1)[0]), answer
    assert await city.untouched()
    assert (await city.handle.search("Encounter", "")).resources == []


async def test_a_wrong_check_digit_is_told_and_nobody_is_found_by_the_number(city: City):
    wrong = ZHOU[:17] + ("4" if ZHOU[17] != "4" else "5")
    assert await city.send("ADT^A28^ADT_A05", EVN, pid("M9", wrong)) == ("AE", "exchange.bad-id-number", "PID-3")
    assert await city.untouched()


async def test_the_id_number_of_somebody_else_moves_nothing(city: City):
    """Wu's message carries Zhou's ID number: her number in the hospital says one thing, the ID number another."""
    answer = await city.send("ORU^R01^ORU_R01", pid("M2", ZHOU, "吴桂英", "19610708"), OBR, "OBX|1|NM|14749-6^葡萄糖^LN||8.4|mmol/L|||||F")
    assert answer == ("AE", "exchange.two-residents", "PID-3")
    assert await city.untouched()
    assert (await city.handle.search("Observation", "")).resources == []


async def test_a_stranger_with_the_id_number_of_a_resident_does_not_become_this_resident(city: City):
    """Another sender registers a man of another name and birth date under Zhou's number: no automatic link."""
    zhou = await city.id_of("M1")
    city.control += 1
    header = MSH.format(kind="ADT^A28^ADT_A05", control=city.control).replace("|BI1|", "|BI2|")
    await ask(city.reader, city.writer, "\r".join([header, EVN, pid("X1", ZHOU, "钱大山", "19900202", "M")]))
    assert await identities(city.handle, zhou) == [zhou]
    assert next(one for one in await city.people() if one["id"] == zhou) == next(one for one in city.before if one["id"] == zhou)


@pytest.mark.parametrize("kind", ["ORU^R01^ORU_R01", "ADT^A01^ADT_A01"])
async def test_two_patients_in_one_message_are_told_apart_by_nobody(city: City, kind: str):
    body = [OBR, "OBX|1|NM|14749-6^葡萄糖^LN||8.4|mmol/L|||||F"] if kind.startswith("ORU") else [PV1]
    answer = await city.send(kind, *([EVN] if kind.startswith("ADT") else []), pid("M1", ZHOU), *body[:1], pid("M2", WU, "吴桂英", "19610708"), *body[1:])
    assert answer == ("AE", "exchange.two-patients", "PID")
    assert await city.untouched()


async def test_swapped_numbers_of_two_patients_in_a_bed_swap_store_neither(city: City):
    """A17 names both, but each under the other's ID number."""
    await city.send("ADT^A01^ADT_A01", EVN, pid("M1", ZHOU), PV1)
    answer = await city.send(
        "ADT^A17^ADT_A17", EVN, pid("M1", WU), PV1.replace("305^2", "306^1"), pid("M2", ZHOU, "吴桂英", "19610708"), PV1.replace("||V1", "||V2")
    )
    assert answer[:2] == ("AE", "exchange.two-residents")
    [visit] = (await city.handle.search("Encounter", "")).resources
    assert [one["location"]["display"] for one in visit["location"]] == ["W3 305 2"]


async def merge(city: City, kept: str, gone: str) -> tuple[str, str, str]:
    return await city.send("ADT^A40^ADT_A39", EVN, pid(kept, "", *NAMES[kept]), f"MRG|{gone}^^^H&1.2.3&ISO^MR")


NAMES = {"M1": ("周秀兰", "19560304"), "M7": ("周秀兰", "19560304"), "M8": ("周秀兰", "19560304"), "M2": ("吴桂英", "19610708")}


async def test_merging_the_already_merged_and_merging_in_a_ring_end_with_one(city: City):
    for number in ("M7", "M8"):
        await city.send("ADT^A28^ADT_A05", EVN, pid(number))
    for kept, gone in (("M1", "M7"), ("M1", "M7"), ("M7", "M8"), ("M8", "M1"), ("M7", "M1")):
        answer = await merge(city, kept, gone)
        assert answer[0] == "AA" or answer[1] == "exchange.merge-itself", answer
    people = await city.people()
    active = [one for one in people if one.get("active")]
    wu = next(one for one in city.before if "吴桂英" in json.dumps(one, ensure_ascii=False))
    assert wu in people
    assert len(active) == 2, "Wu, and one Zhou"
    [zhou] = [one for one in active if one["id"] != wu["id"]]
    # Whoever follows replaced-by arrives at her, from each, and never goes in circles.
    for one in people:
        seen: list[str] = []
        while not one.get("active"):
            assert one["id"] not in seen
            seen.append(one["id"])
            target = next(link["other"]["reference"] for link in one["link"] if link["type"] == "replaced-by")
            one = next(other for other in people if target.endswith(other["id"]))  # noqa: PLW2901 - following the links is the point
        assert one["id"] in {zhou["id"], wu["id"]}
    await city.send("ORU^R01^ORU_R01", pid("M8"), OBR, "OBX|1|NM|14749-6^葡萄糖^LN||8.4|mmol/L|||||F")
    [told] = (await city.handle.search("Observation", "")).resources
    assert told["subject"]["reference"] == f"Patient/{zhou['id']}"


async def test_a_merge_of_two_people_with_two_id_numbers_is_refused(city: City):
    answer = await city.send("ADT^A40^ADT_A39", EVN, pid("M1", ZHOU), "MRG|M2^^^H&1.2.3&ISO^MR")
    assert answer[:2] == ("AE", "exchange.another-number")
    assert await city.untouched()


async def test_two_senders_racing_on_one_new_resident_make_one_person(city: City):
    number = check("99012119770707001")
    intake = Intake(city.services.database, city.services.gate, city.services.keys)
    bodies = [
        "\r".join([MSH.format(kind="ADT^A28^ADT_A05", control="race").replace("|BI1|", f"|RC{n}|"), EVN, pid(f"N{n}", number, "孙一", "19770707", "M")]).encode()
        for n in range(4)
    ]
    answers = await asyncio.gather(*(intake.receive(body) for body in bodies))
    assert all(b"MSA|AA" in answer for answer in answers)
    patients = [str(one["id"]) for one in (await city.handle.search("Patient", [("identifier", number)])).resources]
    assert len(patients) == 4
    assert {len(await identities(city.handle, one)) for one in patients} == {4}
    persons = (await city.handle.search("Person", [("_count", "50")])).resources
    assert len([one for one in persons if any(patients[0] in link["target"]["reference"] for link in one.get("link", []))]) == 1


async def test_a_pdf_of_ten_megabytes_is_kept_to_the_last_byte(city: City):
    content = b"%PDF-1.4\n" + bytes(range(256)) * 40_960 + b"\n%%EOF"
    assert len(content) > 10 << 20
    data = base64.b64encode(content).decode()
    answer = await city.send("ORU^R01^ORU_R01", pid("M1", ZHOU), OBR, f"OBX|1|ED|PDF^报告^99LIS||^application^pdf^Base64^{data}||||||F")
    assert answer[0] == "AA", answer
    [kept] = (await city.handle.search("DocumentReference", "")).resources
    assert base64.b64decode(kept["content"][0]["attachment"]["data"]) == content
    assert await city.untouched()


async def test_a_message_beyond_the_limit_says_so_and_is_kept_with_its_beginning(city: City):
    segment = "OBX|1|ED|PDF^报告^99LIS||^application^pdf^Base64^" + "A" * (city.services.settings.mllp_max_bytes + 1000) + "||||||F"
    assert (await city.send("ORU^R01^ORU_R01", pid("M1", ZHOU), OBR, segment))[:2] == ("AR", "exchange.too-large")
    assert await city.states() == {"stored": 2, "quarantined": 1}
    assert (await city.send("ADT^A08^ADT_A01", EVN, pid("M1", ZHOU), PV1))[0] == "AA", "the connection lives"


ENTITIES = {
    "laughs": (b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>', b"&b;"),
    "file": (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', b"&a;"),
    "web": (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">', b""),
    "parameter": (b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:1/x"> %a;]>', b""),
}


@pytest.mark.parametrize("name", ENTITIES)
async def test_entities_in_a_document_are_refused_by_every_door(city: City, api: httpx.AsyncClient, name: str):
    doctype, inside = ENTITIES[name]
    body = document(DIAGNOSES).replace(b"<ClinicalDocument", doctype + b"<ClinicalDocument", 1).replace("原发性高血压".encode(), inside or b"x", 1)
    answer = await api.post("/exchange/cda", content=body, headers={"Content-Type": "application/xml"})
    assert (answer.status_code, reason(answer)[0]) == (400, "exchange.xml-doctype"), answer.text
    assert "root:" not in answer.text
    data = base64.b64encode(body).decode()
    txa = "TXA|1|DS^出院小结||||20260305090000+0800||||||D2|||||AU"
    told = await city.send("MDM^T02^MDM_T02", EVN, pid("M1", ZHOU), txa, f"OBX|1|ED|34133-9^小结^LN||^TEXT^XML^Base64^{data}||||||F")
    assert told[:2] == ("AR", "exchange.xml-doctype")
    assert await city.untouched()
    assert (await city.handle.search("DocumentReference", "")).resources == []


SHEETS = {
    "bomb": (zip_of({"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": BOMB}), "exchange.sheet-bomb"),
    "entities": (zip_with(BOOK, **{"xl__sharedStrings.xml": DOCTYPE}), "exchange.sheet-entities"),
    "shifted": (csv_of(HEADER, *([["1956-03-04", "周秀兰", "女", "13900000001", ZHOU, "140", "90", "2026-03-01"]] * 3)), "exchange.sheet-slipped"),
}


@pytest.mark.parametrize("name", SHEETS)
async def test_a_hostile_sheet_is_refused_whole(city: City, api: httpx.AsyncClient, name: str):
    body, key = SHEETS[name]
    answer = await send(api, body, "BI3", "followup")
    assert (answer.status_code, reason(answer)[0]) == (400, key), answer.text
    assert await city.untouched()
    assert (await city.states())["quarantined"] == 1


async def test_a_watched_folder_refuses_as_the_other_doors_do(city: City, tmp_path: Path):
    for name, (body, _) in SHEETS.items():
        path = tmp_path / f"BI4_followup_{name}.{'csv' if name == 'shifted' else 'xlsx'}"
        path.write_bytes(body)
        os.utime(path, (1, 1))
    assert await Folder(tmp_path, Intake(city.services.database, city.services.gate, city.services.keys)).look() == len(SHEETS)
    async with city.services.database.connection() as connection:
        latest = await queries.latest(connection, state="quarantined")
    assert {one.reason.key for one in latest if one.reason} == {key for _, key in SHEETS.values()}
    assert await city.untouched()


async def test_formulas_in_cells_are_held_and_the_good_rows_stored(city: City, api: httpx.AsyncClient):
    rows = [
        ['=HYPERLINK("http://x")', "女", "1956-03-04", ZHOU, "13900000001", "2026-03-01", 140, 90],
        ["李大山", "男", "1960-05-06", check("99012119600506001"), "=1+1", "2026-03-01", 150, 95],
        ["王五", "男", "1962-05-06", check("99012119620506001"), "13900000003", "2026-03-01", "=SUM(A1:A9)", 95],
        ["赵六", "男", "1964-05-06", check("99012119640506001"), "13900000004", "2026-03-01", 130, 85],
    ]
    answer = await send(api, workbook_of(HEADER, *rows), "BI5", "followup")
    assert answer.status_code == 422
    listed = await api.get(f"/exchange/tables/{answer.headers['x-message']}/held.csv")
    assert listed.text.count("\n") >= 4
    people = await city.people()
    names = {one["name"][0]["text"] for one in people}
    assert names == {"周秀兰", "吴桂英", "赵六"}
    assert all(one in people for one in city.before)


async def test_a_row_that_slipped_is_held_and_touches_nobody(city: City, api: httpx.AsyncClient):
    good = ["赵六", "男", "1964-05-06", check("99012119640506001"), "13900000004", "2026-03-01", "130", "85"]
    slipped = ["钱七", "", "男", "1964-05-06", ZHOU, "13900000009", "2026-03-01", "130", "85"]
    answer = await send(api, csv_of(HEADER, good, slipped, [*good[:3], check("99012119640506013"), *good[4:]]), "BI6", "followup")
    assert answer.status_code == 422
    people = await city.people()
    assert all(one in people for one in city.before)
    assert "钱七" not in json.dumps(people, ensure_ascii=False)
