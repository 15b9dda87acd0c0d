"""Documents: TXA with its OBX of MDM to DocumentReference.

HL7 v2.5.1 chapter 9, section 9.6.1 TXA; tables 0270, 0271 and 0273.
"""

from __future__ import annotations

import base64
from typing import Any

from kangyun.commons.exchange.decisions import numbers, results
from kangyun.commons.exchange.decisions.drafts import Draft, Sheet
from kangyun.commons.exchange.decisions.maps import told
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.model import Fault

_ADDENDUM = {"T05", "T06"}
_REPLACEMENT = {"T09", "T10"}
_CANCELLED = {"T11"}


def document(segment: Segment, sheet: Sheet) -> None:
    """TXA to DocumentReference. Raises Fault when the document has no number of its own."""
    found = told("txa", segment, sheet)
    number = numbers.entity(segment, 12, "FILL", sheet)
    if not number:
        raise Fault("exchange.missing-field", "TXA-12", code="101")
    found["masterIdentifier"] = {"system": number["system"], "value": number["value"]}
    found["custodian"] = sheet.organization()
    found["status"] = "entered-in-error" if sheet.message.event in _CANCELLED else "current"
    found["context"] = _context(segment, sheet)
    if not found["context"]:
        del found["context"]
    draft = sheet.add(found, number["system"], number["value"], join="update")
    draft.fallback = {"content": [{"attachment": {"title": found.get("type", {}).get("text") or number["value"]}}]}
    sheet.request = draft
    _related(segment, draft, sheet)


def _context(segment: Segment, sheet: Sheet) -> dict[str, Any]:
    orders = [n for field, kind in ((14, "PLAC"), (15, "FILL")) if (n := numbers.entity(segment, field, kind, sheet))]
    related = [{"type": "ServiceRequest", "identifier": {"system": one["system"], "value": one["value"]}} for one in orders]
    found = {"encounter": [sheet.visit.reference] if sheet.visit else [], "related": related}
    return {key: value for key, value in found.items() if value}


def _related(segment: Segment, draft: Draft, sheet: Sheet) -> None:
    """TXA-13: the document that this one adds to or replaces."""
    event = sheet.message.event
    parent = numbers.entity(segment, 13, "FILL", sheet)
    if not parent or event not in _ADDENDUM | _REPLACEMENT:
        return
    number = {"system": parent["system"], "value": parent["value"]}
    bare = {"resourceType": "DocumentReference", "masterIdentifier": number, "subject": sheet.subject, "status": "current"}
    former = sheet.add(bare, parent["system"], parent["value"], join="update")
    if event in _REPLACEMENT:
        former.resource["status"] = "superseded"
    else:
        # Whether it is current is not for an addendum to say.
        former.fallback["status"] = former.resource.pop("status")
    former.fallback["content"] = [{"attachment": {"title": parent["value"]}}]
    code = "appends" if event in _ADDENDUM else "replaces"
    draft.resource["relatesTo"] = [{"code": code, "target": former.reference}]


def content(segment: Segment, sheet: Sheet) -> None:
    """OBX: the document itself, a file or lines of text. Raises Fault."""
    draft = sheet.request
    if draft is None:
        raise Fault("exchange.missing-segment", "TXA", {"segment": "TXA"}, code="100")
    if not segment.raw(5):
        return
    try:
        if segment.text(2).upper() in {"ED", "RP"}:
            draft.resource.setdefault("content", []).append({"attachment": results.attachment(segment)})
            return
        line = _line(results.observed(segment, sheet))
    except Fault as fault:
        fault.occurrence = sum(1 for one in sheet.message.all("OBX") if one.index <= segment.index)
        raise
    if line:
        _write(draft.resource.setdefault("content", []), line)


def _line(observed: dict[str, Any]) -> str:
    value = next(iter(observed.values()), "")
    if isinstance(value, dict):
        return str(value.get("text") or f"{value.get('value', '')} {value.get('unit', '')}".strip())
    return str(value)


def _write(contents: list[dict[str, Any]], line: str) -> None:
    """All lines of text are one attachment."""
    for one in contents:
        attachment = one["attachment"]
        if attachment.get("contentType") == "text/plain; charset=utf-8":
            line = base64.b64decode(attachment["data"]).decode() + "\n" + line
            attachment["data"] = base64.b64encode(line.encode()).decode()
            return
    data = base64.b64encode(line.encode()).decode()
    contents.append({"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}})
