"""Everything public is documented, and what is documented is true: references fresh, links alive.

The examples of README and tutorial are run by tests/journeys/test_first_message.py.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

from tools import reference

from kangyun.base import settings
from tests.house.house import ROOT, SOURCE, assert_kept, committed_files, is_test, plant, python_files

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)


def markdown() -> list[Path]:
    """All committed markdown files."""
    return [path for path in committed_files() if path.suffix == ".md"]


def dead_links(files: list[Path]) -> list[str]:
    """Links to files or headings that are not there; addresses of the web are not tried."""
    found: list[str] = []
    for path in files:
        for match in LINK.finditer(FENCE.sub("", path.read_text("utf-8"))):
            target, _, heading = (match[1] or match[2]).partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            aim = (path.parent / target).resolve() if target else path
            if not aim.exists() or (heading and heading not in _anchors(aim)):
                found.append(f"{path.name}: {match[1] or match[2]}")
    return found


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def undocumented(source: Path) -> list[str]:
    """Modules, and public classes and functions in them, without a docstring."""
    found: list[str] = []
    for path in python_files(source):
        if is_test(path):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        name = path.relative_to(source).as_posix()
        if not ast.get_docstring(tree) and tree.body:
            found.append(name)
        found += [
            f"{name}:{node.lineno} {node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    return found


def test_the_generated_reference_is_fresh() -> None:
    assert reference.stale_pages() == [], "run `make map`"


def test_links_lead_somewhere() -> None:
    assert_kept(dead_links(markdown()))


def test_everything_public_says_what_it_is() -> None:
    assert_kept(undocumented(ROOT / "src"))


def test_every_command_setting_metric_and_job_has_a_meaning() -> None:
    pages = reference.pages()
    for name in ("settings.md", "metrics.md", "jobs.md", "routes.md"):
        empty = [line for line in pages[name].splitlines() if re.search(r"\|\s*\|\s*$", line)]
        assert empty == [], f"{name} has rows without a meaning"


def test_every_setting_is_read_somewhere() -> None:
    code = "\n".join(path.read_text("utf-8") for path in python_files(SOURCE) if not is_test(path))
    assert_kept(name for name, *_ in settings.reference() if not re.search(rf"\.{name}\b", code))


def test_the_readme_has_its_two_commands_and_no_third_way_to_install() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text("utf-8")
        assert "make demo" in text
        assert "make test" in text
        assert "pip install" not in text


def test_a_dead_link_and_a_silent_function_are_caught(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One head\n[a](gone.md) [b](page.md#one-head) [c](page.md#two) [d](https://example.org/x)\n")
    assert dead_links([page]) == ["page.md: gone.md", "page.md: page.md#two"]
    plant(tmp_path, "room/code.py", '"""A module."""\n\ndef silent() -> None: ...')
    assert [fault.split()[-1] for fault in undocumented(tmp_path / "kangyun")] == ["silent"]


def test_git_ignores_what_is_made_and_nothing_that_is_written() -> None:
    ignored = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )
    assert ignored.stdout == ""
    assert not any("__pycache__" in path.parts for path in committed_files())
    assert SOURCE.exists()
