"""Numbers of accounts and visits that change, or turn out to be one: BAR and ADT A35, A36, A41, A42, A44, A45, A49 to A51.

What is stored stays under its old number; the two point at each other, so that a reader finds both.
"""

from __future__ import annotations

from typing import Any

from kangyun.commons.exchange.decisions.drafts import Draft, Sheet
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.people import identifier, system_of
from kangyun.commons.exchange.model import Fault

_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"


def entity(segment: Segment, field: int, kind: str, sheet: Sheet, repetition: int = 0) -> dict[str, Any]:
    """The Identifier of an EI field such as a placer's or a filler's number; empty where none is given."""
    repetitions = segment.repetitions(field)
    if repetition >= len(repetitions):
        return {}
    part = [segment.part(repetitions[repetition], n) for n in (1, 2, 3, 4)]
    if not part[0]:
        return {}
    system = system_of(part[1:], kind, sheet.sender)
    return {"type": {"coding": [{"system": _TYPES, "code": kind}]}, "system": system, "value": part[0]}


def account(segment: Segment, sheet: Sheet) -> Draft | None:
    """PID-18 to Account; None where the message names none."""
    number = identifier(segment, segment.raw(18), sheet.sender, "AN") if segment.raw(18) else {}
    if not number:
        return None
    found = {"resourceType": "Account", "status": _status(sheet), "identifier": [number], "subject": [sheet.subject]}
    sheet.account = sheet.add(found, number["system"], number["value"], join="update")
    return sheet.account


def _status(sheet: Sheet) -> str:
    return "inactive" if sheet.message.event in {"P02", "P06"} else "active"


def former_account(segment: Segment, sheet: Sheet) -> None:
    """MRG-3 to the Account that the one of PID-18 replaces. Raises Fault."""
    pid = sheet.message.first("PID")
    kept = account(pid, sheet) if pid else None
    old = identifier(segment, segment.raw(3), sheet.sender, "AN")
    if kept is None or not old:
        raise Fault("exchange.missing-field", "MRG-3" if kept else "PID-18", code="101")
    _former(kept, {"status": "inactive", "subject": [sheet.subject]}, old, sheet)


def former_visit(segment: Segment, sheet: Sheet) -> None:
    """PV1-19 with MRG-5 of the segment before it: the visit that this one replaces. Raises Fault."""
    mrg = next((one for one in reversed(sheet.message.segments[: segment.index]) if one.name == "MRG"), None)
    field = 6 if mrg and sheet.message.event == "A51" else 5
    old = identifier(mrg, mrg.raw(field), sheet.sender, "VN") if mrg and mrg.raw(field) else {}
    kept = sheet.visit.resource if sheet.visit else {}
    if sheet.visit is None or not old or "identifier" not in kept:
        raise Fault("exchange.missing-field", "PV1-19" if "identifier" not in kept else f"MRG-{field}", code="101")
    same = {"status": "unknown", "class": kept["class"], "subject": sheet.subject}
    _former(sheet.visit, same, old, sheet)


def _former(kept: Draft, content: dict[str, Any], old: dict[str, Any], sheet: Sheet) -> None:
    type_ = kept.type
    if (old["system"], old["value"]) == kept.seed:
        return
    kept.resource["identifier"] = [*kept.resource["identifier"], {**old, "use": "old"}]
    former = {"resourceType": type_, **content, "identifier": [old], "partOf": kept.reference}
    sheet.add(former, old["system"], old["value"], join="visit" if type_ == "Encounter" else "update")
