"""Every rule is dated, sourced and worked out: its examples are the tests collected here."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kangyun.base import rules
from kangyun.base.rules import Example, Rule
from tests.house.house import ROOT, SOURCE

REGIONS = ROOT / "deploy" / "regions"


def built_in() -> Iterator[tuple[str, Path]]:
    """The room and the file of every rule in the package."""
    for path in sorted(SOURCE.rglob("rules/**/*.yaml")):
        yield _package(path), path


def regional() -> Iterator[tuple[str, Path]]:
    """The room and the file of every rule that a region overrides."""
    for path in sorted(REGIONS.glob("*/rules/**/*.yaml")):
        parts = path.relative_to(REGIONS).parts[2:]
        yield f"kangyun.{parts[0]}.{parts[1]}", path


def _package(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).parts
    return ".".join(parts[: len(parts) - 1 - parts[::-1].index("rules")])


ALL = [*built_in(), *regional()]
EXAMPLES = [
    pytest.param(package, path, number, id=f"{path.relative_to(ROOT).as_posix()}#{number}")
    for package, path in ALL
    for number in range(len(rules.read(path).examples))
]


def judge_of(package: str, rule: Rule) -> Callable[[Rule, Any], Any]:
    """The callable that works out an example: the one a rule names, else check_example of the room's decisions."""
    module, _, name = (rule.judge or f"{package}.decisions:check_example").partition(":")
    return getattr(importlib.import_module(module), name)


def verdict_fault(package: str, rule: Rule, example: Example) -> str | None:
    """How the verdict differs from what the example expects."""
    verdict = judge_of(package, rule)(rule, example.given)
    return None if verdict == example.expect else f"{rule.id}: {example.given} gives {verdict}, not {example.expect}"


@pytest.mark.parametrize(("package", "path", "number"), EXAMPLES)
def test_an_example_comes_out_as_written(package: str, path: Path, number: int) -> None:
    rule = rules.read(path)
    assert verdict_fault(package, rule, rule.examples[number]) is None


@pytest.mark.parametrize(("package", "path"), ALL, ids=[path.relative_to(ROOT).as_posix() for _, path in ALL])
def test_a_rule_is_called_after_its_place_and_names_its_sources(package: str, path: Path) -> None:
    rule = rules.read(path)
    room = package.rsplit(".", 1)[-1]
    inside = path.as_posix().rsplit("/rules/", 1)[1].removesuffix(".yaml").replace("/", ".")
    assert rule.id.lower().endswith(inside.lower().rsplit(".", 1)[-1]), "the last word of a rule's id is its file's name"
    assert room in rule.id.split("."), "a rule's id names its room"
    assert all(source["title"].strip() for source in rule.source)


def test_no_two_rules_share_an_id() -> None:
    ids = [rules.read(path).id for _, path in built_in()]
    assert sorted(ids) == sorted(set(ids))


def test_a_wrong_example_is_caught() -> None:
    package, path = next(built_in())
    rule = rules.read(path)
    assert verdict_fault(package, rule, Example(rule.examples[0].given, "certainly not this")) is not None
