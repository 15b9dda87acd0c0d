"""Regular expressions of ours take no endless time, whatever somebody sends (catastrophic backtracking)."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.house import ROOT

SHORT, LENGTH = 500, 1_500
SUSPICIOUS, MOST_SECONDS = 0.01, 0.7
_CALLS = {"compile", "fullmatch", "match", "search", "sub", "subn", "split", "findall", "finditer"}
# What patterns are about: letters, digits, blanks, signs, and beginnings that keep a pattern hoping until the end.
UNITS = ["a", "A", "0", " ", "-", ".", "/", ":", ",", "|", "\\", "_", "=", "&", "%", "<", "{", "(", "[", "'", '"', "\n", "\t", "中", "a0", "a.", "0.", "a-", "a ", " a", "0:", "a=", "<a", "<!--", "a,", "%41", "://", "A_", "..", "ab|", "\\\\", "T0", "+0", "{a"]
STARTS = ["", "a", "0", "<", "http://", "2020-01-01T", "{"]
ENDS = ["!", "\x00", "\n"]


def patterns() -> list[tuple[str, str]]:
    """Every pattern that stands as a text in the package, with its file and line."""
    paths = (path for path in (ROOT / "src" / "kangyun").rglob("*.py") if "tests" not in path.parts)
    return sorted({found for path in paths for found in _of(path)})


def _of(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS and node.args):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and isinstance(node.args[0], ast.Constant):
            text = node.args[0].value
            if isinstance(text, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def slowest(pattern: str) -> tuple[float, str]:
    """The longest time that one adversary takes, and which it was; only who is slow already with a short text gets a long one."""
    compiled, worst = re.compile(pattern), (0.0, "")
    for unit in UNITS:
        for start in STARTS:
            if _seconds(compiled, start, unit, SHORT) > SUSPICIOUS:
                worst = max(worst, (_seconds(compiled, start, unit, LENGTH), f"{start!r} + {unit!r} * n"))
            if worst[0] > MOST_SECONDS:
                return worst
    return worst


def _seconds(compiled: re.Pattern[str], start: str, unit: str, length: int) -> float:
    text = start + unit * (length // len(unit)) + ENDS[len(unit) % len(ENDS)]
    began = time.process_time()
    compiled.fullmatch(text)
    compiled.search(text)
    return time.process_time() - began


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_pattern_can_be_kept_busy() -> None:
    found = {}
    for place, pattern in patterns():
        if re.search(r"[*+}]", pattern):
            seconds, adversary = slowest(pattern)
            if seconds > MOST_SECONDS:
                found[place] = (pattern, adversary, round(seconds, 1))
    assert found == {}


def test_the_look_at_a_pattern_finds_what_it_is_there_for() -> None:
    assert len(patterns()) > 50
    assert slowest(r"\s*\s*x")[0] > MOST_SECONDS
