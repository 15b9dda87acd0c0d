"""Medicines and vaccinations of a document."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING, Any

from kangyun.commons.exchange.decisions.cda import codes, datatypes
from kangyun.commons.exchange.decisions.cda.clinical import says_nothing
from kangyun.commons.exchange.decisions.cda.header import practitioner
from kangyun.commons.exchange.decisions.cda.narrative import referred
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first, is_null, text
from kangyun.commons.exchange.decisions.drafts import Draft

if TYPE_CHECKING:
    from kangyun.commons.exchange.decisions.cda.acts import Place

_PRODUCT = "consumable/manufacturedProduct"
_PERIODS = {"s", "min", "h", "d", "wk", "mo", "a"}
_FREQUENCY = "DE06.00.133.00"


def product(act: Element) -> dict[str, Any] | None:
    """What was given: the code and the name of the product; None where it is not named."""
    material = next((one for name in ("manufacturedMaterial", "manufacturedLabeledDrug") if (one := first(act, f"{_PRODUCT}/{name}")) is not None), None)
    code = first(material, "code")
    found = codes.concept(code) if code is not None else None
    words = text(material, "name") or referred(code) or referred(first(act, "text"))
    if found is None and not words:
        return None
    named = {"text": words} if words and not (found or {}).get("text") else {}
    return {**(found or {}), **named}


def medication(act: Element, place: Place) -> list[Draft]:
    """A medicine that is taken to a MedicationStatement, one that is ordered to a MedicationRequest."""
    what = product(act)
    if what is None or says_nothing(what):
        return []
    paper, ordered = place.paper, attribute(act, ".", "moodCode") in {"INT", "RQO"}
    span = _span(act, paper.sender.zone)
    common: dict[str, Any] = {
        "subject": paper.subject, "medicationCodeableConcept": what, "identifier": codes.identifiers(act),
    }  # fmt: skip
    dosage = _dosage(act, paper.sender.zone)
    if ordered:
        found = {
            **common, "resourceType": "MedicationRequest", "status": _order_status(act), "intent": "order", "encounter": paper.encounter,
            "authoredOn": span.get("start") or paper.occurred, "dosageInstruction": dosage,
        }  # fmt: skip
    else:
        refused = attribute(act, ".", "negationInd") == "true"
        found = {
            **common, "resourceType": "MedicationStatement", "status": "not-taken" if refused else _status(act), "context": paper.encounter,
            "effectivePeriod": span, "dateAsserted": paper.occurred, "dosage": dosage,
        }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, [], {})}
    return [place.paper.stated(filled, act, _key(what))]


def _status(act: Element) -> str:
    return {"active": "active", "completed": "completed", "aborted": "stopped", "suspended": "on-hold"}.get(attribute(act, "statusCode", "code"), "unknown")


def _order_status(act: Element) -> str:
    return {"active": "active", "completed": "completed", "aborted": "stopped", "suspended": "on-hold"}.get(attribute(act, "statusCode", "code"), "active")


def _key(concept: dict[str, Any]) -> str:
    codings = concept.get("coding")
    return str(codings[0]["code"]) if codings else str(concept.get("text", ""))


def _span(act: Element, zone: timezone) -> dict[str, str]:
    for element in every(act, "effectiveTime"):
        if attribute(element, ".", "type") not in {"PIVL_TS", "EIVL_TS", "SXPR_TS"} and (found := datatypes.period(element, zone)):
            return found
    return {}


def _dosage(act: Element, _zone: timezone) -> list[dict[str, Any]]:
    dose, rate = datatypes.amount(first(act, "doseQuantity")), datatypes.amount(first(act, "rateQuantity"))
    route = first(act, "routeCode")
    words = _words(act)
    given = {"doseQuantity": dose} if dose else {}
    found: dict[str, Any] = {
        "text": words, "timing": _timing(act), "route": codes.concept(route) if not is_null(route) and route is not None else None,
        "doseAndRate": [{**given, **({"rateQuantity": rate} if rate and rate.get("unit") else {})}] if given or (rate and rate.get("unit")) else [],
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    return [filled] if filled else []


def _words(act: Element) -> str:
    """The data elements below a medicine that FHIR has no place for, in words; and the words of the narrative."""
    told = [codes.own_text(one) for one in every(act, "text") if codes.own_text(one)]
    for inner in every(act, "entryRelationship/observation"):
        element = codes.entry(codes.element_code(inner))
        value = text(inner, "value") or attribute(inner, "value", "displayName") or attribute(inner, "value", "value")
        if element and value and element["code"] != _FREQUENCY:
            told.append(f"{element['zh']}：{value}{attribute(inner, 'value', 'unit')}")
    return "；".join(dict.fromkeys(told))


def _timing(act: Element) -> dict[str, Any] | None:
    for inner in every(act, "entryRelationship/observation"):
        if codes.element_code(inner) == _FREQUENCY:
            value = first(inner, "value")
            found = codes.concept(value) if value is not None and value.get("code") else {"text": text(value)} if value is not None and text(value) else None
            return {"code": found} if found else None
    for element in every(act, "effectiveTime"):
        period = first(element, "period")
        unit = attribute(period, ".", "unit")
        if attribute(element, ".", "type") == "PIVL_TS" and period is not None and unit in _PERIODS and (found := datatypes.amount(period)):
            return {"repeat": {"frequency": 1, "period": found["value"], "periodUnit": unit}}
    return None


def immunization(act: Element, place: Place) -> list[Draft]:
    """A vaccination to an Immunization; the same vaccine on the same day is one vaccination in every document."""
    what = product(act)
    if what is None or says_nothing(what):
        return []
    paper = place.paper
    when = _span(act, paper.sender.zone).get("start")
    refused = attribute(act, ".", "negationInd") == "true"
    maker = text(act, f"{_PRODUCT}/manufacturerOrganization/name")
    site, dose, number = first(act, "approachSiteCode"), datatypes.amount(first(act, "doseQuantity")), _dose_number(act)
    doctor = practitioner(first(act, "performer/assignedEntity"), paper)
    where = text(act, "performer/assignedEntity/representedOrganization/name")
    found: dict[str, Any] = {
        "resourceType": "Immunization", "status": "not-done" if refused else "completed", "vaccineCode": what, "patient": paper.subject,
        **({"occurrenceDateTime": when} if when else {"occurrenceString": "unknown"}), "identifier": codes.identifiers(act),
        "lotNumber": text(act, f"{_PRODUCT}/manufacturedMaterial/lotNumberText"), "manufacturer": {"display": maker} if maker else None,
        "site": codes.concept(site) if site is not None and not is_null(site) else None, "route": _route(act), "doseQuantity": dose,
        "performer": [{"actor": one} for one in (doctor, {"display": where} if where else None) if one],
        "protocolApplied": [{"doseNumberPositiveInt": number}] if number else [],
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    return [paper.once(filled, _key(what), when or "", str(number or ""))]


def _route(act: Element) -> dict[str, Any] | None:
    route = first(act, "routeCode")
    return codes.concept(route) if route is not None and not is_null(route) else None


def _dose_number(act: Element) -> int | None:
    value = attribute(act, "repeatNumber")
    return int(value) if value.isdecimal() and 0 < len(value) < 4 and int(value) else None
