"""Triage: the Questionnaire of a clinic from rules/triage.yaml, and the danger signs among its answers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kangyun.base.rules import Rule, load
from kangyun.care.internet_hospital.model import Node

_ROOM = "kangyun.care.internet_hospital"
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_LOWEST = "http://hl7.org/fhir/StructureDefinition/minValue"
_HIGHEST = "http://hl7.org/fhir/StructureDefinition/maxValue"
CANONICAL = "urn:kangyun:internet-hospital:triage:"


def names() -> list[str]:
    """The names of the triages there are."""
    return list(load(_ROOM, "triage.yaml").map)


def questions(name: str) -> list[Mapping[str, Any]]:
    """What a clinic asks: its own questions first, then those for everybody."""
    rule = load(_ROOM, "triage.yaml")
    general = rule.map["general"]
    own = rule.map.get(name, ())
    return list(general) if name in rule.body["alone"] else [*own, *general]


def questionnaire(name: str, sex: str = "") -> Node:
    """The Questionnaire of a clinic's triage; to somebody of this sex (FHIR's word, '' for all questions)."""
    rule = load(_ROOM, "triage.yaml")
    return {
        "resourceType": "Questionnaire", "id": f"triage-{name}", "url": f"{CANONICAL}{name}", "version": rule.since.isoformat(),
        "status": "active", "language": "zh", "title": rule.title["zh"], "subjectType": ["Patient"],
        "item": [_item(one) for one in questions(name) if sex not in {"male", "female"} or one.get("sex", sex) == sex],
    }


def _item(one: Mapping[str, Any]) -> Node:
    translation = {"url": _TRANSLATION, "extension": [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": one["en"]}]}
    made: Node = {"linkId": one["link"], "type": one["type"], "text": one["zh"], "_text": {"extension": [translation]}}
    kind = "valueInteger" if one["type"] == "integer" else "valueDecimal"
    limits = [
        {"url": url, kind: Decimal(str(one[key])) if kind == "valueDecimal" else one[key]}
        for url, key in ((_LOWEST, "low"), (_HIGHEST, "high")) if key in one
    ]
    return made | ({"required": True} if one.get("required") else {}) | ({"extension": limits} if limits else {})


def red_flags(name: str, response: Node) -> list[str]:
    """The linkIds of answers that are danger signs, in the order of the questions."""
    answers: dict[str, Any] = {}
    for item in response.get("item", ()):
        for answer in item.get("answer", ()):
            answers[item["linkId"]] = next((value for key, value in answer.items() if key.startswith("value")), None)
    return flagged(name, answers)


def flagged(name: str, answers: Mapping[str, Any]) -> list[str]:
    """The same over answers by linkId."""
    return [str(one["link"]) for one in questions(name) if one["link"] in answers and _is_danger(one, answers[one["link"]])]


def _is_danger(one: Mapping[str, Any], answer: Any) -> bool:
    if isinstance(answer, bool):
        return one.get("flag") is answer
    if not isinstance(answer, int | float | Decimal):
        return False
    value = Decimal(str(answer))
    return ("above" in one and value > Decimal(str(one["above"]))) or ("below" in one and value < Decimal(str(one["below"])))


def answered(name: str, response: Node, language: str) -> list[tuple[str, Any, bool]]:
    """Each answered question in its words, the answer, and whether it is a danger sign; in the order of the questions."""
    flags = set(red_flags(name, response))
    told: dict[str, Any] = {}
    for item in response.get("item", ()):
        for answer in item.get("answer", ()):
            told[item["linkId"]] = next((value for key, value in answer.items() if key.startswith("value")), None)
    return [(str(one[language]), told[one["link"]], one["link"] in flags) for one in questions(name) if one["link"] in told]


def example(rule: Rule, given: Mapping[str, Any]) -> list[str]:
    """The danger signs of an example."""
    assert rule.map
    return flagged(given["clinic"], given["answers"])
