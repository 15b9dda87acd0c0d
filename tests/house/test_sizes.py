"""Files and functions stay small enough to be read in one sitting."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

from tests.house.house import ROOT, assert_kept, copy_of_the_house, is_test, plant, python_files

FILE_LINES = 500
FUNCTION_LINES = 60
MEDIAN_FUNCTION_LINES = 9


def size_faults(*roots: Path) -> list[str]:
    """Files and functions over their caps."""
    found: list[str] = []
    for path in python_files(*roots):
        text = path.read_text("utf-8")
        if text.count("\n") > FILE_LINES:
            found.append(f"{path.name} has {text.count(chr(10))} lines; the cap is {FILE_LINES}")
        if not is_test(path):
            found += [
                f"{path.name}:{node.lineno} {node.name} has {_length(node)} lines; the cap is {FUNCTION_LINES}"
                for node in _functions(text)
                if _length(node) > FUNCTION_LINES
            ]
    return found


def _functions(text: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_and_functions_stay_under_their_caps() -> None:
    assert_kept(size_faults(ROOT / "src", ROOT / "tests", ROOT / "tools"))


def test_the_median_function_is_short() -> None:
    files = (path for path in python_files(ROOT / "src") if not is_test(path))
    lengths = [_length(node) for path in files for node in _functions(path.read_text("utf-8"))]
    assert median(lengths) <= MEDIAN_FUNCTION_LINES


def test_the_caps_catch_what_they_forbid(tmp_path: Path) -> None:
    source = copy_of_the_house(tmp_path)
    plant(source, "commons/access/long.py", "A = 1\n" * 501)
    plant(source, "commons/access/wide.py", "def wide() -> None:\n" + "    print()\n" * 60)
    found = size_faults(source)
    assert any(fault.startswith("long.py has 50") for fault in found)
    assert any("wide has 61 lines" in fault for fault in found)
