"""String functions (FHIRPath N1, clause 5.6)."""

from __future__ import annotations

import base64
import binascii
import functools
import html
import json
import re
from collections.abc import Callable

from kangyun.base.fhir.fhirpath.errors import FhirPathError
from kangyun.base.fhir.fhirpath.frame import Frame
from kangyun.base.fhir.fhirpath.values import expect

from .registry import Items, function, on_value


@functools.lru_cache(maxsize=512)
def pattern(text: str) -> re.Pattern[str]:
    """A regular expression in single-line mode, as clause 5.6.8 asks; raises FhirPathError."""
    try:
        return re.compile(text, re.DOTALL)
    except re.error as fault:
        raise FhirPathError(f"the regular expression is malformed: {fault.msg}") from None


@on_value("indexOf", str, str)
def index_of(text: str, part: str) -> int:
    """Where a part begins, -1 when it does not occur."""
    return text.find(part)


@on_value("lastIndexOf", str, str)
def last_index_of(text: str, part: str) -> int:
    """Where a part begins for the last time, -1 when it does not occur."""
    return text.rfind(part)


@on_value("substring", str, int, int, optional=1)
def substring(text: str, start: int, length: int | None = None) -> str | None:
    """The text from a position on; nothing when the position lies outside."""
    if not 0 <= start < len(text):
        return None
    return text[start:] if length is None else text[start : start + max(0, length)]


@on_value("startsWith", str, str)
def starts_with(text: str, part: str) -> bool:
    """Whether the text begins with a part."""
    return text.startswith(part)


@on_value("endsWith", str, str)
def ends_with(text: str, part: str) -> bool:
    """Whether the text ends with a part."""
    return text.endswith(part)


@on_value("contains", str, str)
def contains(text: str, part: str) -> bool:
    """Whether a part occurs in the text."""
    return part in text


@on_value("upper", str)
def upper(text: str) -> str:
    """The text in capitals."""
    return text.upper()


@on_value("lower", str)
def lower(text: str) -> str:
    """The text in small letters."""
    return text.lower()


@on_value("replace", str, str, str)
def replace(text: str, part: str, by: str) -> str:
    """The text with every occurrence of a part replaced."""
    return text.replace(part, by)


@on_value("matches", str, str)
def matches(text: str, expression: str) -> bool:
    """Whether a regular expression matches somewhere in the text."""
    return pattern(expression).search(text) is not None


@on_value("matchesFull", str, str)
def matches_full(text: str, expression: str) -> bool:
    """Whether a regular expression matches the whole text."""
    return pattern(expression).fullmatch(text) is not None


@on_value("replaceMatches", str, str, str)
def replace_matches(text: str, expression: str, by: str) -> str:
    """The text with every match replaced; ``$1`` and ``${name}`` stand for groups, an empty expression for no match."""
    if not expression:
        return text
    template = re.sub(r"\$(\d+|\{\w+\})", lambda group: rf"\g<{group.group(1).strip('{}')}>", by.replace("\\", r"\\"))
    try:
        return pattern(expression).sub(template, text)
    except (re.error, IndexError):
        raise FhirPathError("the replacement names a group that does not exist") from None


@on_value("length", str)
def length(text: str) -> int:
    """How many characters the text has."""
    return len(text)


@on_value("trim", str)
def trim(text: str) -> str:
    """The text without white space around it."""
    return text.strip()


@function("toChars")
def to_chars(_: Frame, items: Items) -> Items:
    """Each character as a text of its own."""
    return list(expect(items, str, "the input of toChars()") or "")


@function("split", 1)
def split(_: Frame, items: Items, separator: Items) -> Items:
    """The parts between separators."""
    text = expect(items, str, "the input of split()")
    by = expect(separator, str, "the separator of split()")
    if text is None or by is None:
        return []
    return text.split(by) if by else list(text)


@function("join", 0, 1)
def join(_: Frame, items: Items, separator: Items | None = None) -> Items:
    """All texts as one."""
    by = expect(separator or [], str, "the separator of join()") or ""
    texts = [str(expect([item], str, "every item of join()")) for item in items]
    return [by.join(texts)] if texts else []


ENCODE: dict[str, Callable[[bytes], str]] = {
    "base64": lambda raw: base64.b64encode(raw).decode(),
    "urlbase64": lambda raw: base64.urlsafe_b64encode(raw).decode(),
    "hex": lambda raw: raw.hex(),
}
DECODE: dict[str, Callable[[str], bytes]] = {
    "base64": lambda text: base64.b64decode(text, validate=True),
    "urlbase64": base64.urlsafe_b64decode,
    "hex": bytes.fromhex,
}
ESCAPE: dict[str, Callable[[str], str]] = {
    "html": lambda text: html.escape(text, quote=True),
    "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
}
UNESCAPE: dict[str, Callable[[str], str]] = {
    "html": html.unescape,
    "json": lambda text: str(json.loads('"' + re.sub(r'(?<!\\)"', r"\\" + '"', text) + '"')),
}


@on_value("encode", str, str)
def encode(text: str, form: str) -> str | None:
    """The text's UTF-8 bytes in base64, urlbase64 or hex."""
    return ENCODE[form](text.encode()) if form in ENCODE else None


@on_value("decode", str, str)
def decode(text: str, form: str) -> str | None:
    """The text that encode() was given; nothing when it is malformed."""
    try:
        return DECODE[form](text).decode() if form in DECODE else None
    except (binascii.Error, ValueError):
        return None


@on_value("escape", str, str)
def escape(text: str, form: str) -> str | None:
    """The text made safe for html or json."""
    return ESCAPE[form](text) if form in ESCAPE else None


@on_value("unescape", str, str)
def unescape(text: str, form: str) -> str | None:
    """The text that escape() was given; nothing when it is malformed."""
    try:
        return UNESCAPE[form](text) if form in UNESCAPE else None
    except ValueError:
        return None
