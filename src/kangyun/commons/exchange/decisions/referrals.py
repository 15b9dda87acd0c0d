"""Referrals: RF1 and PRD of REF to ServiceRequest.

HL7 v2.5.1 chapter 11, sections 11.6.1 RF1, 11.6.3 PRD; tables 0283, 0280, 0281 and 0286.
"""

from __future__ import annotations

from kangyun.commons.exchange.decisions import numbers
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.maps import told
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.people import human_name
from kangyun.commons.exchange.model import Fault

_ROLES = {"RP": "requester", "RT": "performer", "CP": "performer"}


def referral(segment: Segment, sheet: Sheet) -> None:
    """RF1 to ServiceRequest. Raises Fault when the referral has no number."""
    found = told("rf1", segment, sheet)
    given = [n for field, kind in ((6, "PLAC"), (11, "FILL")) if (n := numbers.entity(segment, field, kind, sheet))]
    if not given:
        raise Fault("exchange.missing-field", "RF1-6", code="101")
    found["identifier"] = given
    if sheet.message.event == "I14":
        found["status"] = "revoked"
    found.setdefault("status", "active")
    if "end" in found.get("occurrencePeriod", {}) and "start" not in found["occurrencePeriod"]:
        found["occurrencePeriod"]["start"] = found.get("authoredOn", sheet.occurred)
    sheet.request = sheet.add(found, given[0]["system"], given[0]["value"], "RF1", join="update")
    sheet.last = (segment, sheet.request)


def provider(segment: Segment, sheet: Sheet) -> None:
    """PRD: who refers, and to whom."""
    role = _ROLES.get(segment.text(1))
    name = human_name(segment, segment.raw(2), sheet.sender)
    if sheet.request is None or role is None or not name:
        return
    number = segment.text(7)
    person = {"identifier": [{"system": f"{sheet.sender.urn}:STAFF", "value": number}]} if number else {}
    key = number or str(name["text"])
    reference = sheet.entry("Practitioner", {**person, "name": [name]}, str(name["text"]), f"{sheet.sender.urn}:STAFF", key)
    if role == "requester":
        sheet.request.resource.setdefault("requester", reference)
    else:
        sheet.request.resource.setdefault("performer", []).append(reference)
