"""Observations and laboratory reports of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kangyun.commons.exchange.decisions import quantities
from kangyun.commons.exchange.decisions.cda import codes, datatypes
from kangyun.commons.exchange.decisions.cda.narrative import referred
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, clean, every, first, is_null, text
from kangyun.commons.exchange.decisions.drafts import Draft
from kangyun.commons.exchange.decisions.maps import put

if TYPE_CHECKING:
    from kangyun.commons.exchange.decisions.cda.acts import Place

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_LOINC = "http://loinc.org"
_STATUS = {"completed": "final", "active": "preliminary", "aborted": "cancelled", "cancelled": "cancelled", "held": "registered"}


def observation(act: Element, place: Place) -> list[Draft]:
    """An observation to an Observation, or to the element of the visit or the referral that its data element names."""
    element = codes.entry(codes.element_code(act))
    value = _value(act, place)
    if not value or attribute(act, ".", "negationInd") == "true":
        return []
    if element.get("to"):
        return _elsewhere(str(element["to"]), value, place)
    code = code_of(act, element)
    if code is None:
        return []
    return [place.paper.stated(_filled(act, place, code, value, element), act, _first_code(code), place.section)]


def _filled(act: Element, place: Place, code: dict[str, Any], value: dict[str, Any], element: dict[str, Any]) -> dict[str, Any]:
    category = "vital-signs" if element.get("vital") else place.rule.get("category")
    found: dict[str, Any] = {
        "resourceType": "Observation", "status": _STATUS.get(attribute(act, "statusCode", "code"), "final"), "code": code,
        "category": [{"coding": [{"system": _CATEGORY, "code": category}]}] if category else None, "subject": place.paper.subject,
        "encounter": place.paper.encounter, **_effective(act, place), **value, "identifier": codes.identifiers(act),
        "interpretation": [one for part in every(act, "interpretationCode") if not is_null(part) and (one := codes.concept(part))],
        "referenceRange": _ranges(act), "method": _optional(first(act, "methodCode")), "bodySite": _optional(first(act, "targetSiteCode")),
    }  # fmt: skip
    return {name: part for name, part in found.items() if part not in (None, [], {})}


def _optional(element: Element | None) -> dict[str, Any] | None:
    return codes.concept(element) if not is_null(element) else None


def _value(act: Element, place: Place) -> dict[str, Any]:
    value = datatypes.value_of(first(act, "value"), place.paper.sender.zone)
    if value.get("valueString") and len(value["valueString"]) > 60_000:
        value["valueString"] = value["valueString"][:60_000]
    if value or codes.element_code(act):
        return value
    words = referred(first(act, "value")) or referred(first(act, "text"))
    return {"valueString": words} if words else {}


def code_of(act: Element, element: dict[str, Any]) -> dict[str, Any] | None:
    """What is observed: the code as sent, and the same measurement in LOINC where the dictionary names it."""
    found = codes.concept(first(act, "code")) if first(act, "code") is not None else None
    if found is None:
        words = referred(first(act, "code"))
        return {"text": words} if words else None
    codings: list[dict[str, Any]] = found.get("coding", [])
    if element:
        first_one = {"system": codes.ELEMENTS, "code": element["code"], "display": codings[0].get("display") or element["zh"]}
        codings = [first_one, *codings[1:]]
    if element.get("loinc") and all(one.get("system") != _LOINC for one in codings):
        codings = [*codings, {"system": _LOINC, "code": element["loinc"]}]
    return {**found, **({"coding": codings} if codings else {}), "text": found.get("text") or element.get("zh") or codings[0]["code"]}


def _first_code(concept: dict[str, Any]) -> str:
    codings = concept.get("coding") or [{"code": concept.get("text", "")}]
    return str(codings[0]["code"])


def _effective(act: Element, place: Place) -> dict[str, Any]:
    element = first(act, "effectiveTime")
    span = datatypes.period(element, place.paper.sender.zone)
    if "end" in span:
        return {"effectivePeriod": span}
    moment = span.get("start") or place.when
    return {"effectiveDateTime": moment} if moment else {}


def when(act: Element, place: Place) -> str | None:
    """When an act happened, as its parts inherit it."""
    return datatypes.moment(first(act, "effectiveTime"), place.paper.sender.zone)


def _ranges(act: Element) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for element in every(act, "referenceRange/observationRange"):
        value = first(element, "value")
        ends = {side: one for side in ("low", "high") if (one := datatypes.quantity(first(value, side)))}
        words = text(element, "text") or (text(value) if value is not None and not ends else "")
        told = ends if ends or not words else quantities.reference_range(clean(words)[:200], "")
        whole = {**told, **({"text": words} if words else {})}
        found += [whole] if whole else []
    return found


def _elsewhere(path: str, value: dict[str, Any], place: Place) -> list[Draft]:
    """A data element that is part of the visit or of the referral."""
    type_, *steps = path.split(".")
    [plain] = value.values()
    draft = place.paper.visit if type_ == "Encounter" else _referral(place)
    if draft is None:
        return []
    if steps[-1] in {"text", "display"} and isinstance(plain, dict):
        plain = plain.get("text") or plain.get("coding", [{}])[0].get("display") or plain.get("coding", [{}])[0].get("code")
    if steps[0] == "period":
        # What the body says of the times counts more than what was put in for want of them.
        draft.resource.setdefault("period", {})[steps[1]] = plain
        _close(draft)
    else:
        put(draft.resource, tuple(steps), plain)
    return [draft]


def _close(draft: Draft) -> None:
    if "end" in draft.resource["period"]:
        draft.resource["status"] = "finished"


def _referral(place: Place) -> Draft:
    paper = place.paper
    if paper.order_of_referral is None:
        found: dict[str, Any] = {
            "resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": paper.subject,
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "3457005", "display": "Patient referral"}], "text": "转诊"},
            "authoredOn": paper.occurred, **({"encounter": paper.encounter} if paper.encounter else {}),
        }  # fmt: skip
        paper.order_of_referral = paper.stated(found, None, "referral")
    return paper.order_of_referral


def report(act: Element, place: Place, members: list[Draft]) -> list[Draft]:
    """A laboratory organizer to a DiagnosticReport with its results."""
    results = [draft.reference for draft in members if draft.type == "Observation"]
    code = _optional(first(act, "code"))
    if not results or code is None:
        return []
    kind = "http://terminology.hl7.org/CodeSystem/v2-0074"
    found: dict[str, Any] = {
        "resourceType": "DiagnosticReport", "status": "final", "code": code, "subject": place.paper.subject,
        "category": [{"coding": [{"system": kind, "code": "LAB"}]}], "identifier": codes.identifiers(act),
        "encounter": place.paper.encounter, "effectiveDateTime": place.when, "result": results,
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    return [place.paper.stated(filled, act, _first_code(code), place.section)]
