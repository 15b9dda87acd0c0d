"""Medicines: RXO and RXE to MedicationRequest, RXD to MedicationDispense, RXA to MedicationAdministration or Immunization.

HL7 v2.5.1 chapter 4A, sections 4A.4.1 RXO to 4A.4.7 RXA; tables 0322, 0323 and 0206.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from kangyun.commons.exchange.decisions import codes, orders, reports, results, times
from kangyun.commons.exchange.decisions.drafts import RESIDENT, Draft, Sheet
from kangyun.commons.exchange.decisions.maps import segment_map, told
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.values import company_of
from kangyun.commons.exchange.model import Fault

_DOSAGES = {"MedicationRequest": "dosageInstruction", "MedicationDispense": "dosageInstruction"}
# Placeholders for "no number" of immunization registries, and the code of a message that gives no vaccine.
_NO_NUMBER = {"9999", "0"}
_NO_VACCINE = {"998", "999"}
_UNKNOWN = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
# Where lot number, expiry and manufacturer of what was given stand.
_BATCH = {"RXD": (18, 19, 20), "RXA": (15, 16, 17)}


def prescription(segment: Segment, sheet: Sheet) -> None:
    """RXO or RXE: the drug that is ordered. In a message about dispensing it stands for the order alone."""
    if sheet.request is None or sheet.request.type != "MedicationRequest":
        if sheet.order is None:
            raise Fault("exchange.missing-segment", "ORC", {"segment": "ORC"}, code="100")
        orders.begin("MedicationRequest", sheet.order, segment, sheet)
    assert sheet.request is not None
    found = segment_map(segment.name.lower(), sheet.sender).apply(segment, sheet)
    _required(found, "medicationCodeableConcept", f"{segment.name}-{1 if segment.name == 'RXO' else 2}")
    sheet.request.resource["identifier"] += found.pop("identifier", [])
    dosage = found.pop("dosageInstruction", None)
    if dosage:
        held = sheet.request.resource.setdefault("dosageInstruction", [{}])[0]
        held.update({key: value for key, value in dosage[0].items() if key not in held})
    # What the pharmacist has encoded (RXE) says more than what was asked for (RXO).
    sheet.request.resource.update({key: value for key, value in found.items() if key != "resourceType"})
    sheet.last = (segment, sheet.request)


def _required(found: dict[str, Any], name: str, place: str) -> None:
    if name not in found:
        raise Fault("exchange.missing-field", place, code="101")


def route(segment: Segment, sheet: Sheet) -> None:
    """RXR: how the drug is given."""
    draft = sheet.request
    if draft is None:
        return
    found = segment_map("rxr", sheet.sender).apply(segment, sheet)
    del found["resourceType"]
    if draft.type == "Immunization":
        found.pop("method", None)
        orders.fill(draft, found)
    elif draft.type == "MedicationAdministration" and found:
        # FHIR wants a dose wherever a route stands (mad-1); that it is not known is an answer, 999 in RXA-6.
        draft.resource.setdefault("dosage", {"dose": _UNKNOWN}).update(found)
    elif draft.type in _DOSAGES and found:
        draft.resource.setdefault(_DOSAGES[draft.type], [{}])[0].update(found)


def component(segment: Segment, sheet: Sheet) -> None:
    """RXC: one component of a mixture, as a note."""
    name, amount = segment.text(2, 2) or segment.text(2), segment.text(3)
    unit = segment.text(4, 2) or segment.text(4)
    if sheet.request is not None and name:
        text = " ".join(one for one in (segment.text(1), name, amount, unit) if one)
        sheet.request.resource.setdefault("note", []).append({"text": text})


def dispense(segment: Segment, sheet: Sheet) -> None:
    """RXD to MedicationDispense."""
    found = told("rxd", segment, sheet)
    _required(found, "medicationCodeableConcept", "RXD-2")
    order = _order(sheet)
    found["authorizingPrescription"] = [{"type": "MedicationRequest", "identifier": order}]
    if _control(sheet) in {"revoked", "entered-in-error"}:
        found["status"] = "cancelled"
    _batches(found, segment, sheet)
    seed = (order["system"], order["value"], "RXD", segment.text(1), segment.text(7) or found.get("whenHandedOver", ""))
    _given(sheet, found, segment, *seed)


def administration(segment: Segment, sheet: Sheet) -> None:
    """RXA of RAS to MedicationAdministration."""
    found = told("rxa", segment, sheet)
    _required(found, "medicationCodeableConcept", "RXA-5")
    order = _order(sheet)
    found["request"] = {"type": "MedicationRequest", "identifier": order}
    if segment.text(21) == "D":
        found["status"] = "entered-in-error"
    period = found.get("effectivePeriod", {})
    if period and "end" not in period:
        found["effectiveDateTime"] = found.pop("effectivePeriod")["start"]
    _batches(found, segment, sheet)
    _given(sheet, found, segment, order["system"], order["value"], "RXA", segment.text(2), segment.text(3))


def _batches(found: dict[str, Any], segment: Segment, sheet: Sheet) -> None:
    """Which lots were handed out or given: a contained Medication for each, beside the code by which all is found. Raises Fault."""
    at = _BATCH[segment.name]
    for number, (lot, expiry, maker) in enumerate(zip_longest(*(segment.repetitions(field) for field in at), fillvalue=""), 1):
        try:
            batch = {"lotNumber": segment.part(lot, 1), "expirationDate": times.to_date(expiry) if expiry else ""}
        except Fault as fault:
            fault.place = f"{segment.name}-{at[1]}"
            raise
        batch = {key: value for key, value in batch.items() if value}
        company = company_of(segment.part(maker, 1), segment.part(maker, 2), sheet) if maker else None
        if not batch and not company:
            continue
        one: dict[str, Any] = {"resourceType": "Medication", "id": f"lot{number}", "code": found["medicationCodeableConcept"]}
        one |= {"batch": batch} if batch else {}
        one |= {"manufacturer": company} if company else {}
        found.setdefault("contained", []).append(one)
        found.setdefault("supportingInformation", []).append({"reference": f"#lot{number}", "type": "Medication"})


def vaccination(segment: Segment, sheet: Sheet) -> None:
    """RXA of VXU to Immunization."""
    sheet.request = None
    if segment.text(5) in _NO_VACCINE:
        return
    found = told("rxa_vaccine", segment, sheet)
    numbers = _vaccine_numbers(sheet)
    if numbers:
        found["identifier"] = numbers
    if segment.text(21) == "D":
        found["status"] = "entered-in-error"
    if found["status"] != "not-done":
        found.pop("statusReason", None)
    first = numbers[0] if numbers else {}
    when = str(found["occurrenceDateTime"])[:10]
    seed = (first["system"], first["value"]) if first else (RESIDENT, sheet.sender.key, segment.text(5), when)
    _given(sheet, found, segment, *seed)


def _vaccine_numbers(sheet: Sheet) -> list[dict[str, Any]]:
    given = reversed(orders.order_numbers(sheet.order, None, sheet))
    return [one for one in given if one["value"] not in _NO_NUMBER]


def _given(sheet: Sheet, found: dict[str, Any], segment: Segment, *seed: str) -> None:
    sheet.request = sheet.add(found, *seed)
    sheet.last = (segment, sheet.request)


def _order(sheet: Sheet) -> dict[str, Any]:
    numbers = orders.order_numbers(sheet.order, None, sheet)
    if not numbers:
        raise Fault("exchange.no-order", "ORC-2", code="101")
    return numbers[0]


def _control(sheet: Sheet) -> str:
    return orders.state(sheet.order, "ServiceRequest") if sheet.order else "active"


def vaccine_fact(segment: Segment, sheet: Sheet) -> None:
    """OBX behind an RXA: dose number, funding, eligibility, the sheet that was handed out; else a result of its own."""
    kind = codes.table("vaccine_facts").get(segment.text(3))
    draft = sheet.request
    if kind is not None and not segment.text(5):
        return
    if draft is None or kind is None:
        known = len(sheet.drafts)
        reports.result(segment, sheet)
        for one in sheet.drafts[known:]:
            if draft is not None and one.type == "Observation":
                one.resource["partOf"] = [draft.reference]
        return
    try:
        _FACTS[kind](segment, sheet, draft)
    except Fault as fault:
        fault.place = fault.place or "OBX-5"
        raise


def _funding(segment: Segment, sheet: Sheet, draft: Draft) -> None:
    draft.resource["fundingSource"] = results.observed(segment, sheet).get("valueCodeableConcept") or {"text": segment.text(5)}


def _eligibility(segment: Segment, sheet: Sheet, draft: Draft) -> None:
    found = results.observed(segment, sheet).get("valueCodeableConcept") or {"text": segment.text(5)}
    draft.resource["programEligibility"] = [found]


def _dose(segment: Segment, _sheet: Sheet, draft: Draft) -> None:
    value = segment.text(5)
    name = "doseNumberPositiveInt" if value.isdecimal() and 0 < int(value) < 100 else "doseNumberString"
    draft.resource["protocolApplied"] = [{name: int(value) if name == "doseNumberPositiveInt" else value}]


def _published(segment: Segment, sheet: Sheet, draft: Draft) -> None:
    _handed(draft)["publicationDate"] = times.to_datetime(segment.text(5), sheet.sender.zone)


def _presented(segment: Segment, sheet: Sheet, draft: Draft) -> None:
    _handed(draft)["presentationDate"] = times.to_datetime(segment.text(5), sheet.sender.zone)


def _document(segment: Segment, _sheet: Sheet, draft: Draft) -> None:
    _handed(draft)["documentType"] = segment.text(5, 2) or segment.text(5)


def _handed(draft: Draft) -> dict[str, Any]:
    # A sheet whose kind nobody tells is still the vaccine's information statement.
    return draft.resource.setdefault("education", [{"documentType": "VIS"}])[0]


_FACTS: dict[str, Callable[[Segment, Sheet, Draft], None]] = {
    "funding": _funding, "eligibility": _eligibility, "dose": _dose, "published": _published,
    "presented": _presented, "document": _document,
}  # fmt: skip
