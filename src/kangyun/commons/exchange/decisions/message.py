"""HL7 v2 text to segments: a splitter that keeps fields whole until somebody asks for their parts.

HL7 v2.5.1 chapter 2, sections 2.5 to 2.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kangyun.commons.exchange.model import Fault

_ENDS = re.compile(r"\r\n?|\n")
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_ESCAPE = re.compile(r"\\([^\\]{0,200})\\")
_HEX = re.compile(r"[Xx]((?:[0-9A-Fa-f]{2})+)")
# FHIR strings hold tab, line feed and carriage return, and no other control character (R4, 2.24.0.1).
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_COMMANDS = {".br": "\n", ".sp": "\n", ".fi": "", ".nf": "", "H": "", "N": ""}


class Delimiters:
    """The five signs of one message, from MSH-1 and MSH-2."""

    __slots__ = ("component", "escape", "escapes", "field", "repetition", "subcomponent", "usual")

    def __init__(self, field: str, signs: str) -> None:
        self.field = field
        padded = (signs + "^~\\&"[len(signs) :])[:4]
        self.component, self.repetition, self.escape, self.subcomponent = padded
        self.usual = padded == "^~\\&"
        self.escapes = {
            "F": field,
            "S": self.component,
            "R": self.repetition,
            "E": self.escape,
            "T": self.subcomponent,
        }


class Segment:
    """One segment; `fields[n]` is field n as it was sent (MSH-1 counts, as the standard does)."""

    __slots__ = ("delimiters", "fields", "index", "name")

    def __init__(self, name: str, fields: list[str], index: int, delimiters: Delimiters) -> None:
        self.name = name
        self.fields = fields
        self.index = index
        self.delimiters = delimiters

    def raw(self, field: int) -> str:
        """The field as sent, or nothing. An explicit delete, two double quotes, counts as nothing."""
        value = self.fields[field] if field < len(self.fields) else ""
        return "" if value == '""' else value

    def repetitions(self, field: int) -> list[str]:
        """The repetitions of a field that hold anything."""
        value = self.raw(field)
        return [one for one in value.split(self.delimiters.repetition) if one and one != '""'] if value else []

    def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """One part of the first repetition, unescaped and stripped."""
        fields = self.fields
        value = fields[field] if field < len(fields) else ""
        if not value:
            return ""
        signs = self.delimiters
        if signs.repetition in value:
            value = value.split(signs.repetition, 1)[0]
        return self.part(value, component, subcomponent)

    def part(self, value: str, component: int, subcomponent: int = 1) -> str:
        """One part of a repetition, unescaped, without control characters, stripped."""
        signs = self.delimiters
        parts = value.split(signs.component, component)
        found = parts[component - 1] if component <= len(parts) else ""
        if signs.subcomponent in found:
            pieces = found.split(signs.subcomponent)
            found = pieces[subcomponent - 1] if subcomponent <= len(pieces) else ""
        elif subcomponent > 1:
            return ""
        if not found or found == '""':
            return ""
        found = (self.unescape(found) if signs.escape in found else found).strip()
        return found if found.isprintable() else _CONTROLS.sub("", found).strip()

    def parts(self, value: str) -> list[str]:
        """All components of a repetition, first subcomponent each, unescaped and stripped."""
        signs = self.delimiters
        if signs.subcomponent in value or signs.escape in value or not value.isprintable() or '""' in value:
            return [self.part(one, 1) for one in value.split(signs.component)]
        return [one.strip() for one in value.split(signs.component)]

    def unescape(self, value: str) -> str:
        r"""Resolve \F\ \S\ \T\ \R\ \E\ \Xdd\ \.br\ ; an unknown escape stays as it was sent."""
        sign = self.delimiters.escape
        if not sign or sign not in value:
            return value
        if sign != "\\":
            value = value.replace("\\", "\\E\\").replace(sign, "\\")
        return _ESCAPE.sub(self._resolve, value)

    def _resolve(self, match: re.Match[str]) -> str:
        inside = match[1]
        if inside in self.delimiters.escapes:
            return self.delimiters.escapes[inside]
        hexadecimal = _HEX.fullmatch(inside)
        if hexadecimal:
            return _text_of(bytes.fromhex(hexadecimal[1]))
        command = inside[:3] if inside.startswith(".") else inside
        return _COMMANDS.get(command, match[0])


class Message:
    """A parsed message: its segments in order, MSH first."""

    __slots__ = ("delimiters", "header", "segments")

    def __init__(self, segments: list[Segment], delimiters: Delimiters) -> None:
        self.segments = segments
        self.header = segments[0]
        self.delimiters = delimiters

    @property
    def kind(self) -> str:
        """The message type, for example ADT."""
        return self.header.text(9, 1)

    @property
    def event(self) -> str:
        """The trigger event of MSH-9.2; older systems put it into EVN-1 only."""
        found = self.header.text(9, 2)
        evn = None if found else self.first("EVN")
        return evn.text(1) if evn else found

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.text(10)

    @property
    def version(self) -> str:
        """MSH-12.1."""
        return self.header.text(12)

    def first(self, name: str) -> Segment | None:
        """The first segment of a name."""
        return next((segment for segment in self.segments if segment.name == name), None)

    def after(self, segment: Segment) -> Segment | None:
        """The segment behind one of this message's own."""
        place = self.segments.index(segment) + 1
        return self.segments[place] if place < len(self.segments) else None

    def all(self, name: str) -> Iterator[Segment]:
        """Every segment of a name, in order."""
        return (segment for segment in self.segments if segment.name == name)


def parse(text: str, max_segments: int = 20_000) -> Message:
    """Split a message. Raises Fault, naming the segment, when it is not one.

    Segment ends CR, LF and CRLF are all taken; blank lines and what follows a trailing blank are ignored.
    """
    text = text.lstrip("\ufeff\r\n\t ")
    delimiters = _delimiters(text)
    count = text.count("\r") or text.count("\n")
    if count > max_segments:
        raise Fault(
            "exchange.too-many-segments",
            _beyond(text, max_segments),
            {"count": str(count), "limit": str(max_segments)},
            unreadable=True,
        )
    lines = text.split("\r") if "\n" not in text else _ENDS.split(text)
    segments = [
        _segment(line, index, delimiters) for index, line in enumerate(lines, 1) if line and not line.isspace()
    ]
    return Message(segments, delimiters)


def _delimiters(text: str) -> Delimiters:
    if not text.startswith("MSH") or len(text) < 8:
        raise Fault("exchange.no-header", "MSH", code="100", unreadable=True)
    field = text[3]
    if field.isalnum() or field.isspace():
        raise Fault("exchange.bad-delimiters", "MSH-1", code="102", unreadable=True)
    signs = text[4 : text.find(field, 4)] if field in text[4:12] else ""
    if not 1 <= len(signs) <= 5 or len(set(signs)) != len(signs) or any(s.isalnum() or s.isspace() for s in signs):
        raise Fault("exchange.bad-delimiters", "MSH-2", code="102", unreadable=True)
    return Delimiters(field, signs)


def _segment(line: str, index: int, delimiters: Delimiters) -> Segment:
    fields = line.split(delimiters.field)
    name = fields[0].strip()
    if not _NAME.fullmatch(name):
        raise Fault("exchange.bad-segment", "", {"line": str(index)}, code="100", unreadable=True)
    if name == "MSH":
        if index > 1:
            raise Fault("exchange.second-header", "MSH", {"line": str(index)}, code="100", unreadable=True)
        fields.insert(1, delimiters.field)
    return Segment(name, fields, index, delimiters)


def _beyond(text: str, limit: int) -> str:
    """The name of the first segment that is too many, found without splitting the rest."""
    end = "\r" if "\r" in text else "\n"
    lines = text[: 2_000_000].split(end, limit + 1)
    name = lines[limit][:3] if len(lines) > limit else ""
    return name if _NAME.fullmatch(name) else ""


def _text_of(raw: bytes) -> str:
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec).replace("\0", "")
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1").replace("\0", "")
