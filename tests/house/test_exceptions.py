"""An exception to a rule is written where it is made, with its reason."""

from __future__ import annotations

import re
from pathlib import Path

from tests.house.house import ROOT, assert_kept, is_test, python_files

SUPPRESSED = re.compile(r"# (?:noqa(?::\s*(?P<noqa>[A-Z0-9, ]+))?|(?:pyright|type): ignore(?:\[(?P<type>[\w-]+)\])?)(?P<rest>.*)$", re.MULTILINE)


def reason_faults(*roots: Path) -> list[str]:
    """Suppressions without a rule's name, or whose rule is nowhere in the file given a reason."""
    found: list[str] = []
    for path in python_files(*roots):
        if is_test(path):
            continue
        matches = list(SUPPRESSED.finditer(path.read_text("utf-8")))
        reasoned = {_rule(match) for match in matches if match["rest"].strip(" -")}
        found += [f"{path.name}: {match[0]}" for match in matches if not _rule(match) or _rule(match) not in reasoned]
    return found


def _rule(match: re.Match[str]) -> str:
    return (match["noqa"] or match["type"] or "").strip()


def test_every_suppressed_warning_names_its_rule_and_a_reason() -> None:
    assert_kept(reason_faults(ROOT / "src", ROOT / "tools"))


def test_a_suppression_without_a_reason_is_caught(tmp_path: Path) -> None:
    mark = "no" + "qa"
    (tmp_path / "code.py").write_text(
        f"a = 1  # {mark}\nb = 2  # {mark}: E501\nc = 3  # {mark}: S311 - spreading, not secrecy\nd = 4  # {mark}: S311\n",
    )
    assert len(reason_faults(tmp_path)) == 2
