"""Proof that both languages are complete: every text a template or module asks for exists, none is forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kangyun.base.web.places import SOURCE, template_folders
from kangyun.base.web.texts import phrases, text_problems

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_ASKED = re.compile(r"""\b_\(\s*(["'])(?P<key>[a-z][\w.-]*)\1(?P<joined>\s*~)?""")
# Functions that are given a key, and where it stands among their arguments.
_FUNCTIONS = {name: slice(2) for name in ("message", "translate", "MenuEntry", "FieldError", "Unreadable")} | {"tell": slice(2, 3)}


def catalogue_problems() -> list[str]:
    """List every fault of the page texts in both languages; empty when complete.

    A key is asked for by ``_("room.key")`` in a template, or by ``message("room.key")`` in Python. A key built as
    ``_("room.kind." ~ value)`` asks for the whole family ``room.kind.``.
    """
    asked = {key for key, _ in _all_asked()}
    missing = [f"{key}: asked for in {place}, but no text" for key, place in sorted(_all_asked()) if not _exists(key)]
    unused = [f"{key}: nobody asks for it" for key in phrases() if not _is_asked(key, asked)]
    return text_problems() + missing + unused + list(_untranslated())


def _exists(key: str) -> bool:
    keys = phrases()
    return any(one.startswith(key) for one in keys) if key.endswith(".") else key in keys


def _is_asked(key: str, asked: set[str]) -> bool:
    return key in asked or any(one.endswith(".") and key.startswith(one) for one in asked)


def _all_asked() -> Iterator[tuple[str, str]]:
    for folder in template_folders().values():
        for path in folder.rglob("*.html"):
            for match in _ASKED.finditer(path.read_text("utf-8")):
                yield match["key"], path.name
    for path in SOURCE.rglob("*.py"):
        if "tests" not in path.parts:
            yield from ((key, path.name) for key in _asked_in_module(path))


def _asked_in_module(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    if not any(f"{name}(" in text for name in _FUNCTIONS):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and _called(node.func) in _FUNCTIONS:
            arguments = [*node.args[_FUNCTIONS[_called(node.func)]], *(keyword.value for keyword in node.keywords if keyword.arg != "permission")]
            yield from (key for argument in arguments if "." in (key := _beginning(argument)))


def _beginning(argument: ast.expr) -> str:
    """Return a literal key, or the constant beginning of a composed one (``f"room.kind.{kind}"``)."""
    if isinstance(argument, ast.JoinedStr) and argument.values:
        return _beginning(argument.values[0])
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else ""


def _called(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""


def _untranslated() -> Iterator[str]:
    """Chinese written straight into a template would stay Chinese on the English page."""
    for folder in template_folders().values():
        for path in folder.rglob("*.html"):
            bare = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)
            if _CHINESE.search(bare):
                yield f"{path.name}: Chinese text outside of the text files"
