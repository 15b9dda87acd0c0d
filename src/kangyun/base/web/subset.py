"""Keeps of a large style sheet only the rules whose classes some template or script of ours uses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kangyun.base.web.places import static_folders, template_folders

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_KEPT_WHOLE = ("@keyframes", "@font-face", "@property", "@charset")


def subset(sheet: str, words: frozenset[str]) -> str:
    """Drop each rule none of whose selectors can match when only the classes in ``words`` occur."""
    return "".join(_kept(_COMMENT.sub("", sheet), words))


def _kept(sheet: str, words: frozenset[str]) -> Iterator[str]:
    for head, body in _blocks(sheet):
        if head.startswith(_KEPT_WHOLE):
            yield f"{head}{{{body}}}"
        elif head.startswith("@"):
            inner = "".join(_kept(body, words))
            if inner:
                yield f"{head}{{{inner}}}"
        else:
            selectors = [one for one in _selectors(head) if words.issuperset(_CLASS.findall(one))]
            if selectors:
                yield f"{','.join(selectors)}{{{body}}}"


def _blocks(sheet: str) -> Iterator[tuple[str, str]]:
    position = 0
    while (start := sheet.find("{", position)) >= 0:
        end = _closing(sheet, start)
        yield sheet[position:start].rsplit(";", 1)[-1].strip(), sheet[start + 1 : end]
        position = end + 1


def _closing(sheet: str, start: int) -> int:
    depth = 0
    for mark in re.compile(r"[{}]").finditer(sheet, start):
        depth += 1 if mark.group() == "{" else -1
        if depth == 0:
            return mark.start()
    return len(sheet)


def _selectors(head: str) -> list[str]:
    """Split at the commas outside of parentheses, so that ``:not(.a,.b)`` stays whole."""
    return re.split(r",(?![^(]*\))", head)


def words_of_templates() -> frozenset[str]:
    """Collect every word of every template and of every script of ours: any of them may be a class."""
    words: set[str] = set()
    for folder in template_folders().values():
        for path in folder.rglob("*.html"):
            words.update(_WORD.findall(path.read_text("utf-8")))
    for folder in static_folders().values():
        for path in folder.glob("*.js"):
            words.update(_WORD.findall(path.read_text("utf-8")))
    return frozenset(words)


def subset_for_templates(sheet: str) -> str:
    """Reduce ``sheet`` to what the templates of all rooms use, in a layer that our own rules always overrule."""
    return f"@layer tabler{{{subset(sheet, words_of_templates())}}}"
