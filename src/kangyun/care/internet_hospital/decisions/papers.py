"""The medical record of a consultation from its clinic's template, and how long what belongs to it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from html import escape
from typing import Any

from kangyun.base.rules import Rule, load
from kangyun.care.internet_hospital.model import Node, concept, reference
from kangyun.care.internet_hospital.model.consultations import Consultation

_ROOM = "kangyun.care.internet_hospital"
_LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a record; begins: what stands there before anybody writes."""

    key: str
    code: str
    titles: Mapping[str, str]
    must: bool
    begins: str


def templates() -> list[str]:
    """The names of the templates there are."""
    return list(load(_ROOM, "record_templates.yaml").map)


def sections(template: str) -> list[Section]:
    """The sections of a clinic's record in order."""
    rule = load(_ROOM, "record_templates.yaml")
    begins = rule.map.get(template) or {}
    return [
        Section(one["key"], one["code"], {"zh": one["zh"], "en": one["en"]}, bool(one.get("must")), str(begins.get(one["key"], "")))
        for one in rule.body["sections"]
    ]


def lacking(template: str, filled: Mapping[str, str]) -> list[str]:
    """The keys of sections that must be filled and are not."""
    return [one.key for one in sections(template) if one.must and not filled.get(one.key, "").strip()]


def composition(
    of: Consultation, template: str, filled: Mapping[str, str], conditions: list[Node], *, author: Node, now: str, final: bool
) -> Node:
    """The Composition of a record; conditions: References to the Conditions of its diagnoses, the first one the main one."""
    parts = [_section(one, filled[one.key].strip()) for one in sections(template) if filled.get(one.key, "").strip()]
    if conditions:
        parts.append({"title": "诊断", "code": concept(_LOINC, "29308-4"), "entry": conditions})
    return {
        "resourceType": "Composition", "id": record_id(of.id), "status": "final" if final else "preliminary",
        "type": concept(_LOINC, "34108-1"), "category": [concept("urn:kangyun:internet-hospital:paper", "record")],
        "subject": reference("Patient", of.patient), "encounter": reference("Encounter", of.id), "date": now, "author": [author],
        "title": "互联网门诊病历", "custodian": reference("Organization", of.institution), "section": parts,
    }


def record_id(encounter: str) -> str:
    """The id of the Composition of a consultation."""
    return f"record-{encounter}"[:64]


def _section(one: Section, text: str) -> Node:
    lines = "<br/>".join(escape(line, quote=False) for line in text.splitlines())
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{lines}</div>'
    return {"title": one.titles["zh"], "code": concept(_LOINC, one.code), "text": {"status": "additional", "div": div}}


def written(composition_: Node) -> dict[str, str]:
    """What stands in each section of a record, by key."""
    by_code = {one["code"]: one["key"] for one in load(_ROOM, "record_templates.yaml").body["sections"]}
    found: dict[str, str] = {}
    for part in composition_.get("section", ()):
        key = next((by_code[c["code"]] for c in part.get("code", {}).get("coding", ()) if c.get("code") in by_code), None)
        if key:
            found[key] = _plain(str(part.get("text", {}).get("div", "")))
    return found


def _plain(div: str) -> str:
    text = div.partition(">")[2].removesuffix("</div>").replace("<br/>", "\n")
    for sign, name in (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
        text = text.replace(name, sign)
    return text


def keep_until(type_: str, ended: date) -> date:
    """Until when a resource of a type must be kept; 15 years for whatever the rule does not name."""
    years = int(load(_ROOM, "retention.yaml").map.get(type_, 15))
    try:
        return ended.replace(year=ended.year + years)
    except ValueError:
        return ended.replace(year=ended.year + years, month=3, day=1)


def expired(state: str, since: datetime, now: datetime) -> bool:
    """Whether a consultation has been in its state for longer than anybody waits."""
    hours = load(_ROOM, "times.yaml").map.get(f"{state.replace('-', '_')}_hours")
    return hours is not None and now - since >= timedelta(hours=int(hours))


def limit(name: str) -> int:
    """A figure of rules/times.yaml."""
    return int(load(_ROOM, "times.yaml").map[name])


def consent_points(language: str) -> list[str]:
    """What the consent says, point by point."""
    return [str(one[language]) for one in load(_ROOM, "consent.yaml").body["points"]]


def consent_version() -> str:
    """The version of the consent's text; another wording, in either language, has another one."""
    rule = load(_ROOM, "consent.yaml")
    text = "\n".join(f"{one['zh']}\n{one['en']}" for one in rule.body["points"])
    return f"{rule.value}-{sha256(text.encode()).hexdigest()[:8]}"


def retention_example(rule: Rule, given: Mapping[str, Any]) -> str:
    """The day until which an example is kept."""
    assert rule.unit == "a"
    return keep_until(given["type"], date.fromisoformat(given["ended"])).isoformat()
