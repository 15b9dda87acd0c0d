"""Master files: staff (STF, PRA), places (LOC, LDP, NPU), tests (OM1 to OM5), charges (CDM, PRC) and lists of codes (MFI, MFE).

HL7 v2.5.1 chapters 8 and 15; tables 0116 and 0180.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from kangyun.commons.exchange.decisions import codes, quantities
from kangyun.commons.exchange.decisions.drafts import Draft, Sheet
from kangyun.commons.exchange.decisions.maps import segment_map
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.people import system_of
from kangyun.commons.exchange.model import Fault

_GONE = {"MDL", "MDC"}


def entry(segment: Segment, sheet: Sheet) -> None:
    """MFE: whether the entry behind it is in use."""
    sheet.order = segment
    sheet.request = None


def in_use(sheet: Sheet) -> bool:
    """Whether the entry of a master file is in use, by the MFE before it."""
    return sheet.order is None or sheet.order.text(1).upper() not in _GONE


def staff(segment: Segment, sheet: Sheet) -> None:
    """STF to Practitioner, known by the number under which visits and results name the same person."""
    found = segment_map("stf", sheet.sender).apply(segment, sheet)
    listed = segment.repetitions(2)
    source = listed[0] if listed else segment.raw(1)
    number = segment.part(source, 1) or segment.text(1)
    if not number:
        raise Fault("exchange.missing-field", "STF-1", code="101")
    system = system_of([segment.part(source, 4, n) for n in (1, 2, 3)] if listed else ["", "", ""], "STAFF", sheet.sender)
    found["identifier"] = [{"system": system, "value": number}]
    found["active"] = in_use(sheet) and segment.text(7).upper() != "I"
    sheet.request = sheet.add(found, system, number, join="update")


def position(segment: Segment, sheet: Sheet) -> None:
    """PRA to PractitionerRole of the person before it."""
    person = sheet.request
    if person is None or person.type != "Practitioner":
        raise Fault("exchange.missing-segment", "STF", {"segment": "STF"}, code="100")
    found = segment_map("pra", sheet.sender).apply(segment, sheet)
    name = next((one.get("text") for one in person.resource.get("name", [])), None)
    found["practitioner"] = {**({"display": name} if name else {})}
    found["organization"] = sheet.organization()
    found["active"] = person.resource["active"]
    draft = sheet.add(found, *person.seed, segment.text(2) or "PRA", join="update")
    draft.resource["practitioner"] = person.reference


def location(segment: Segment, sheet: Sheet) -> None:
    """LOC to Location, known by the parts of its PL, as visits name it."""
    part = [*segment.parts(segment.raw(1)), *[""] * 9][:9]
    name = segment.text(2) or " ".join(one for one in (part[6], part[7], part[8], part[0], part[1], part[2]) if one)
    if not name:
        raise Fault("exchange.missing-field", "LOC-1", code="101")
    found = segment_map("loc", sheet.sender).apply(segment, sheet)
    found["status"] = "active" if in_use(sheet) else "inactive"
    found["name"] = name
    found["managingOrganization"] = sheet.organization()
    sheet.request = sheet.add(found, sheet.sender.key, *part, join="update")


# HL7 table 0116.
_BEDS = {"C": "Closed", "H": "Housekeeping", "O": "Occupied", "U": "Unoccupied", "K": "Contaminated", "I": "Isolated"}


def bed(segment: Segment, sheet: Sheet) -> None:
    """NPU to Location: whether a bed is free, known by the parts of its PL, as visits name it. Raises Fault."""
    part = [*segment.parts(segment.raw(1)), *[""] * 9][:9]
    name = " ".join(one for one in (part[0], part[1], part[2]) if one)
    status = segment.text(2).upper()
    if not name:
        raise Fault("exchange.missing-field", "NPU-1", code="101")
    if status not in _BEDS:
        raise Fault("exchange.bad-code" if status else "exchange.missing-field", "NPU-2", {"value": status}, code="103")
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0116", "code": status, "display": _BEDS[status]}
    found = {"resourceType": "Location", "operationalStatus": coding}
    draft = sheet.add(found, sheet.sender.key, *part, join="update")
    draft.fallback = {"status": "active", "name": name, "managingOrganization": sheet.organization()}


def file(segment: Segment, sheet: Sheet) -> None:
    """MFI of a general master file to CodeSystem: a list of codes that the sender uses. Raises Fault."""
    name = segment.text(1)
    if not name:
        raise Fault("exchange.missing-field", "MFI-1", code="101")
    found = {
        "resourceType": "CodeSystem", "status": "active", "content": "fragment",
        "url": f"{sheet.sender.urn}:{quote(name, safe='')}", "name": name, "title": segment.text(1, 2) or name,
    }
    sheet.request = sheet.add(found, sheet.sender.key, "MFI", name, join="list")


def listed(segment: Segment, sheet: Sheet) -> None:
    """MFE of a general master file: a code that is added, changed, no longer used, or deleted. Raises Fault."""
    draft = sheet.request
    if draft is None:
        raise Fault("exchange.missing-segment", "MFI", {"segment": "MFI"}, code="100")
    code, text = segment.text(4), segment.text(4, 2)
    if not code:
        raise Fault("exchange.missing-field", "MFE-4", code="101")
    action = segment.text(1).upper()
    if action == "MDL":
        draft.gone.append(code)
        return
    one: dict[str, Any] = {"code": code, **({"display": text} if text else {})}
    if action == "MDC":
        one["property"] = [{"code": "inactive", "valueBoolean": True}]
    # A code that a message tells twice is as it was told last.
    earlier = [other for other in draft.resource.get("concept", []) if other["code"] != code]
    draft.resource["concept"] = [*earlier, one]


def list_joined(held: dict[str, Any], draft: Draft) -> dict[str, Any]:
    """The list of codes after a message that tells only what changed in it."""
    concepts = {one["code"]: one for one in held.get("concept", [])}
    concepts |= {one["code"]: one for one in draft.resource.get("concept", [])}
    rest = [one for code, one in concepts.items() if code not in draft.gone]
    whole = {**held, **draft.resource, "concept": rest}
    return whole if rest else {key: value for key, value in whole.items() if key != "concept"}


def priced(segment: Segment, sheet: Sheet) -> None:
    """CDM to ChargeItemDefinition: one line of the sender's list of charges. Raises Fault."""
    code = codes.concept(segment.parts(segment.raw(1)), sheet.sender)
    number = segment.text(1)
    if code is None or not number:
        raise Fault("exchange.missing-field", "CDM-1", code="101")
    charged = in_use(sheet) and segment.text(8).upper() != "I"
    found = {
        "resourceType": "ChargeItemDefinition", "url": f"{sheet.sender.urn}:charges:{quote(number, safe='')}", "code": code,
        "status": "active" if charged else "retired", "title": segment.text(4) or segment.text(3) or code["text"],
        "identifier": [{"system": f"{sheet.sender.urn}:charges", "value": number}],
    }
    sheet.request = sheet.add(found, sheet.sender.key, "CDM", number, join="update")


def price(segment: Segment, sheet: Sheet) -> None:
    """PRC: the price of the charge before it. Raises Fault."""
    draft = sheet.request
    if draft is None or draft.type != "ChargeItemDefinition":
        raise Fault("exchange.missing-segment", "CDM", {"segment": "CDM"}, code="100")
    if not segment.text(5):
        return
    try:
        amount = {"value": quantities.decimal(segment.text(5)), "currency": segment.text(5, 1, 2) or "CNY"}
    except Fault as fault:
        fault.place = "PRC-5"
        raise
    draft.resource["propertyGroup"] = [{"priceComponent": [{"type": "base", "amount": amount}]}]


def department(segment: Segment, sheet: Sheet) -> None:
    """LDP: the department of the location before it, and whether it is in use."""
    draft = sheet.request
    if draft is None or draft.type != "Location":
        raise Fault("exchange.missing-segment", "LOC", {"segment": "LOC"}, code="100")
    concept = codes.concept(segment.parts(segment.raw(4)), sheet.sender) or codes.concept(segment.parts(segment.raw(2)), sheet.sender)
    if concept:
        draft.resource.setdefault("type", []).append(concept)
    if segment.text(6).upper() == "I":
        draft.resource["status"] = "inactive"


def observable(segment: Segment, sheet: Sheet) -> None:
    """OM1 to ObservationDefinition: one line of the sender's catalogue of tests."""
    found = segment_map("om1", sheet.sender).apply(segment, sheet)
    code = segment.text(2)
    if "code" not in found or not code:
        raise Fault("exchange.missing-field", "OM1-2", code="101")
    system = codes.system_of(segment.text(2, 3), sheet.sender) or sheet.sender.urn
    found["identifier"] = [{"system": system, "value": code}]
    kind = codes.table("value_types").get(segment.text(3).upper())
    if kind:
        found["permittedDataType"] = [kind]
    sheet.request = sheet.add(found, sheet.sender.key, system, code, join="update")


def measured(segment: Segment, sheet: Sheet) -> None:
    """OM2: the unit and the reference range of the test before it."""
    draft = _observable(sheet)
    unit = segment.text(2) or segment.text(2, 2)
    if unit:
        coded = quantities.ucum(unit)
        coding = [{"system": "http://unitsofmeasure.org", "code": coded}] if coded else []
        draft.resource["quantitativeDetails"] = {"unit": {**({"coding": coding} if coding else {}), "text": unit}}
    ranges = [_range(_bounds(one, segment), unit) for one in segment.repetitions(6)]
    found = [{"category": "reference", "range": one} for one in ranges if one]
    if found:
        draft.resource["qualifiedInterval"] = found


def _bounds(repetition: str, segment: Segment) -> str:
    """The range of an RFR: its first component is low&high; some write low^high, or both in one word."""
    first, _, second = repetition.partition(segment.delimiters.component)
    second = second.partition(segment.delimiters.component)[0]
    joined = first.replace(segment.delimiters.subcomponent, "-")
    return f"{first}-{second}" if joined == first and second.replace(".", "", 1).isdecimal() else joined


def _range(text: str, unit: str) -> dict[str, Any] | None:
    whole = quantities.reference_range(text, unit)
    return {key: whole[key] for key in ("low", "high") if key in whole} or None


def battery(segment: Segment, sheet: Sheet) -> None:
    """OM5: the tests that the one before it is made of."""
    draft = _observable(sheet)
    found: dict[str, Any] = {
        "resourceType": "ActivityDefinition",
        "status": "active" if in_use(sheet) else "retired",
        "kind": "ServiceRequest",
        "code": draft.resource["code"],
        "identifier": draft.resource["identifier"],
        "title": draft.resource["code"]["text"],
    }
    members = [codes.concept(segment.parts(one), sheet.sender) for one in segment.repetitions(2)]
    found["topic"] = [one for one in members if one]
    if not found["topic"]:
        del found["topic"]
    sheet.add(found, *draft.seed, join="update")


def _observable(sheet: Sheet) -> Any:
    if sheet.request is None or sheet.request.type != "ObservationDefinition":
        raise Fault("exchange.missing-segment", "OM1", {"segment": "OM1"}, code="100")
    return sheet.request
