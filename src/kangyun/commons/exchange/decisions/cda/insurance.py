"""Policies of a document to Coverage. C-CDA R2.1, Policy Activity (V3) in Coverage Activity (V3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kangyun.commons.exchange.decisions.cda import codes, datatypes
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first, is_null, text
from kangyun.commons.exchange.decisions.drafts import Draft

if TYPE_CHECKING:
    from kangyun.commons.exchange.decisions.cda.acts import Place

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
# Codes of roles say who somebody is to somebody else, not what kind of insurance it is.
_ROLES = {"2.16.840.1.113883.5.110", "2.16.840.1.113883.5.111"}
_RELATIONS = {"SELF": "self", "ONESELF": "self", "SPS": "spouse", "SPOUSE": "spouse", "CHILD": "child", "CHD": "child", "PRN": "parent", "PARENT": "parent"}


def coverage(act: Element, place: Place) -> list[Draft]:
    """A policy to a Coverage; one that names neither who pays nor a member's number says nothing."""
    paper = place.paper
    covered, holder = (_participant(act, kind) for kind in ("COV", "HLD"))
    numbers = codes.identifiers(covered) or codes.identifiers(holder)
    payer = _payer(act)
    if not payer and not numbers:
        return []
    span = datatypes.period(first(covered.getparent(), "time"), paper.sender.zone) if covered is not None else {}
    code, member = first(act, "code"), str(numbers[0]["value"]) if numbers else ""
    found: dict[str, Any] = {
        "resourceType": "Coverage", "status": "active", "identifier": numbers, "beneficiary": paper.subject, "subscriberId": member,
        "type": codes.concept(code) if code is not None and attribute(code, ".", "codeSystem") not in _ROLES else None,
        "relationship": _relationship(first(covered, "code")), "period": span, "payor": [{"display": payer or "-"}],
        "policyHolder": {"display": name} if (name := _name(holder)) else None, "class": _classes(act), "order": _order(act),
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    return [paper.once(filled, payer, member)]


def _participant(act: Element, kind: str) -> Element | None:
    return next((first(one, "participantRole") for one in every(act, "participant") if attribute(one, ".", "typeCode") == kind), None)


def _payer(act: Element) -> str:
    """The name of who pays: the performer that says it does, else the first organisation."""
    entities = every(act, "performer/assignedEntity")
    ranked = sorted(entities, key=lambda one: attribute(one, "code", "code") != "PAYOR")
    names = (text(one, "representedOrganization/name") for one in ranked)
    return next((name for name in names if name), "")


def _name(role: Element | None) -> str:
    person = first(role, "playingEntity/name")
    return str(datatypes.human_name(person).get("text", "")) if person is not None else ""


def _relationship(code: Element | None) -> dict[str, Any] | None:
    if code is None or is_null(code):
        return None
    found = codes.concept(code)
    known = _RELATIONS.get(attribute(code, ".", "code").upper())
    if known is None or found is None:
        return found
    own = {"system": f"{_TERMINOLOGY}subscriber-relationship", "code": known}
    return {**found, "coding": [own, *found.get("coding", [])]}


def _classes(act: Element) -> list[dict[str, Any]]:
    """The number of the group or policy, and the plan by its name."""
    numbers = [attribute(one, ".", "extension") for one in every(act, "id")]
    plans = [words for one in every(act, "entryRelationship/act") if (words := text(one, "text") or attribute(one, "code", "displayName"))]
    return [*(_class("group", one) for one in numbers if one), *(_class("plan", one) for one in plans)]


def _class(kind: str, value: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": f"{_TERMINOLOGY}coverage-class", "code": kind}]}, "value": value}


def _order(act: Element) -> int | None:
    """Which policy pays first, as the coverage around it numbers them."""
    value = attribute(act.getparent(), "sequenceNumber")
    return int(value) if value.isdecimal() and len(value) < 4 and int(value) else None
