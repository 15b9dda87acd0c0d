"""Text of an expression -> tokens, after the lexical part of the grammar in FHIRPath N1, appendix B."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import FhirPathError

TOKEN = re.compile(
    r"""
      (?P<space>    [ \t\r\n]+ | //[^\r\n]* | /\*.*?\*/ )
    | (?P<time>     @T\d\d(:\d\d(:\d\d(\.\d+)?)?)? )
    | (?P<datetime> @\d{4}(-\d\d(-\d\d)?)?T(\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?)? )
    | (?P<date>     @\d{4}(-\d\d(-\d\d)?)? )
    | (?P<number>   \d+(\.\d+)? )
    | (?P<string>   '(\\.|[^'\\])*' )
    | (?P<quoted>   `(\\.|[^`\\])*` )
    | (?P<special>  \$(this|index|total)\b )
    | (?P<word>     [A-Za-z_][A-Za-z0-9_]* )
    | (?P<symbol>   <=|>=|!=|!~|[-+*/&|<>=~.,()\[\]{}%] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)

ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
ESCAPED = {"'": "'", '"': '"', "`": "`", "\\": "\\", "/": "/", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is a group name of TOKEN, or "end"; ``text`` has quotes and escapes removed."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> Iterator[Token]:
    """All tokens without white space and comments, then one of kind "end"; raises FhirPathError."""
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise FhirPathError(f"unexpected character {text[position]!r}", position)
        # The groups inside the alternatives close earlier, so the last one is always the named one.
        kind = match.lastgroup or ""
        if text.startswith("/*", position) and kind != "space":
            raise FhirPathError("comment is not closed", position)
        if kind != "space":
            yield Token(kind, _content(kind, match.group(), position), position)
        position = match.end()
    yield Token("end", "", len(text))


def _content(kind: str, raw: str, position: int) -> str:
    if kind in {"string", "quoted"}:
        return ESCAPE.sub(lambda found: _unescape(found, position), raw[1:-1])
    return raw


def _unescape(found: re.Match[str], position: int) -> str:
    code = found.group(1)
    if len(code) == 5:
        return chr(int(code[1:], 16))
    if code not in ESCAPED:
        raise FhirPathError(f"unknown escape \\{code}", position + 1 + found.start())
    return ESCAPED[code]
