"""Rules: dated contents, a region's override, and faults that name the file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from kangyun.app.services import open_services
from kangyun.base import rules
from kangyun.base.database import Database
from kangyun.base.rules import RuleError
from kangyun.base.settings import Settings

RULE = """
rule: demo_room.limit
title: {zh: 上限, en: Upper limit}
source: [{title: "An edition, a clause"}]
certainty: default
in_force: [{from: 2019-01-01, to: 2023-12-31, value: 140}, {from: 2024-01-01}]
value: 130
unit: "mm[Hg]"
extra: {note: kept}
examples: [{given: 131, expect: high}]
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of its own with one rule; returns the rule's file."""
    file = tmp_path / "demo_house" / "demo_room" / "rules" / "limit.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(RULE, "utf-8")
    for folder in (tmp_path / "demo_house", tmp_path / "demo_house" / "demo_room"):
        (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield file
    rules.use_region(None)
    for name in [name for name in sys.modules if name.startswith("demo_house")]:
        del sys.modules[name]


PACKAGE = "demo_house.demo_room"


@pytest.mark.usefixtures("room")
def test_it_gives_the_contents_in_force_on_the_date() -> None:
    assert rules.load(PACKAGE, "limit.yaml", on=date(2023, 12, 31)).value == 140
    now = rules.load(PACKAGE, "limit.yaml")
    assert (now.value, now.unit, now.since, now.until) == (130, "mm[Hg]", date(2024, 1, 1), None)
    assert now.body["extra"] == {"note": "kept"}
    assert now.examples[0].expect == "high"


@pytest.mark.usefixtures("room")
def test_it_refuses_a_date_before_the_rule() -> None:
    with pytest.raises(RuleError, match="not in force on 2018-01-01"):
        rules.load(PACKAGE, "limit.yaml", on=date(2018, 1, 1))


@pytest.mark.usefixtures("room")
def test_a_regions_file_of_the_same_name_wins(tmp_path: Path) -> None:
    assert not rules.load(PACKAGE, "limit.yaml").regional
    region = tmp_path / "regions" / "rules"
    theirs = region / rules.override_path(PACKAGE, "limit.yaml")
    theirs.parent.mkdir(parents=True)
    theirs.write_text(RULE.replace("value: 130", "value: 125"), "utf-8")
    rules.use_region(region)
    rule = rules.load(PACKAGE, "limit.yaml")
    assert (rule.value, rule.regional) == (125, True)


async def test_the_platform_uses_the_rules_of_its_region(database: Database, tmp_path: Path) -> None:
    package, name = "kangyun.commons.access", "keepers.yaml"
    theirs = tmp_path / "east" / "rules" / rules.override_path(package, name)
    theirs.parent.mkdir(parents=True)
    theirs.write_text(rules.load(package, name).file.read_text("utf-8"), "utf-8")
    services = await open_services(
        Settings(database_url=database.dsn, region_rules=str(tmp_path), region="east", database_pool=2),
    )
    assert rules.load(package, name).regional
    await services.close()
    rules.use_region(None)


@pytest.mark.usefixtures("room")
def test_it_lists_a_rooms_rules() -> None:
    assert rules.names(PACKAGE) == ["limit.yaml"]


@pytest.mark.parametrize(("old", "new", "fault"), [
    ("certainty: default", "certainty: sure", "certainty is one of checked, memory, default"),
    ("{zh: 上限, en: Upper limit}", "{en: Upper limit}", "the title needs zh and en"),
    ('source: [{title: "An edition, a clause"}]', "source: []", "lacks source"),
    ("value: 130", "number: 130", "needs one of value, table, map"),
    ("{given: 131, expect: high}", "{given: 131}", "every example has given and expect"),
    ("{from: 2024-01-01}", "{from: tomorrow}", "in_force has dates"),
    ("to: 2023-12-31", "to: 2018-12-31", "ends before it begins"),
    ("rule: demo_room.limit", "rule: [", "limit.yaml"),
    (RULE, "- a list", "a rule is a mapping"),
])
def test_it_names_the_fault_of_a_misshapen_rule(room: Path, old: str, new: str, fault: str) -> None:
    room.write_text(RULE.replace(old, new), "utf-8")
    with pytest.raises(RuleError, match=fault):
        rules.load(PACKAGE, "limit.yaml")


@pytest.mark.usefixtures("room")
def test_it_names_a_missing_rule() -> None:
    with pytest.raises(RuleError, match="no such rule"):
        rules.load(PACKAGE, "other.yaml")
