"""Appointments: SCH with its resources (AIS, AIG, AIL, AIP) of SIU to Appointment; blocked time of nobody to Slot.

HL7 v2.5.1 chapter 10, sections 10.6.1 SCH to 10.6.7 AIP.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kangyun.commons.exchange.decisions import codes, numbers, times
from kangyun.commons.exchange.decisions.drafts import Draft, Sheet
from kangyun.commons.exchange.decisions.maps import segment_map
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.values import place, practitioners
from kangyun.commons.exchange.model import Fault

_MINUTES = {"MIN": 1, "M": 1, "MINUTES": 1, "": 1, "S": 1 / 60, "SEC": 1 / 60, "H": 60, "HR": 60, "分钟": 1, "小时": 60}
_WITH = {"AIP", "AIL", "AIG"}
_OFF = {"cancelled", "noshow", "entered-in-error"}
_TIMELESS = {"cancelled", "proposed", "waitlist"}


def appointment(segment: Segment, sheet: Sheet) -> None:
    """SCH to Appointment. Raises Fault when it has no number or no time."""
    found = segment_map("sch", sheet.sender).apply(segment, sheet)
    event = sheet.message.event
    by_event = codes.table("appointment_event").get(event)
    told = codes.table("appointment_status").get(segment.text(25).upper())
    found["status"] = told if by_event == "booked" and told else by_event or told or "booked"
    given = [n for field, kind in ((1, "PLAC"), (2, "FILL")) if (n := numbers.entity(segment, field, kind, sheet))]
    if not given:
        raise Fault("exchange.missing-field", "SCH-1", code="101")
    found["identifier"] = given
    _time(found, segment, sheet)
    found["participant"] = []
    sheet.request = sheet.add(found, given[0]["system"], given[0]["value"], join="update")
    if sheet.patients or any(sheet.message.all("PID")):
        found["participant"].append({"actor": sheet.subject, "required": "required", "status": _answer(found)})


def _answer(found: dict[str, Any]) -> str:
    return "declined" if found["status"] in _TIMELESS | {"noshow"} else "accepted"


def _time(found: dict[str, Any], segment: Segment, sheet: Sheet) -> None:
    """From SCH-11 until 2.6, from TQ1 after; the end is computed where only the length is told."""
    tq1 = sheet.message.first("TQ1")
    start = tq1.text(7) if tq1 and tq1.text(7) else segment.text(11, 4)
    end = tq1.text(8) if tq1 and tq1.text(7) else segment.text(11, 5)
    ais = next((one for one in sheet.message.segments if one.name in {"AIS", "AIP", "AIL", "AIG"} and _start_of(one)), None)
    start = start or (_start_of(ais) if ais else "")
    place_ = "TQ1-7" if tq1 and tq1.text(7) else "SCH-11"
    try:
        begins = times.to_instant(start, sheet.sender.zone) if start else None
        ends = times.to_instant(end, sheet.sender.zone) if end else None
    except Fault as fault:
        fault.place = place_
        raise
    if begins:
        found["start"] = begins
        found["end"] = ends or _later(begins, _length(segment))
        if times.moment(found["end"]) < times.moment(begins):
            raise Fault("exchange.ends-before-start", place_, code="102")
    elif found["status"] not in _TIMELESS:
        raise Fault("exchange.missing-field", place_, code="101")


def _start_of(segment: Segment) -> str:
    return segment.text({"AIS": 4, "AIP": 6, "AIL": 6, "AIG": 8}[segment.name])


def _length(segment: Segment) -> float:
    value, unit = segment.text(9), segment.text(10).upper()
    return float(value) * _MINUTES.get(unit, 1) if value.replace(".", "", 1).isdecimal() else 0


def _later(start: str, minutes: float) -> str:
    return (times.moment(start) + timedelta(minutes=minutes)).isoformat()


def appointed(segment: Segment, sheet: Sheet) -> None:
    """AIS, AIP, AIL: the service, the person or the place that the appointment is with."""
    draft = sheet.request
    if draft is None:
        raise Fault("exchange.missing-segment", "SCH", {"segment": "SCH"}, code="100")
    if segment.name == "AIS":
        concept = codes.concept(segment.parts(segment.raw(3)), sheet.sender)
        if concept:
            draft.resource.setdefault("serviceType", []).append(concept)
        return
    found = _actors(segment, sheet)
    answer = _answer(draft.resource)
    draft.resource["participant"] += [{"actor": one, "status": answer} for one in found]


def _actors(segment: Segment, sheet: Sheet) -> list[dict[str, Any]]:
    if segment.name == "AIP":
        return practitioners(segment, 3, sheet, {})
    if segment.name == "AIL":
        found = place(segment, 3, sheet, {})
        return [found] if found else []
    return []


def finished(sheet: Sheet) -> None:
    """An appointment needs somebody who takes part; blocked time of nobody becomes a Slot. Raises Fault."""
    draft = next((one for one in sheet.drafts if one.type == "Appointment"), None)
    if draft is None:
        return
    if sheet.message.event in {"S23", "S24"}:
        _block(draft, sheet)
    elif not draft.resource["participant"]:
        raise Fault("exchange.missing-segment", "PID", {"segment": "PID"}, code="100")
    elif draft.resource["status"] in _OFF and not any(one.name in _WITH for one in sheet.message.segments):
        # What only says that it is off does not say whom it would have been with; that stays.
        draft.fallback["participant"] = draft.resource.pop("participant")


def _block(draft: Draft, sheet: Sheet) -> None:
    actors = [one["actor"] for one in draft.resource["participant"] if one["actor"] is not sheet.subject]
    if not actors or "start" not in draft.resource:
        raise Fault("exchange.missing-segment", "AIP", {"segment": "AIP"}, code="100")
    schedule = sheet.add({"resourceType": "Schedule", "active": True, "actor": actors}, *draft.seed)
    draft.resource = {
        "resourceType": "Slot",
        "identifier": draft.resource["identifier"],
        "schedule": schedule.reference,
        "status": "busy-unavailable" if sheet.message.event == "S23" else "free",
        "start": draft.resource["start"],
        "end": draft.resource["end"],
    }
    draft.join = "replace"
    # The schedule must stand before what refers to it.
    sheet.drafts.remove(schedule)
    sheet.drafts.insert(sheet.drafts.index(draft), schedule)
