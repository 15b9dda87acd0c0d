"""Orders with their results: OBR, OBX, NTE and SPM of one ORU message in the order in which they stand."""

from __future__ import annotations

from typing import Any

from kangyun.commons.exchange.decisions import codes, numbers, results, times
from kangyun.commons.exchange.decisions.drafts import RESIDENT, Draft, Group, Sheet
from kangyun.commons.exchange.decisions.maps import segment_map, told
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.model import Fault

_TEXT_TYPES = {"TX", "FT", "ST"}


def order(segment: Segment, sheet: Sheet) -> None:
    """ORC: the order numbers that an OBR without its own takes over."""
    sheet.order = segment


def report(segment: Segment, sheet: Sheet) -> None:
    """OBR to DiagnosticReport; it opens a group of results."""
    found = segment_map("obr", sheet.sender).apply(segment, sheet)
    given = _order_numbers(segment, sheet) or _unordered(segment, sheet)
    if not given:
        raise Fault("exchange.no-order", "OBR-3", code="101")
    found["identifier"] = given
    placer = [one for one in given if one["type"]["coding"][0]["code"] == "PLAC"]
    if placer:
        found["basedOn"] = [{"type": "ServiceRequest", "identifier": placer[0]}]
    found["subject"] = sheet.subject
    if sheet.visit:
        found["encounter"] = sheet.visit.reference
    found.setdefault("issued", sheet.issued)
    found["performer"] = [sheet.organization()]
    effective = found.get("effectivePeriod", {})
    if effective and "end" not in effective:
        found["effectiveDateTime"] = found.pop("effectivePeriod")["start"]
    seed = (given[0]["system"], given[0]["value"], segment.text(4))
    of = sheet.specimen or specimen_told(segment, sheet, seed)
    if of:
        found["specimen"] = [of.reference]
    parent = _parent(segment, sheet)
    draft = sheet.add(found, *seed, join="result")
    is_document = codes.find("document_reports", segment.text(4), sheet.sender) is not None
    sheet.group = Group(draft, segment, seed, is_document, parent, specimen=of)
    sheet.groups.append(sheet.group)


def _unordered(segment: Segment, sheet: Sheet) -> list[dict[str, Any]]:
    """What is measured at the bedside has no order yet (ORU R30 to R32): the message's own number stands in."""
    if sheet.message.event not in {"R30", "R31", "R32"}:
        return []
    value = "/".join(one for one in (sheet.message.control_id, segment.text(1)) if one)
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "FILL"}]}
    return [{"type": kind, "system": f"{sheet.sender.urn}:messages", "value": value}]


def specimen_told(segment: Segment, sheet: Sheet, seed: tuple[str, ...]) -> Draft | None:
    """OBR-15: the specimen where no SPM tells of it, as before 2.5; collected at OBR-7, received at OBR-14."""
    if not segment.raw(15) or any(sheet.message.all("SPM")):
        return None
    parts = segment.parts(segment.raw(15))
    named = [segment.text(15, 1, 2), *parts[2:3], *parts[1:2]]
    kind = codes.concept([parts[0], next((one for one in named if one), ""), "HL70070"], sheet.sender)
    found: dict[str, Any] = {"resourceType": "Specimen", "subject": sheet.subject, "type": kind}
    for field, name in ((7, "collectedDateTime"), (14, "receivedTime")):
        if segment.text(field):
            try:
                when = times.to_datetime(segment.text(field), sheet.sender.zone)
            except Fault as fault:
                fault.place = f"OBR-{field}"
                raise
            found |= {"collection": {name: when}} if field == 7 else {name: when}
    return sheet.add({key: value for key, value in found.items() if value}, *seed, "OBR-15")


def _parent(segment: Segment, sheet: Sheet) -> Draft | None:
    """OBR-26 and OBR-29: the result, such as an organism, that this report tells more of; None where it tells of none."""
    name = [segment.raw(26).split(segment.delimiters.component, 2)[0], segment.text(26, 2)]
    if not name[0]:
        return None
    code = segment.delimiters.subcomponent.join(name[0].split(segment.delimiters.subcomponent)[:1])
    filler = segment.part(segment.raw(29), 2) or segment.part(segment.raw(29), 1)
    for group in sheet.groups:
        if filler and filler not in {one["value"] for one in group.draft.resource["identifier"]}:
            continue
        for told_, draft in group.told:
            if told_.text(3) == code and told_.text(4) == name[1]:
                return draft
    return None


def _order_numbers(segment: Segment, sheet: Sheet) -> list[dict[str, Any]]:
    """Filler number before placer number: the laboratory keeps its own number through every correction."""
    found: list[dict[str, Any]] = []
    if sheet.message.kind == "OUL":
        # There the ORC stands behind its OBR.
        behind = sheet.message.after(segment)
        sheet.order = behind if behind and behind.name == "ORC" else None
    for field, kind in ((3, "FILL"), (2, "PLAC")):
        source = segment if segment.raw(field) else sheet.order
        number = numbers.entity(source, field, kind, sheet) if source else {}
        found += [number] if number else []
    return found


def result(segment: Segment, sheet: Sheet) -> None:
    """OBX to Observation, or to a DocumentReference when it carries a document. Raises Fault."""
    group = sheet.group
    try:
        if segment.text(2).upper() in {"ED", "RP"} and segment.raw(5):
            _document(segment, sheet)
        elif group and group.is_document and segment.text(2).upper() in _TEXT_TYPES:
            _conclude(group, segment)
        elif not _continues(segment, sheet):
            _observe(segment, sheet)
    except Fault as fault:
        fault.occurrence = sum(1 for one in sheet.message.all("OBX") if one.index <= segment.index)
        raise


def _conclude(group: Group, segment: Segment) -> None:
    text = "\n".join(segment.part(one, 1) for one in segment.repetitions(5))
    known = group.draft.resource.get("conclusion", "")
    if text.strip():
        group.draft.resource["conclusion"] = f"{known}\n{text}" if known else text


def _continues(segment: Segment, sheet: Sheet) -> bool:
    """A text may be sent line by line, each line an OBX of the same code; they are one result."""
    last = sheet.last
    same = last is not None and segment.text(2).upper() in _TEXT_TYPES and _name(segment) == _name(last[0])
    if not same or last is None or "valueString" not in last[1].resource:
        return False
    line = results.observed(segment, sheet).get("valueString", "")
    last[1].resource["valueString"] += f"\n{line}"
    return True


def _name(segment: Segment) -> tuple[str, str]:
    return segment.raw(3), segment.raw(4)


def _observe(segment: Segment, sheet: Sheet) -> None:
    found = segment_map("obx", sheet.sender).apply(segment, sheet)
    found.update(results.observed(segment, sheet))
    _suffixed(found, segment, sheet)
    found["subject"] = sheet.subject
    if sheet.visit:
        found["encounter"] = sheet.visit.reference
    found.setdefault("performer", [sheet.organization()])
    of = sheet.specimen or (sheet.group.specimen if sheet.group else None)
    if of:
        found.setdefault("specimen", of.reference)
    draft = sheet.add(found, *_observation_seed(segment, found, sheet), join="result")
    _in_group(draft, sheet)
    if sheet.group:
        sheet.group.told.append((segment, draft))
    sheet.last = (segment, draft)


def _suffixed(found: dict[str, Any], segment: Segment, sheet: Sheet) -> None:
    """OBX-3 such as 71020&IMP: which part of a report this is; an impression is what the report concludes."""
    suffix = segment.text(3, 1, 2).upper()
    part = codes.table("report_parts").get(suffix)
    if part is None:
        return
    words = " ".join(one for one in (found["code"].get("text"), part) if one)
    found["code"] = {**found["code"], "text": words}
    if suffix == "IMP" and sheet.group and found.get("valueString"):
        whole = sheet.group.draft.resource
        whole["conclusion"] = "\n".join(one for one in (whole.get("conclusion"), found["valueString"]) if one)


def _observation_seed(segment: Segment, found: dict[str, Any], sheet: Sheet) -> tuple[str, ...]:
    group = sheet.group
    code = "^".join([segment.text(3, 1) or segment.text(3, 2), segment.text(3, 3), segment.text(4)])
    suffix = segment.text(3, 1, 2).upper()
    code = f"{code}&{suffix}" if suffix in codes.table("report_parts") else code
    if group is None:
        when = found.get("effectiveDateTime", sheet.occurred)
        return RESIDENT, sheet.sender.key, code, when
    # The same code twice without OBX-4 to tell them apart: their order does.
    count = group.counts[code] = group.counts.get(code, 0) + 1
    return (*group.seed, code, str(count)) if count > 1 else (*group.seed, code)


def _in_group(draft: Draft, sheet: Sheet) -> None:
    group, found = sheet.group, draft.resource
    issued = group.draft.resource.get("issued") if group else sheet.issued
    if issued:
        found.setdefault("issued", issued)
    if group is None:
        found.setdefault("effectiveDateTime", sheet.occurred)
        return
    group.draft.resource.setdefault("result", []).append(draft.reference)
    group.observations.append(draft)
    if group.parent is not None:
        found["derivedFrom"] = [group.parent.reference]
        group.parent.resource.setdefault("hasMember", []).append(draft.reference)
    whole = group.draft.resource
    found.setdefault("category", whole.get("category"))
    if not found["category"]:
        del found["category"]
    when = whole.get("effectiveDateTime") or whole.get("effectivePeriod", {}).get("start") or whole.get("issued")
    found.setdefault("effectiveDateTime", when or sheet.occurred)
    filler = whole["identifier"][0]
    number = "/".join([filler["value"], *(part for part in draft.seed[2:] if part)])
    found["identifier"] = [{"system": filler["system"], "value": number}]


def _document(segment: Segment, sheet: Sheet) -> None:
    group = sheet.group
    status = _document_status(segment, sheet)
    coded = codes.concept(segment.parts(segment.raw(3)), sheet.sender)
    found: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "status": "entered-in-error" if status in {"entered-in-error", "cancelled"} else "current",
        "docStatus": {"preliminary": "preliminary", "corrected": "amended"}.get(status, "final"),
        "type": (group.draft.resource.get("code") if group else None) or coded,
        "subject": sheet.subject,
        "date": sheet.issued,
        "custodian": sheet.organization(),
        "content": [{"attachment": results.attachment(segment)}],
    }
    if sheet.visit:
        found["context"] = {"encounter": [sheet.visit.reference]}
    seed = (*(group.seed if group else (RESIDENT, sheet.sender.key, sheet.occurred)), "ED", segment.text(3))
    if group is not None:
        _present(found, group, sheet)
    found = {key: value for key, value in found.items() if value}
    sheet.add(found, *seed, segment.text(4))


def _document_status(segment: Segment, sheet: Sheet) -> str:
    try:
        return results.result_status(segment, 11, sheet, {"table": "result_status"})
    except Fault as fault:
        fault.place = "OBX-11"
        raise


def _present(found: dict[str, Any], group: Group, sheet: Sheet) -> None:
    whole = group.draft.resource
    found["identifier"] = [{key: whole["identifier"][0][key] for key in ("system", "value")}]
    found["date"] = whole.get("issued") or sheet.issued
    found.setdefault("context", {})["related"] = [group.draft.reference]


def note(segment: Segment, sheet: Sheet) -> None:
    """NTE: a remark on the result before it; on a report it joins the conclusion."""
    text = "\n".join(segment.part(one, 1) for one in segment.repetitions(3)).strip()
    if not text:
        return
    if sheet.last is not None:
        notes = sheet.last[1].resource.setdefault("note", [])
        if notes:
            notes[0]["text"] += f"\n{text}"
        else:
            notes.append({"text": text})
    elif sheet.group is not None:
        whole = sheet.group.draft.resource
        whole["conclusion"] = f"{whole['conclusion']}\n{text}" if "conclusion" in whole else text


def specimen(segment: Segment, sheet: Sheet) -> None:
    """SPM to Specimen of the report before it."""
    if sheet.group is None:
        raise Fault("exchange.missing-segment", "OBR", {"segment": "OBR"}, code="100")
    draft = _specimen(segment, sheet, *sheet.group.seed)
    sheet.group.specimen = draft
    sheet.group.draft.resource.setdefault("specimen", []).append(draft.reference)
    for observation in sheet.group.observations:
        observation.resource["specimen"] = draft.reference


def first_specimen(segment: Segment, sheet: Sheet) -> None:
    """SPM that stands before the reports on it (OUL)."""
    sheet.group = None
    number = segment.text(2, 2) or segment.text(2) or segment.text(1)
    sheet.specimen = _specimen(segment, sheet, *((sheet.sender.urn, number) if segment.text(2) else (RESIDENT, sheet.occurred, number)))


def _specimen(segment: Segment, sheet: Sheet, *seed: str) -> Draft:
    return sheet.add(told("spm", segment, sheet), *seed, "SPM", segment.text(2) or segment.text(1))


def issued_at(sheet: Sheet) -> str | None:
    """When the message was sent, as an instant; nothing when MSH-7 does not tell the time of day."""
    try:
        return times.to_instant(sheet.message.header.text(7), sheet.sender.zone)
    except Fault:
        return None
