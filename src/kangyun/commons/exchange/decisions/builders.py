"""What a segment becomes: the flat map gives its elements, the function here gives references and identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from kangyun.base import rules
from kangyun.commons.exchange.decisions import (
    appointments,
    catalogues,
    charges,
    directory,
    documents,
    medicines,
    numbers,
    orders,
    problems,
    referrals,
    reports,
    visits,
)
from kangyun.commons.exchange.decisions.drafts import RESIDENT, Draft, Joint, Sheet
from kangyun.commons.exchange.decisions.maps import segment_map, told
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.people import human_name, identifiers
from kangyun.commons.exchange.decisions.values import place
from kangyun.commons.exchange.model import RAW_SYSTEM, Fault

_COVERAGE_CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"


def patient(segment: Segment, sheet: Sheet) -> None:
    """PID to Patient. Raises Fault when a second PID makes it unclear whose message this is."""
    if sheet.patients and len(sheet.merged) < len(sheet.patients):
        raise Fault("exchange.two-patients", "PID", code="100", occurrence=2)
    sheet.patients.append(described(segment, sheet))


def described(segment: Segment, sheet: Sheet) -> dict[str, Any]:
    """The Patient of a PID; each identifier once. Raises Fault when it has none."""
    found = segment_map("pid", sheet.sender).apply(segment, sheet)
    unique = {(one["system"], one["value"]): one for one in reversed(found.get("identifier", []))}
    if not unique:
        raise Fault("exchange.no-identifier", "PID-3", code="101")
    found["identifier"] = list(reversed(unique.values()))
    # A date of death says more than the bare flag; both cannot stand.
    if "deceasedDateTime" in found:
        found.pop("deceasedBoolean", None)
    if "multipleBirthInteger" in found:
        found.pop("multipleBirthBoolean", None)
    return found


def merge(segment: Segment, sheet: Sheet) -> None:
    """MRG: the identifiers that the Patient of the PID before it replaces, or had before. Raises Fault."""
    if len(sheet.merged) >= len(sheet.patients):
        raise Fault("exchange.missing-segment", "PID", {"segment": "PID"}, code="100")
    # Before 2.4, and in messages about external numbers, the number stands in MRG-4 or MRG-2.
    found = [one for field in (1, 4, 2) if (one := identifiers(segment, field, sheet, {"type": "MR"}))]
    if not found:
        raise Fault("exchange.missing-field", "MRG-1", code="101")
    old = next((one for one in found if not _shares(one, sheet.patients[-1])), None)
    if old is None:
        raise Fault("exchange.merge-itself", "MRG-1", code="205")
    sheet.joints.append(Joint(_joint_of(sheet), len(sheet.patients) - 1, old))


def _shares(old: list[dict[str, Any]], patient: dict[str, Any]) -> bool:
    own = {(one["system"], one["value"]) for one in patient["identifier"]}
    return any((one["system"], one["value"]) in own for one in old)


def _joint_of(sheet: Sheet) -> Literal["merge", "change", "link", "unlink"]:
    return rules.load("kangyun.commons.exchange", "hl7v2/joints.yaml").map[sheet.message.event]


def pair(segment: Segment, sheet: Sheet) -> None:
    """PID of a message about two people: they are one person, or are not. Raises Fault."""
    if len(sheet.patients) > 1:
        raise Fault("exchange.two-patients", "PID", code="100", occurrence=3)
    sheet.patients.append(described(segment, sheet))
    if len(sheet.patients) > 1:
        if _shares(sheet.patients[1]["identifier"], sheet.patients[0]):
            raise Fault("exchange.merge-itself", "PID-3", code="205", occurrence=2)
        sheet.joints.append(Joint(_joint_of(sheet), 0, sheet.patients[1]["identifier"]))


def with_account(segment: Segment, sheet: Sheet) -> None:
    """PID of a message about money: the Patient, and the Account of PID-18."""
    patient(segment, sheet)
    numbers.account(segment, sheet)


def removed(segment: Segment, sheet: Sheet) -> None:
    """PID of a message that takes a person back: the Patient is no longer in use."""
    patient(segment, sheet)
    sheet.patients[-1]["active"] = False


def additional(segment: Segment, sheet: Sheet) -> None:
    """PD1: more about the Patient of the PID before it."""
    if sheet.patients:
        found = segment_map("pd1", sheet.sender).apply(segment, sheet)
        sheet.patients[-1].update({key: value for key, value in found.items() if key != "resourceType"})


def related(segment: Segment, sheet: Sheet) -> None:
    """NK1 to RelatedPerson: who it is follows from NK1-33, else from the name and the kinship."""
    person = segment_map("nk1", sheet.sender).apply(segment, sheet)
    if len(person) == 1:
        return
    person["patient"] = sheet.subject
    own = segment.text(33) or "^".join([*segment.parts(segment.raw(2))[:2], segment.text(3)])
    sheet.add(person, RESIDENT, sheet.sender.key, own)


def visit(segment: Segment, sheet: Sheet) -> None:
    """PV1 to Encounter, with status, period and places by the event."""
    encounter = segment_map("pv1", sheet.sender).apply(segment, sheet)
    event = sheet.message.event
    seed = _visit_seed(encounter, sheet)
    if seed is None:
        if not visits.needs_visit(event):
            return
        raise Fault("exchange.no-visit", "PV1-19", code="101")
    encounter["subject"] = sheet.subject
    encounter["serviceProvider"] = sheet.organization()
    stay, pending, temporary = (place(segment, field, sheet, {}) for field in (3, 42, 11))
    visits.begin(encounter, event, sheet.occurred, stay, pending=pending, temporary=temporary)
    told = sheet.message.kind == "ADT"
    sheet.visit = sheet.add(encounter, *seed, join="visit", event=sheet.occurred if told else "")
    if visits.ends_waiting(event):
        sheet.visit.gone.append("planned")


def renumbered(segment: Segment, sheet: Sheet) -> None:
    """PV1 of a message that merges, moves or renumbers visits."""
    visit(segment, sheet)
    numbers.former_visit(segment, sheet)


def _visit_seed(encounter: dict[str, Any], sheet: Sheet) -> tuple[str, ...] | None:
    numbers = encounter.get("identifier", [])
    if numbers:
        return numbers[0]["system"], numbers[0]["value"]
    start = encounter.get("period", {}).get("start")
    if start and sheet.message.kind == "ADT":
        return RESIDENT, sheet.sender.key, start
    if sheet.message.event in {"A01", "A04"}:
        return RESIDENT, sheet.sender.key, sheet.occurred
    return None


def reason(segment: Segment, sheet: Sheet) -> None:
    """PV2-3, the reason of the visit, joins the Encounter."""
    if sheet.visit is not None:
        found = segment_map("pv2", sheet.sender).apply(segment, sheet)
        sheet.visit.resource.update({key: value for key, value in found.items() if key != "resourceType"})


def condition(segment: Segment, sheet: Sheet) -> Draft:
    """DG1 to Condition of the visit."""
    found = segment_map("dg1", sheet.sender).apply(segment, sheet)
    if "code" not in found:
        text = segment.text(4)
        if not text:
            raise Fault("exchange.missing-field", "DG1-3", code="101")
        found["code"] = {"text": text}
    found["subject"] = sheet.subject
    seed = sheet.visit.seed if sheet.visit else (RESIDENT, sheet.sender.key)
    if sheet.visit:
        found["encounter"] = sheet.visit.reference
    draft = sheet.add(found, *seed, _code_of(found))
    _diagnosed(draft, segment, sheet)
    return draft


def indication(segment: Segment, sheet: Sheet) -> None:
    """DG1 of an order or a referral: the Condition that is its reason."""
    draft = condition(segment, sheet)
    if sheet.request is not None:
        sheet.request.resource.setdefault("reasonReference", []).append(draft.reference)


def procedure(segment: Segment, sheet: Sheet) -> None:
    """PR1 to Procedure of the visit."""
    found = told("pr1", segment, sheet)
    if "code" not in found:
        raise Fault("exchange.missing-field", "PR1-3", code="101")
    seed = sheet.visit.seed if sheet.visit else (RESIDENT, sheet.sender.key)
    sheet.add(found, *seed, _code_of(found), found.get("performedDateTime", ""))


def _code_of(resource: dict[str, Any]) -> str:
    """What tells a diagnosis or an allergy from others: its first code, else its text."""
    concept: dict[str, Any] = resource["code"]
    codings: list[dict[str, Any]] = concept.get("coding", [])
    return str(codings[0]["code"] if codings else concept["text"])


def _diagnosed(draft: Draft, segment: Segment, sheet: Sheet) -> None:
    if segment.text(21) == "D":
        draft.resource["verificationStatus"] = _status("condition-ver-status", "entered-in-error")
        draft.resource.pop("clinicalStatus", None)
        return
    if sheet.visit is None:
        return
    roles = {"A": "AD", "F": "DD", "W": "AD"}
    role = roles.get(segment.text(6))
    entry: dict[str, Any] = {"condition": draft.reference}
    if role:
        system = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
        entry["use"] = {"coding": [{"system": system, "code": role}]}
    sheet.visit.resource.setdefault("diagnosis", []).append(entry)


def _status(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def allergy(segment: Segment, sheet: Sheet) -> None:
    """AL1 or IAM to AllergyIntolerance; IAM-6 says whether it is told or taken back."""
    found = segment_map(segment.name.lower(), sheet.sender).apply(segment, sheet)
    if segment.name == "IAM" and segment.text(6) == "D":
        found["verificationStatus"] = _status("allergyintolerance-verification", "entered-in-error")
        found.pop("clinicalStatus", None)
    found["patient"] = sheet.subject
    for reaction in found.get("reaction", []):
        if "manifestation" not in reaction:
            del found["reaction"]
            break
    sheet.add(found, RESIDENT, sheet.sender.key, _code_of(found))


def coverage(segment: Segment, sheet: Sheet) -> None:
    """IN1 to Coverage, its payer to the directory."""
    found = segment_map("in1", sheet.sender).apply(segment, sheet)
    found["beneficiary"] = sheet.subject
    plan, called = segment.text(2) or segment.text(2, 2), segment.text(2, 2) or segment.text(35)
    if plan:
        kind = {"coding": [{"system": _COVERAGE_CLASS, "code": "plan"}]}
        found["class"] = [{"type": kind, "value": plan, **({"name": called} if called else {})}]
    name = segment.text(4) or segment.text(2, 2) or segment.text(2)
    company = segment.text(3) or name
    if not company:
        raise Fault("exchange.missing-field", "IN1-3", code="101")
    content = {"name": name or company}
    found["payor"] = [sheet.entry("Organization", content, name or company, sheet.sender.key, "payer", company)]
    draft = sheet.add(found, RESIDENT, sheet.sender.key, company, segment.text(36) or segment.text(2))
    if sheet.account is not None:
        sheet.account.resource.setdefault("coverage", []).append({"coverage": draft.reference})


def guarantor(segment: Segment, sheet: Sheet) -> None:
    """GT1: who pays the account; the resident, or somebody known by name."""
    names = next((human_name(segment, one, sheet.sender) for one in segment.repetitions(3)), None)
    if sheet.account is None or not names:
        return
    own = segment.text(11).upper() in {"SEL", "SELF", "18", "0"}
    party = sheet.subject if own else {"type": "RelatedPerson", "display": str(names.get("text", ""))}
    sheet.account.resource.setdefault("guarantor", []).append({"party": party})


def provenance(sheet: Sheet, raw_id: int, targets: list[dict[str, str]], recorded: str) -> dict[str, Any]:
    """Who told us all this: the sending organisation, from the raw message of this number."""
    system = "http://terminology.hl7.org/CodeSystem"
    kind = f"{sheet.message.kind}^{sheet.message.event}"
    return {
        "resourceType": "Provenance",
        "target": targets,
        "recorded": recorded,
        "activity": {"coding": [{"system": f"{system}/v3-DataOperation", "code": "UPDATE"}], "text": kind},
        "agent": [{
            "type": {"coding": [{"system": f"{system}/provenance-participant-type", "code": "author"}]},
            "who": sheet.organization(),
        }],
        "entity": [{
            "role": "source",
            "what": {"identifier": {"system": RAW_SYSTEM, "value": str(raw_id)}, "display": kind},
        }],
    }  # fmt: skip


BUILDERS: dict[str, Callable[[Segment, Sheet], object]] = {
    "patient": patient, "merge": merge, "related": related, "visit": visit, "reason": reason, "condition": condition,
    "allergy": allergy, "coverage": coverage, "order": reports.order, "report": reports.report,
    "result": reports.result, "note": reports.note, "specimen": reports.specimen, "pair": pair, "removed": removed,
    "additional": additional, "renumbered": renumbered, "patient_account": with_account,
    "former_account": numbers.former_account, "procedure": procedure, "indication": indication,
    "first_specimen": reports.first_specimen, "request": orders.request, "service": orders.service,
    "timing": orders.timing, "support": orders.support, "requested_specimen": orders.specimen,
    "prescription": medicines.prescription, "route": medicines.route, "component": medicines.component,
    "dispense": medicines.dispense, "administration": medicines.administration, "vaccination": medicines.vaccination,
    "vaccine_fact": medicines.vaccine_fact, "appointment": appointments.appointment,
    "appointed": appointments.appointed, "document": documents.document, "content": documents.content,
    "charge": charges.charge, "referral": referrals.referral, "provider": referrals.provider,
    "problem": problems.problem, "goal": problems.goal, "guarantor": guarantor, "priced": directory.priced,
    "price": directory.price, "entry": directory.entry, "staff": directory.staff, "position": directory.position,
    "location": directory.location, "bed": directory.bed, "file": directory.file, "listed": directory.listed,
    "study": catalogues.study, "phase": catalogues.phase, "visit_of_study": catalogues.visit_of_study, "stocked": catalogues.stocked,
    "material": catalogues.material, "lot": catalogues.lot, "entry_of_list": catalogues.entry_of_list, "group": catalogues.group,
    "department": directory.department, "observable": directory.observable, "measured": directory.measured, "battery": directory.battery,
}  # fmt: skip
