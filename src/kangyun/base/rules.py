"""Rules: numbers and tables of the outside world, kept as dated, sourced YAML files with worked examples.

A rule is one file `rules/**/<name>.yaml` of a room:

    rule: devices.vital_alarms
    title: {zh: 体征告警, en: Vital-sign alarms}
    source: [{title: "<guideline, edition, clause>", url: "https://..."}]
    certainty: checked          # checked | memory | default
    in_force: [{from: 2024-01-01}]
    table:    [{code: systolic, above: 180, unit: "mm[Hg]", alarm: critical}]
    examples: [{given: {code: systolic, value: 185}, expect: critical}]

`certainty` says how sure we are of the figures: `checked` against the cited text, written from `memory`, or a
`default` of ours where nobody prescribes one. The content is `value` (with `unit`), `table` or `map`; other keys
that a kind of rule needs stand beside them and are read with `rule.body[...]`.

A period of `in_force` may carry contents of its own, which then replace those of the file while it lasts:

    in_force: [{from: 2019-01-01, to: 2023-12-31, value: 140}, {from: 2024-01-01}]
    value: 130

Every example is a test: `decisions.check_example(rule, given)` of the same room must return `expect`; a rule may name
another callable with `judge: "kangyun.floor.room.module:callable"`. The collector is tests/house/test_rules.py.

A region overrides a rule by a file of the same name: `deploy/regions/<code>/rules/<floor>/<room>/<name>` replaces
`src/kangyun/<floor>/<room>/rules/<name>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from kangyun.base import clock

Certainty = Literal["checked", "memory", "default"]

# China keeps one time zone, and a norm comes into force at midnight there.
_CHINA = timezone(timedelta(hours=8))
_CHINA_AHEAD = 8 * 3600
_EPOCH = date(1970, 1, 1)

_CONTENTS = ("value", "table", "map")
_REQUIRED = ("rule", "title", "source", "certainty", "in_force", "examples")

_region: Path | None = None


class RuleError(ValueError):
    """A rule file is missing, misshapen or not in force; the text names the file and the fault."""


@dataclass(frozen=True, slots=True)
class Example:
    """One worked example: what is `given` and the verdict to `expect`."""

    given: Any
    expect: Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it is in force on one date. Shared between callers: treat its contents as read-only."""

    id: str
    title: Mapping[str, str]
    source: tuple[Mapping[str, str], ...]
    certainty: Certainty
    since: date
    until: date | None
    value: Any
    unit: str | None
    table: tuple[Mapping[str, Any], ...]
    map: Mapping[str, Any]
    examples: tuple[Example, ...]
    judge: str | None
    body: Mapping[str, Any]
    file: Path

    @property
    def regional(self) -> bool:
        """Whether a region's own file replaced the built-in one."""
        return _region is not None and self.file.is_relative_to(_region)


def use_region(folder: Path | None) -> None:
    """Let the files of `folder` (deploy/regions/<code>/rules) override the built-in ones; None: built-in only."""
    global _region  # noqa: PLW0603 - one process serves one region, chosen once at the start
    _region = folder
    _read.cache_clear()
    _select.cache_clear()
    exists.cache_clear()
    _names.cache_clear()


def load(package: str, name: str, *, on: date | None = None) -> Rule:
    """The rule `<package>/rules/<name>` as in force `on` a date, default today in China.

    Raises RuleError when the file is missing or misshapen, or when no period covers the date.
    """
    return _select(package, name, on or _day(int(clock.seconds() + _CHINA_AHEAD) // 86_400))


@lru_cache(maxsize=4096)
def exists(package: str, name: str) -> bool:
    """Whether there is such a rule; asked for every message of a sender without a file, so it is looked for once."""
    return any(path.is_file() for path in _paths(package, name))


def read(path: Path, *, on: date | None = None) -> Rule:
    """A rule from a file anywhere, as in force `on` a date; for collectors and editors. Raises RuleError."""
    return _in_force(_parse(path), path, on or clock.now().astimezone(_CHINA).date())


def names(package: str) -> list[str]:
    """The names of all rules of a room, those that only the region has among them, sorted: `load(package, name)` takes each."""
    return list(_names(package))


@cache
def _names(package: str) -> tuple[str, ...]:
    roots = [Path(str(files(package))) / "rules", *([_region / override_path(package, "")] if _region else [])]
    return tuple(sorted({path.relative_to(root).as_posix() for root in roots for path in root.rglob("*.yaml")}))


def override_path(package: str, name: str) -> Path:
    """Where a region's file for this rule stands, relative to its `rules` folder."""
    return Path(*package.split(".")[1:]) / name


@lru_cache(maxsize=8)
def _day(number: int) -> date:
    """The date of a day counted from 1970-01-01."""
    return _EPOCH + timedelta(days=number)


@cache
def _select(package: str, name: str, on: date) -> Rule:
    document, path = _read(package, name)
    return _in_force(document, path, on)


@cache
def _read(package: str, name: str) -> tuple[dict[str, Any], Path]:
    *theirs, own = _paths(package, name)
    path = next((one for one in theirs if one.is_file()), own)
    return _parse(path), path


def _paths(package: str, name: str) -> list[Path]:
    """Where a rule may stand, the region's place first."""
    own = Path(str(files(package))) / "rules" / name
    return [*([_region / override_path(package, name)] if _region else []), own]


def _parse(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise RuleError(f"{path}: no such rule")
    try:
        document = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise RuleError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise RuleError(f"{path}: a rule is a mapping")
    _check(document, path)
    return document


def _check(document: dict[str, Any], path: Path) -> None:
    missing = [key for key in _REQUIRED if not document.get(key)]
    if missing:
        raise RuleError(f"{path}: lacks {', '.join(missing)}")
    if document["certainty"] not in get_args(Certainty):
        raise RuleError(f"{path}: certainty is one of {', '.join(get_args(Certainty))}")
    if not {"zh", "en"} <= set(document["title"]):
        raise RuleError(f"{path}: the title needs zh and en")
    if any("title" not in source for source in document["source"]):
        raise RuleError(f"{path}: every source needs a title")
    if any({"given", "expect"} - set(example) for example in document["examples"]):
        raise RuleError(f"{path}: every example has given and expect")
    for period in document["in_force"]:
        _check_period(document, period, path)


def _check_period(document: dict[str, Any], period: dict[str, Any], path: Path) -> None:
    start, end = period.get("from"), period.get("to")
    if not isinstance(start, date) or not (end is None or isinstance(end, date)):
        raise RuleError(f"{path}: in_force has dates from and to, the latter optional")
    if end is not None and end < start:
        raise RuleError(f"{path}: in_force ends before it begins")
    if not any(key in period or key in document for key in _CONTENTS):
        raise RuleError(f"{path}: needs one of {', '.join(_CONTENTS)}")


def _in_force(document: dict[str, Any], path: Path, on: date) -> Rule:
    for period in document["in_force"]:
        if period["from"] <= on and (period.get("to") is None or on <= period["to"]):
            return _build({**document, **period}, path)
    raise RuleError(f"{path}: not in force on {on.isoformat()}")


def _build(body: dict[str, Any], path: Path) -> Rule:
    return Rule(
        id=body["rule"],
        title=body["title"],
        source=tuple(body["source"]),
        certainty=body["certainty"],
        since=body["from"],
        until=body.get("to"),
        value=body.get("value"),
        unit=body.get("unit"),
        table=tuple(body.get("table") or ()),
        map=body.get("map") or {},
        examples=tuple(Example(example["given"], example["expect"]) for example in body["examples"]),
        judge=body.get("judge"),
        body=body,
        file=path,
    )
