"""Orders: ORC with OBR, TQ1, SPM and OBX of ORM, OMG and OML, to ServiceRequest; the order itself is known by its numbers.

HL7 v2.5.1 chapter 4, sections 4.5.1 ORC, 4.5.4 TQ1; tables 0119 and 0038.
"""

from __future__ import annotations

from typing import Any

from kangyun.commons.exchange.decisions import codes, numbers, reports
from kangyun.commons.exchange.decisions.drafts import RESIDENT, Draft, Sheet
from kangyun.commons.exchange.decisions.maps import segment_map, told
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.model import Fault

_MEDICINES = {"RXO", "RXE"}
_DETAILS = {"OBR", "RXO", "RXE", "RXD", "RXA", "RQD", "ODS", "ODT"}
_STOPPED = {"DC", "OD", "DR"}
_WHEN = {"occurrenceDateTime", "occurrenceTiming"}
# Structures in which the specimen stands before the orders for it.
_SPECIMEN_FIRST = {"O33", "O35"}


def request(segment: Segment, sheet: Sheet) -> None:
    """ORC: begins a ServiceRequest or a MedicationRequest, by what stands behind it."""
    sheet.order, sheet.request, sheet.detailed, sheet.group = segment, None, False, None
    if sheet.message.event not in _SPECIMEN_FIRST:
        sheet.specimen = None
    detail = detail_of(segment, sheet)
    if detail is None or detail.name not in {"RXD", "RXA"}:
        begin("MedicationRequest" if detail and detail.name in _MEDICINES else "ServiceRequest", segment, detail, sheet)


def detail_of(orc: Segment, sheet: Sheet) -> Segment | None:
    """The segment that says what an ORC orders."""
    for segment in sheet.message.segments[sheet.message.segments.index(orc) + 1 :]:
        if segment.name == "ORC":
            return None
        if segment.name in _DETAILS:
            return segment
    return None


def begin(type_: str, orc: Segment, detail: Segment | None, sheet: Sheet) -> Draft:
    """The draft of an order, with what its ORC says of it. Raises Fault when it has no number."""
    found: dict[str, Any] = told("orc", orc, sheet) if orc.name == "ORC" else {"subject": sheet.subject}
    found = {**found, "resourceType": type_, "intent": "order", "status": state(orc, type_)}
    given = order_numbers(orc, detail, sheet)
    if not given:
        raise Fault("exchange.no-order", f"{orc.name}-2", code="101")
    found["identifier"] = given
    seed = (str(given[0]["system"]), str(given[0]["value"]))
    if sheet.known(type_, *seed) and detail:
        seed = (*seed, detail.text(4) or detail.text(1))
    sheet.request = sheet.add(found, *seed, join="update")
    if sheet.specimen is not None and type_ == "ServiceRequest":
        _sent_with(sheet.specimen, sheet.request)
    return sheet.request


def _sent_with(specimen: Draft, order: Draft) -> None:
    specimen.resource.setdefault("request", []).append(order.reference)
    order.resource.setdefault("specimen", []).append(specimen.reference)


def order_numbers(orc: Segment | None, detail: Segment | None, sheet: Sheet) -> list[dict[str, Any]]:
    """Placer number before filler number, of ORC or OBR; where there is none, the number of the group."""
    found: list[dict[str, Any]] = []
    for field, kind in ((2, "PLAC"), (3, "FILL")):
        sources = [one for one in (orc, detail) if one is not None and one.name in {"ORC", "OBR"}]
        number = next((n for one in sources if (n := numbers.entity(one, field, kind, sheet))), None)
        found += [number] if number else []
    if not found and orc is not None and orc.name == "ORC":
        group = numbers.entity(orc, 4, "PGN", sheet)
        found += [group] if group else []
    return found


def state(orc: Segment, type_: str) -> str:
    """The status that ORC-1, else ORC-5, gives to an order of a type."""
    control = orc.text(1).upper() if orc.name == "ORC" else ""
    found = codes.table("order_control").get(control) or codes.table("order_status").get(orc.text(5).upper(), "active")
    if type_ == "MedicationRequest" and found == "revoked":
        return "stopped" if control in _STOPPED or orc.text(5) == "DC" else "cancelled"
    return str(found)


def service(segment: Segment, sheet: Sheet) -> None:
    """OBR of an order: what is ordered."""
    if sheet.request is None or sheet.detailed or sheet.request.type != "ServiceRequest":
        begin("ServiceRequest", sheet.order or segment, segment, sheet)
    assert sheet.request is not None
    sheet.detailed = True
    fill(sheet.request, segment_map("obr_request", sheet.sender).apply(segment, sheet))
    of = reports.specimen_told(segment, sheet, sheet.request.seed) if sheet.specimen is None else None
    if of:
        _sent_with(of, sheet.request)
    sheet.last = (segment, sheet.request)


def fill(draft: Draft, found: dict[str, Any]) -> None:
    """Let a segment say more about a draft; what an earlier one said stays."""
    if draft.resource.keys() & _WHEN:
        found = {key: value for key, value in found.items() if key not in _WHEN}
    for key, value in found.items():
        draft.resource.setdefault(key, value)


def timing(segment: Segment, sheet: Sheet) -> None:
    """TQ1: when and how urgently."""
    draft = sheet.request
    if draft is None:
        return
    name = "tq1_medicine" if draft.type == "MedicationRequest" else "tq1"
    found = segment_map(name, sheet.sender).apply(segment, sheet)
    dosage = found.pop("dosageInstruction", None)
    if dosage:
        held = draft.resource.setdefault("dosageInstruction", [{}])[0]
        for key, value in dosage[0].items():
            held.setdefault(key, value)
    if draft.type == "ServiceRequest" and "occurrenceTiming" in found:
        # How often says more than the first time alone, which may stand there already.
        draft.resource.pop("occurrenceDateTime", None)
        found.pop("occurrenceDateTime", None)
    if draft.type in {"ServiceRequest", "MedicationRequest"}:
        fill(draft, found)


def support(segment: Segment, sheet: Sheet) -> None:
    """OBX of an order: a finding that whoever carries it out should know."""
    known = len(sheet.drafts)
    reports.result(segment, sheet)
    if sheet.request is None:
        return
    name = {"ServiceRequest": "supportingInfo", "MedicationRequest": "supportingInformation"}.get(sheet.request.type)
    for draft in sheet.drafts[known:]:
        if name and draft.type in {"Observation", "DocumentReference"}:
            sheet.request.resource.setdefault(name, []).append(draft.reference)


def specimen(segment: Segment, sheet: Sheet) -> None:
    """SPM of an order: the specimen that is sent with it, or with all orders behind it. Raises Fault."""
    first = sheet.message.event in _SPECIMEN_FIRST
    if sheet.request is None and not first:
        raise Fault("exchange.missing-segment", "ORC", {"segment": "ORC"}, code="100")
    number = segment.text(2, 2) or segment.text(2)
    own = (RESIDENT, sheet.sender.key, sheet.occurred) if first or sheet.request is None else sheet.request.seed
    seed = (sheet.sender.urn, number) if number else (*own, segment.text(1))
    draft = sheet.add(told("spm", segment, sheet), *seed, "SPM")
    if first:
        sheet.specimen, sheet.request = draft, None
    elif sheet.request is not None:
        _sent_with(draft, sheet.request)
