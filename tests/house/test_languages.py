"""Both languages are complete: page texts, error messages, titles of rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from string import Formatter

import yaml

from kangyun.app.rooms import rooms
from kangyun.base import errors, web
from kangyun.base.web.texts import text_problems
from tests.house.house import ROOT, SOURCE, assert_kept, is_test, python_files

BUILDERS = {"refuse": 2, "Issue": 1}
"""The functions that name a message, and the place of its key among their arguments."""


def message_files(source: Path) -> Iterator[Path]:
    """All files of error messages."""
    yield from sorted(source.rglob("locale/errors.yaml"))


def message_faults(source: Path) -> list[str]:
    """Messages that lack a language, or whose languages name different parameters."""
    found: list[str] = []
    for path in message_files(source):
        for key, texts in (yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader) or {}).items():
            if set(texts) != {"zh", "en"} or not all(texts.values()):
                found.append(f"{key}: needs zh and en")
            elif len({frozenset(_parameters(text)) for text in texts.values()}) > 1:
                found.append(f"{key}: the languages name different parameters")
            elif not any("一" <= sign <= "鿿" for sign in texts["zh"]):
                found.append(f"{key}: zh is not Chinese")
    return found


def _parameters(text: str) -> set[str]:
    """The names in braces; a parameter that is itself a text comes once for each language, as text and text_en."""
    return {name.removesuffix("_en") for _, name, _, _ in Formatter().parse(text) if name}


def keys_used(source: Path) -> set[str]:
    """The message keys written in the code, where they are literal."""
    return {key for path in python_files(source) if not is_test(path) for key in _keys_in(path)}


def _keys_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            place = BUILDERS.get(name)
            arguments = node.args[place : place + 1] if place is not None else []
            arguments += [word.value for word in node.keywords if name in BUILDERS and word.arg == "key"]
            for argument in arguments:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


def test_page_texts_are_complete() -> None:
    assert_kept(text_problems())
    assert_kept(web.catalogue_problems())


def test_error_messages_are_complete() -> None:
    assert_kept(message_faults(SOURCE))


def test_every_message_that_the_code_names_exists() -> None:
    known = {key for path in message_files(SOURCE) for key in yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader) or {}}
    assert_kept(keys_used(SOURCE) - known)


def test_every_file_of_messages_is_registered() -> None:
    for room in rooms():
        import_module(room)
    on_disk = {key for path in message_files(SOURCE) for key in yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader) or {}}
    assert_kept(on_disk - errors.messages().keys())


def test_the_readme_speaks_both_languages() -> None:
    english, chinese = (ROOT / "README.md").read_text("utf-8"), (ROOT / "README.zh-CN.md").read_text("utf-8")
    assert english.count("\n## ") == chinese.count("\n## "), "the two READMEs have the same chapters"


def test_a_missing_language_is_caught(tmp_path: Path) -> None:
    file = tmp_path / "room" / "locale" / "errors.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("a: {zh: 甲, en: A}\nb: {zh: 乙}\nc: {zh: '丙{n}', en: C}\nd: {zh: D, en: D}\n", "utf-8")
    assert [fault[0] for fault in message_faults(tmp_path)] == ["b", "c", "d"]
    (tmp_path / "code.py").write_text('raise refuse(404, "not-found", "x.y")\nIssue("invalid", key="z")\n')
    assert keys_used(tmp_path) == {"x.y", "z"}
