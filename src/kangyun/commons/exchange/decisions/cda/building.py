"""A document of WS/T 483 built from the record by its rule; what the rule requires and the record lacks is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.cda import acts, entries, headings
from kangyun.commons.exchange.decisions.cda.headings import Edition
from kangyun.commons.exchange.decisions.cda.nodes import node
from kangyun.commons.exchange.decisions.cda.picking import Record, Row, picked, row_of
from kangyun.commons.exchange.decisions.cda.xml import HL7, Element


@dataclass(frozen=True, slots=True)
class Missing:
    """A required element that the record lacks: its code, where it belongs, and its names."""

    code: str
    section: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Built:
    """A document and what it lacks."""

    xml: bytes
    missing: tuple[Missing, ...]


def rows_of(rule: Rule) -> list[Row]:
    """The rows of a document's rule."""
    return [row_of(row) for row in rule.table]


def build(rule: Rule, record: Record, edition: Edition) -> Built:
    """The document of a rule about a record."""
    rows = rows_of(rule)
    told = picked(rows, record)
    by_reference = {f"{one['resourceType']}/{one.get('id', '')}": one for one in record.resources}
    sections = [_section(name, rows, told, by_reference.get) for name in dict.fromkeys(row.section for row in rows)]
    body = node("component", node("structuredBody", *(one for one in sections if one is not None)))
    root = node("ClinicalDocument", *headings.head(rule, record, edition), body)
    etree.cleanup_namespaces(root)
    xml = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    present = [row.name for row, found in zip(rows, told, strict=True) if found]
    lacking = headings.missing_of(rule, record)
    return Built(xml, (*(Missing(name, "header", *names) for name, names in lacking.items()), *missing_rows(rule, present)))


def missing_rows(rule: Rule, present: Iterable[str]) -> tuple[Missing, ...]:
    """The required rows of a document that are not among those present."""
    have = set(present)
    lacking = (row for row in rows_of(rule) if row.required and row.name not in have)
    return tuple(Missing(row.name, row.section, *_names(row)) for row in lacking)


_KINDS = {"immunization": ("预防接种", "Vaccination"), "diagnosis": ("诊断", "Diagnosis")}


def _names(row: Row) -> tuple[str, str]:
    if not row.element:
        return _KINDS.get(row.make, (row.make, row.make))
    return str(row.element["zh"]), str(row.element.get("en", row.element["zh"]))


def _section(name: str, rows: list[Row], told: list[list[Any]], find: entries.Find) -> Element | None:
    acts_: list[Element] = []
    groups: dict[str, list[Element]] = {}
    lines: list[str] = []
    for row, found in zip(rows, told, strict=True):
        if row.section != name:
            continue
        made = [one for thing in found if (one := entries.entry(row, thing, find)) is not None]
        lines += [_line(row, one) for one in made]
        if not made and row.required and row.element:
            made = [entries.absent(row)]
        if row.group and made:
            place = groups.setdefault(row.group, [])
            place.extend(made)
            acts_.append(place[0]) if len(place) == len(made) else None
        else:
            acts_ += made
    if not acts_:
        return None
    heads = {id(members[0]): members for members in groups.values()}
    written = [_battery(heads[id(one)]) if id(one) in heads else one for one in acts_]
    text = node("text", node("list", *(node("item", line) for line in lines))) if lines else node("text")
    return node("component", node("section", _code(name), text, *(node("entry", one) for one in written)))


def _battery(members: list[Element]) -> Element:
    """What belongs together, such as both pressures, in one organizer."""
    return node("organizer", node("statusCode", code="completed"), *(node("component", one) for one in members), classCode="BATTERY", moodCode="EVN")


def _code(name: str) -> Element:
    known = acts.section_rule(name)
    if "display" in known:
        return node("code", code=name, codeSystem="2.16.840.1.113883.6.1", codeSystemName="LOINC", displayName=str(known["display"]))
    return node("code", displayName=name)


def _line(row: Row, act: Element) -> str:
    """What an entry says in words, for people who read the document."""
    value = act.find(f"{{{HL7}}}value")
    label = str(row.element.get("zh") or row.make)
    if value is None:
        names = act.iterfind(f".//{{{HL7}}}name")
        shown = next((str(one.text) for one in names if one.text), "") or next((str(one.get("displayName")) for one in act.iter() if one.get("displayName")), "")
        return f"{label}：{shown}" if shown else label
    words = value.text or value.get("displayName") or " ".join(part for part in (value.get("value"), value.get("unit")) if part)
    return f"{label}：{words}"
