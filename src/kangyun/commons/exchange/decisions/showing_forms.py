"""Documents, FHIR and tables for people's eyes: one line for each element, property or row, the fault marked.

What concerns a person is hidden where the reader may not see it; the structure stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from kangyun.base.fhir import json as fhir_json
from kangyun.commons.exchange.decisions import editing
from kangyun.commons.exchange.decisions.showing import Line, Part, Shown, hidden, show
from kangyun.commons.exchange.model import Reason

_MOST_LINES = 400
_BEFORE = 60
_MOST_BYTES = 4 << 20
_LINE = re.compile(r"line (\d+)")
_CELL = re.compile(r"(?:.*!)?([A-Z]{1,3})(\d+)")
_ATTRIBUTE = re.compile(r"/@([\w:.-]+)$")
# Properties and attributes that say what kind of thing something is, not whose.
_OPEN = {"resourceType", "type", "method", "url", "system", "status", "code", "codeSystem", "codeSystemName", "root", "classCode", "moodCode", "typeCode", "unit", "use"}

Marked = tuple[str, str, bool, bool]
"""Indentation and name, value, whether the value may be shown to anybody, whether the fault is here."""


def show_form(form: str, body: bytes, reason: Reason | None, *, masked: bool) -> Shown | None:
    """A message of any form as lines; None for what has no text."""
    if form == "hl7v2":
        return show(body, reason, masked=masked)
    place = reason.place if reason else ""
    if len(body) > _MOST_BYTES:
        return None
    lines = {"cda": _document, "fhir": _fhir, "table": _rows}.get(form, _plain)(body, place)
    return None if lines is None else _shown(list(lines), masked=masked)


def _shown(lines: list[Marked], *, masked: bool) -> Shown:
    at = next((number for number, line in enumerate(lines) if line[3]), 0)
    start = max(0, at - _BEFORE) if at > _MOST_LINES - _BEFORE else 0
    shown = tuple(Line(_parts(line, masked=masked)) for line in lines[start : start + _MOST_LINES])
    return Shown(shown, more=len(lines) > len(shown), masked=masked)


def _parts(line: Marked, *, masked: bool) -> tuple[Part, ...]:
    name, value, is_open, marked = line
    text = value if is_open or not masked else hidden(value)
    text = text if len(text) <= 400 else f"{text[:200]}… ({len(text)})"
    parts = (Part(name), Part(text or " ", marked=marked)) if marked else (Part(name), Part(text))
    return tuple(part for part in parts if part.text)


def _plain(body: bytes, place: str) -> Iterator[Marked] | None:
    text = editing.text_of(body, "text")
    if text is None:
        return None
    match = _LINE.search(place)
    wanted = int(match[1]) if match else 0
    return (("", line, False, number == wanted) for number, line in enumerate(text.split("\n"), 1))


def _document(body: bytes, place: str) -> Iterator[Marked] | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return _plain(body, place)
    for element in root.iter(etree.Element):
        element.tag = etree.QName(element).localname
    attribute = _ATTRIBUTE.search(place)
    try:
        found = root.getroottree().xpath(_ATTRIBUTE.sub("", place)) if place.startswith("/") else []
    except etree.XPathError:
        found = []
    target = found[0] if isinstance(found, list) and found else None
    return _elements(root, 0, target, attribute[1] if attribute else "")


def _elements(element: Any, depth: int, target: Any, attribute: str) -> Iterator[Marked]:
    here = element is target
    yield ("  " * depth + f"<{element.tag}>", "", True, here and not attribute and not (element.text or "").strip())
    for name, value in element.attrib.items():
        local = etree.QName(name).localname
        yield ("  " * depth + f"   @{local} = ", value, local in _OPEN, here and attribute == local)
    text = (element.text or "").strip()
    if text:
        yield ("  " * (depth + 1), text, False, here and not attribute)
    for child in element:
        if isinstance(child.tag, str):
            yield from _elements(child, depth + 1, target, attribute)


def _fhir(body: bytes, place: str) -> Iterator[Marked] | None:
    try:
        whole: Any = fhir_json.loads(body)
    except Exception:  # noqa: BLE001 - whatever a parser says about hostile text, it is not JSON
        return _plain(body, place)
    root = str(whole.get("resourceType", "")) if isinstance(whole, dict) else ""
    return _properties(whole, "", root, re.sub(r"\.ofType\(\w+\)", "", place), 0)


def _properties(value: Any, name: str, path: str, place: str, depth: int) -> Iterator[Marked]:
    pad = "  " * depth
    here = bool(place) and path == place
    if isinstance(value, dict):
        yield (pad + (f"{name}:" if name else "{"), "", True, here)
        for key, inner in value.items():
            yield from _properties(inner, str(key), f"{path}.{key}", place, depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _properties(inner, f"{name}[{number}]", f"{path}[{number}]", place, depth)
    else:
        yield (f"{pad}{name}: ", str(value), name.partition("[")[0] in _OPEN, here)


def _rows(body: bytes, place: str) -> Iterator[Marked] | None:
    text = editing.text_of(body, "table")
    if text is None:
        return None
    match = _CELL.fullmatch(place)
    row, column = (int(match[2]), _number(match[1])) if match else (0, 0)
    return _cells(text, row, column)


def _cells(text: str, row: int, column: int) -> Iterator[Marked]:
    separator = max("\t,;|", key=text[:2000].count)
    for number, line in enumerate(text.split("\n"), 1):
        if number != row:
            yield ("", line, number == 1, False)
            continue
        for place, cell in enumerate(line.split(separator), 1):
            yield (f"{number}/{place}: ", cell, False, place == column)


def _number(letters: str) -> int:
    total = 0
    for letter in letters:
        total = total * 26 + ord(letter) - 64
    return total
