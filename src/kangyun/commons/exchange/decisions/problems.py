"""Problems and goals: PRB of PPR to Condition, GOL to Goal.

HL7 v2.5.1 chapter 12, sections 12.4.1 GOL and 12.4.2 PRB; tables 0287 and 0288.
"""

from __future__ import annotations

from kangyun.commons.exchange.decisions import numbers
from kangyun.commons.exchange.decisions.drafts import RESIDENT, Sheet
from kangyun.commons.exchange.decisions.maps import told
from kangyun.commons.exchange.decisions.message import Segment

_STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def problem(segment: Segment, sheet: Sheet) -> None:
    """PRB to Condition; DE, or a message that deletes, takes it back. Raises Fault."""
    found = told("prb", segment, sheet)
    number = numbers.entity(segment, 4, "FILL", sheet)
    if number:
        found["identifier"] = [number]
    gone = segment.text(1) == "DE" or sheet.message.event == "PC3"
    if gone:
        found["verificationStatus"] = {"coding": [{"system": _STATUS, "code": "entered-in-error"}]}
        found.pop("clinicalStatus", None)
    elif "abatementDateTime" in found:
        # An illness that has an end is not active (con-4).
        system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
        found["clinicalStatus"] = {"coding": [{"system": system, "code": "resolved"}]}
    seed = (number["system"], number["value"]) if number else (RESIDENT, sheet.sender.key, segment.text(3))
    draft = sheet.add(found, *seed, "PRB", join="update")
    sheet.last = (segment, draft)
    sheet.request = draft


def goal(segment: Segment, sheet: Sheet) -> None:
    """GOL to Goal of the problem before it; DE takes it back. Raises Fault."""
    found = told("gol", segment, sheet)
    number = numbers.entity(segment, 4, "FILL", sheet)
    if number:
        found["identifier"] = [number]
    if segment.text(1) == "DE":
        found["lifecycleStatus"] = "entered-in-error"
    if sheet.request is not None and sheet.request.type == "Condition":
        found["addresses"] = [sheet.request.reference]
    seed = (number["system"], number["value"]) if number else (RESIDENT, sheet.sender.key, segment.text(3))
    draft = sheet.add(found, *seed, "GOL", join="update")
    sheet.last = (segment, draft)
