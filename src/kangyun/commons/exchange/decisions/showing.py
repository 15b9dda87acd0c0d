"""A raw message for people's eyes: line by line, the faulty field marked, what concerns a person masked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kangyun.commons.exchange.model import Reason

_MOST_LINES = 200
_MOST_IN_FIELD = 2_000
# Segments that say how and when, not whom.
_OPEN = {"MSH", "EVN", "FHS", "BHS", "MSA", "ERR"}
_SIGNS = re.compile(r"[^|^~\\&\s]")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:-(\d+))?(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line; `marked` is where the fault is."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One segment."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as lines; `more` says that the end was left out, `masked` that values were."""

    lines: tuple[Line, ...]
    more: bool
    masked: bool


def show(body: bytes, reason: Reason | None, *, masked: bool) -> Shown:
    """Cut a message into lines, mark the place of `reason`, and hide all that could tell of a person if `masked`."""
    texts = re.split(r"\r\n?|\n", _readable(body[:400_000]))
    name, field = _place(reason)
    # A line that is no segment has no name; it is known by its number.
    number = reason.params.get("line", "") if reason else ""
    seen = 0
    lines: list[Line] = []
    for count, text in enumerate(texts[:_MOST_LINES], 1):
        here = bool(name) and text.startswith(name)
        seen += here
        marked = str(count) == number or (here and (reason is None or seen == reason.occurrence))
        if text.strip():
            lines.append(Line(_parts(text, field if marked else None, masked=masked)))
    return Shown(tuple(lines), more=len(texts) > _MOST_LINES or len(body) > 400_000, masked=masked)


def _place(reason: Reason | None) -> tuple[str, int]:
    match = _PLACE.fullmatch(reason.place) if reason else None
    return (match[1], int(match[2] or 0)) if match else ("", 0)


def _parts(text: str, marked: int | None, *, masked: bool) -> tuple[Part, ...]:
    name = text[:3]
    separator = text[3:4] if name == "MSH" else "|"
    fields = text.split(separator) if separator else [text]
    shown = [_cut(hidden(one) if masked and name not in _OPEN and number else one) for number, one in enumerate(fields)]
    if marked is None:
        return (Part(separator.join(shown)),)
    # MSH-1 is the separator itself, so MSH's fields stand one place earlier than their numbers.
    place = marked - (name == "MSH")
    if not 0 < place < len(shown):
        return (Part(shown[0], marked=True), *([Part(separator + separator.join(shown[1:]))] if shown[1:] else []))
    before = separator.join(shown[:place]) + separator
    after = separator.join(["", *shown[place + 1 :]]) if shown[place + 1 :] else ""
    return tuple(part for part in (Part(before), Part(shown[place] or " ", marked=True), Part(after)) if part.text)


def hidden(text: str) -> str:
    """The text with a dot for every sign that could tell something."""
    return _SIGNS.sub("•", text)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_IN_FIELD else f"{text[:200]}… ({len(text)})"


def _readable(body: bytes) -> str:
    for codec in ("utf-8", "gb18030"):
        try:
            text = body.decode(codec)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = body.decode("latin-1")
    return "".join(sign if sign.isprintable() or sign in "\r\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)
