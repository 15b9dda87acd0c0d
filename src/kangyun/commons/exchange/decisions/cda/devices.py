"""Supplies and devices of a document to Device with DeviceUseStatement, or to DeviceRequest where they are only wanted.

C-CDA R2.1: Non-Medicinal Supply Activity (V2), Product Instance, Medical Equipment Organizer; UDI as in the Companion Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kangyun.commons.exchange.decisions.cda import codes, datatypes
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first, is_null, text
from kangyun.commons.exchange.decisions.drafts import RESIDENT, Draft

if TYPE_CHECKING:
    from kangyun.commons.exchange.decisions.cda.acts import Place

_UDI = "2.16.840.1.113883.3.3719"
_WANTED = {"INT": "plan", "RQO": "order", "PRMS": "plan", "PRP": "proposal", "ARQ": "plan", "APT": "plan"}
_PRODUCTS = ("participant/participantRole", "product/manufacturedProduct")
_MEDICINES = {"2.16.840.1.113883.10.20.22.4.17", "2.16.840.1.113883.10.20.22.4.18", "2.16.840.1.113883.10.20.22.4.23"}


def supply(act: Element, place: Place) -> list[Draft]:
    """Something that a patient has been given, uses or is to get; medicines have their own entries."""
    product = _product(act)
    if product is None or _is_medicine(act):
        return []
    paper = place.paper
    span = datatypes.period(first(act, "effectiveTime"), paper.sender.zone)
    intent = _WANTED.get(attribute(act, ".", "moodCode"))
    if intent:
        return _wanted(act, place, product, intent, span)
    thing = device(product, place)
    if thing is None:
        return []
    amount = attribute(act, "quantity")
    found: dict[str, Any] = {
        "resourceType": "DeviceUseStatement", "status": "completed" if "end" in span else "active", "subject": paper.subject,
        "timingPeriod": span, "recordedOn": paper.occurred, "identifier": codes.identifiers(act),
        "note": [{"text": f"数量 {amount}"}] if amount else [],
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    # The reference is empty until the resident is known.
    filled["device"] = thing.reference
    return [paper.stated(filled, act, *thing.seed[-1:]), thing]


def device(product: Element, place: Place) -> Draft | None:
    """A product instance to a Device, the same in every document that names its number. None where it says nothing."""
    kind = _kind(product)
    numbers = codes.identifiers(product)
    udi = [attribute(one, ".", "extension") for one in every(product, "id") if attribute(one, ".", "root") == _UDI]
    others = [one for one in numbers if one["value"] not in udi]
    if kind is None and not numbers:
        return None
    maker = text(product, "scopingEntity/desc") or text(product, "manufacturerOrganization/name")
    found: dict[str, Any] = {
        "resourceType": "Device", "status": "active", "patient": place.paper.subject, "type": kind, "identifier": others,
        "udiCarrier": [{"carrierHRF": one} for one in udi if one], "manufacturer": maker,
        "modelNumber": text(product, "playingDevice/manufacturerModelName"), "lotNumber": text(product, "manufacturedMaterial/lotNumberText"),
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    own = (udi or [f"{one.get('system', '')}|{one['value']}" for one in others] or [_key(kind)])[0]
    known = place.paper.known("Device", RESIDENT, place.paper.sender.key, own)
    # Two entries about one device may each say only a part.
    return place.paper.once({**known.resource, **filled} if known else filled, own)


def used_in(act: Element, place: Place) -> list[dict[str, Any]]:
    """Procedure.focalDevice: what a procedure has put in, or worked on."""
    roles = (first(one, "participantRole") for one in every(act, "participant") if attribute(one, ".", "typeCode") == "DEV")
    things = (device(role, place) for role in roles if role is not None)
    return [{"manipulated": thing.reference} for thing in things if thing is not None]


def _wanted(act: Element, place: Place, product: Element, intent: str, span: dict[str, str]) -> list[Draft]:
    kind = _kind(product)
    if kind is None:
        return []
    found: dict[str, Any] = {
        "resourceType": "DeviceRequest", "status": "active", "intent": intent, "codeCodeableConcept": kind, "subject": place.paper.subject,
        "occurrencePeriod": span, "authoredOn": place.paper.occurred, "identifier": codes.identifiers(act),
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    return [place.paper.stated(filled, act, _key(kind))]


def _product(act: Element) -> Element | None:
    return next((one for path in _PRODUCTS for one in every(act, path)), None)


def _is_medicine(act: Element) -> bool:
    claimed = [*every(act, "templateId"), *every(act, "product/manufacturedProduct/templateId")]
    return any(attribute(one, ".", "root") in _MEDICINES for one in claimed)


def _kind(product: Element) -> dict[str, Any] | None:
    paths = ("playingDevice/code", "playingEntity/code", "manufacturedMaterial/code", "manufacturedLabeledDrug/code")
    told = (first(product, path) for path in paths)
    return next((found for one in told if one is not None and not is_null(one) and (found := codes.concept(one))), None)


def _key(concept: dict[str, Any] | None) -> str:
    codings = (concept or {}).get("coding")
    return f"{codings[0].get('system', '')}|{codings[0]['code']}" if codings else str((concept or {}).get("text", ""))
