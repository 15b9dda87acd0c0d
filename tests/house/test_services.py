"""The table of the 18 services of WS/T 790 is complete, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.house import ROOT, assert_kept

PAGE = ROOT / "docs" / "how-to" / "wst790.md"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/.]+\.py)::(test_\w+)`")


def service_faults(page: str, root: Path) -> list[str]:
    """Parts that the table leaves out, and rows that name no test that exists and do not say `not yet`."""
    rows = {int(part): shown for part, _, _, shown in ROW.findall(page)}
    found = [f"part {part} is not in the table" for part in range(1, 19) if part not in rows]
    for part, shown in rows.items():
        named = TEST.search(shown)
        if named is None and not shown.startswith("not yet: "):
            found.append(f"part {part} names no test and does not say why")
        elif named is not None and named[2] not in _tests(root / named[1]):
            found.append(f"part {part}: there is no {named[1]}::{named[2]}")
    return found


def _tests(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_service_is_shown_by_a_test_or_said_to_be_missing() -> None:
    assert_kept(service_faults(PAGE.read_text("utf-8"), ROOT))


def test_a_missing_part_and_a_test_that_is_not_there_are_caught() -> None:
    page = PAGE.read_text("utf-8")
    assert service_faults(page.replace("| 7 |", "| 77 |"), ROOT) == ["part 7 is not in the table"]
    found = service_faults(page.replace("test_terms_are_registered_and_found", "test_nothing"), ROOT)
    assert found == ["part 9: there is no tests/conformance/test_wst790.py::test_nothing"]
    assert service_faults(page.replace("not yet: contracting", "contracting"), ROOT) == ["part 17 names no test and does not say why"]
