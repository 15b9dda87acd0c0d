"""The small grammar of search values: separators, escapes and prefixes (R4 search, 3.1.1.4.5 and 3.1.1.4.6)."""

from __future__ import annotations

import re

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_PREFIX = re.compile("(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_PIECE = re.compile(r"\\.|.|\\$", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def split(text: str, separator: str) -> list[str]:
    """Cut at separators that no backslash escapes; the escapes stay for the next step."""
    if separator not in text:
        return [text]
    if "\\" not in text:
        return text.split(separator)
    parts = [""]
    for piece in _PIECE.findall(text):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def unescape(text: str) -> str:
    r"""Undo `\,` `\|` `\$` and `\\`."""
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def prefix(text: str) -> tuple[str, str]:
    """The prefix (`eq` when there is none) and the rest."""
    found = _PREFIX.fullmatch(text)
    return (found[1] or "eq", found[2]) if found else ("eq", text)
