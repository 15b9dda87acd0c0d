"""A region: its places, its people, and what it writes."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import zipfile
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from lxml import etree

from yunzhou import cli, demography, households, institutions, people, places, region, sheets
from yunzhou.city import City, window
from yunzhou.households import Household
from yunzhou.people import Person
from yunzhou.plans import CHINA

UNTIL = datetime(2026, 1, 1, tzinfo=CHINA)
START = date(2021, 1, 1)
CITY = City(5, 240, window(1, UNTIL))


@pytest.fixture(scope="module")
def living() -> list[tuple[Household, Person]]:
    """Six thousand people."""
    return [(home, person) for home in households.of_city(3, places.region(6000)) for person in home.born(START)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("region")
    region.write(CITY, folder, 1, lambda *_: None)
    return folder


def test_a_city_of_a_million_has_the_blueprints_institutions() -> None:
    levels = Counter(institutions.institution(key).level for key in institutions.keys(places.region(1_000_000)))
    assert levels == {"city": 2, "county": 5, "township": 29, "clinic": 668}


def test_a_region_may_have_four_thousand_institutions() -> None:
    wide = places.region(1_000_000, 3866)
    keys = institutions.keys(wide)
    assert len(keys) == 3866 + 97 + 5 + 2
    assert len({institutions.institution(key).name for key in keys}) == len(keys)
    assert len({place.code for place in wide.settlements}) == len(wide.settlements)


def test_division_codes_have_twelve_digits_from_99() -> None:
    for place in places.region(100_000).settlements:
        assert len(place.code) == 12
        assert place.code.isdigit()
        assert place.code.startswith(f"{place.area.code}")
        assert place.code.startswith("99")


def test_the_city_has_the_people_that_were_asked_for(living: list[tuple[Household, Person]]) -> None:
    assert 5990 <= len(living) <= 6000


def test_ages_and_sexes_are_those_of_the_pyramid(living: list[tuple[Household, Person]]) -> None:
    wanted = demography.pyramid().ages
    whole = sum(men + women for men, women in wanted.values())
    found = Counter((min(95, (2020 - person.birth.year) // 5 * 5), person.sex) for _, person in living)
    off = 0.0
    for age, (men, women) in wanted.items():
        for number, sex in ((men, "male"), (women, "female")):
            off += abs(number / whole - found[age, sex] / len(living))
    # Of 40 groups of about 150 people each, chance alone moves about five of a hundred people.
    assert off < 0.12


def test_every_id_number_is_right_and_of_one_person(living: list[tuple[Household, Person]]) -> None:
    numbers = [person.id_number for _, person in living]
    assert all(people.is_valid(number) and number.startswith("99") for number in numbers)
    assert len(set(numbers)) >= len(numbers) - 1


def test_people_die_marry_move_and_change_their_names(living: list[tuple[Household, Person]]) -> None:
    until = date(2026, 1, 1)
    dead = [person for _, person in living if person.death and person.death < until]
    assert 0.004 < len(dead) / len(living) / 5 < 0.014
    assert any(person.wed and person.wed < until for _, person in living)
    assert any(person.renames for _, person in living)
    assert any(len(home.moves) > 1 for home, _ in living)
    assert all(not person.alive(person.death) for person in dead if person.death)


def test_twins_occur_and_some_villagers_share_a_phone(living: list[tuple[Household, Person]]) -> None:
    births = Counter((home.number, person.birth) for home, person in living if person.role == "child")
    assert any(number > 1 for number in births.values())
    assert any(home.one_phone for home, _ in living)


def test_the_bytes_do_not_depend_on_the_number_of_processes(written: Path, tmp_path: Path) -> None:
    region.write(CITY, tmp_path, 2, lambda *_: None)
    names = [path.relative_to(written) for path in sorted(written.rglob("*")) if path.is_file()]
    assert len(names) > 50
    assert names == [path.relative_to(tmp_path) for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert all((written / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_documents_are_well_formed(written: Path) -> None:
    number = 0
    for path in (written / "cda").rglob("*.zip"):
        with zipfile.ZipFile(path) as pack:
            for name in pack.namelist():
                root = etree.fromstring(pack.read(name))
                assert root.tag == "{urn:hl7-org:v3}ClinicalDocument"
                number += 1
    assert number > 3


def test_bundles_are_json(written: Path) -> None:
    lines = [line for path in (written / "fhir").rglob("*.ndjson") for line in path.read_bytes().splitlines()]
    assert len(lines) > 20
    assert {json.loads(line)["type"] for line in lines} == {"transaction"}


def test_every_spreadsheet_can_be_read_and_has_its_columns(written: Path) -> None:
    formats = Counter[str]()
    for path in (written / "sheets").iterdir():
        mnemonic, kind, _ = path.name.split("_", 2)
        form = sheets.layout(int(mnemonic[3:]))
        rows = _workbook(path) if form.format == "xlsx" else _text(path, form)
        assert [str(cell) for cell in rows[form.title] if cell is not None] == list(form.columns[kind])
        assert len(rows) > form.title + 1
        formats[form.format] += 1
    assert set(formats) == {"csv", "tsv", "xlsx"}


def test_a_row_with_a_name_alone_may_be_stored_or_held() -> None:
    clinics = City(1, 400, CITY.window).messages()
    told = [message for sheet in sheets.of(clinics, "1") for message in sheet.messages]
    alone = [message for message in told if message.expected == "either"]
    assert len(alone) > 5
    for message in alone:
        assert sheets.layout(message.institution).format == "xlsx"
        assert "id" not in json.loads(message.body)


def _workbook(path: Path) -> list[list[object]]:
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def _text(path: Path, form: sheets.Layout) -> list[list[str]]:
    text = path.read_bytes().decode(form.encoding)
    return list(csv.reader(io.StringIO(text), delimiter="\t" if form.format == "tsv" else ","))


def test_the_truth_names_every_source_record(written: Path) -> None:
    owner: dict[tuple[str, str], str] = {}
    for path in (written / "truth").iterdir():
        for line in path.read_text("utf-8").splitlines():
            fact = json.loads(line)
            if fact["fact"] == "resident":
                owner.update(dict.fromkeys(map(tuple, fact["records"]), fact["id"]))
    sent = {
        (path.parent.name, line.split("|")[3].split("~")[0].split("^")[0])
        for path in (written / "hl7").rglob("*.hl7")
        for line in path.read_bytes().decode("gb18030" if path.parent.name in {"YZTCM", "YZH04"} else "utf-8").split("\r")
        if line.startswith("PID|1||")
    }
    known = sent & owner.keys()
    assert len(sent) > 50
    assert known == sent
    assert all(number[1:9] == owner[sender, number] for sender, number in known)


def test_memory_does_not_grow_with_the_city() -> None:
    def peak(number: int) -> int:
        tracemalloc.start()
        for settlement in CITY.region.settlements[-number:]:
            CITY.settlement(settlement)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1)
    assert peak(6) < 2.5 * peak(2) + 3_000_000


def test_registrations_hold_the_wanted_share_of_duplicates(tmp_path: Path) -> None:
    out = tmp_path / "r.ndjson"
    assert cli.main(["--population", "2000", "--registrations", str(out), "--processes", "1", "--seed", "4"]) == 0
    records = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    truth = [json.loads(line) for line in Path(f"{out}.truth.ndjson").read_text("utf-8").splitlines()]
    persons = {line["person"] for line in truth}
    assert len(records) == len(truth)
    assert 0.16 < 1 - len(persons) / len(records) < 0.2
    without = [record for record in records if len(record["identifier"]) == 1]
    assert 0.29 < len(without) / len(records) < 0.38
    local = [(one["identifier"][-1]["system"], one["identifier"][-1]["value"]) for one in records]
    assert local == [(line["system"], line["value"]) for line in truth]
    assert len(set(local)) == len(local)
