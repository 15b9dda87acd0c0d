"""A message to drafts of resources, by the rule file of its type and event."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.clock import instant, is_later
from kangyun.commons.exchange.decisions import appointments, times
from kangyun.commons.exchange.decisions.builders import BUILDERS
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.message import Message, Segment
from kangyun.commons.exchange.decisions.reports import issued_at
from kangyun.commons.exchange.decisions.senders import Sender
from kangyun.commons.exchange.model import Fault

_PACKAGE = "kangyun.commons.exchange"
# A hospital's clock that is a little wrong is no reason to lose its messages.
_CLOCK_AHEAD = timedelta(days=366)
# Where a new part of the message begins, a remark belongs to what went before no longer.
_ENDS_RESULT = {"OBR", "ORC", "PID", "PV1", "SPM"}


def translate(message: Message, sender: Sender, received: datetime) -> Sheet:
    """The drafts of a message. Raises Fault, naming segment and field, when it cannot be translated whole.

    `received` stands in where the message does not say when its event happened.
    """
    rule = rule_for(message)
    if not message.control_id:
        raise Fault("exchange.no-control-id", "MSH-10", code="101")
    sheet = Sheet(message, sender, _occurred(message, sender, received), None)
    sheet.issued = issued_at(sheet)
    _require(message, rule)
    makers = _makers(rule)
    seen: Counter[str] = Counter()
    for segment in message.segments:
        seen[segment.name] += 1
        if segment.name in _ENDS_RESULT:
            sheet.last = None
        maker = makers.get(segment.name)
        if maker is not None:
            _make(maker, segment, sheet, seen[segment.name])
    for number, patient in enumerate(sheet.patients, 1):
        if is_later(str(patient.get("birthDate", "")), received):
            raise Fault("exchange.in-the-future", "PID-7", code="102", occurrence=number)
    return _finished(sheet, rule)


def rule_for(message: Message) -> rules.Rule:
    """The rule file of a message's type and event. Raises Fault for those that none covers."""
    kind, event = message.kind, message.event
    name = _files().get(f"{kind}^{event}")
    if name is not None:
        return rules.load(_PACKAGE, name)
    why = rules.load(_PACKAGE, "hl7v2/not_taken.yaml").map.get(f"{kind}^{event}")
    if why:
        raise Fault(why, "MSH-9.2", {"event": _shown(kind, event)}, code="201", unreadable=True)
    if any(known.startswith(f"{kind}^") for known in _files()):
        raise Fault("exchange.unsupported-event", "MSH-9.2", {"event": _shown(kind, event)}, code="201", unreadable=True)
    raise Fault("exchange.unsupported-type", "MSH-9.1", {"type": _shown(kind, event)}, code="200", unreadable=True)


def each_patient(message: Message) -> list[Message]:
    """The messages that one makes up: where two patients change beds, one for each. Raises Fault."""
    if not rule_for(message).body.get("each"):
        return [message]
    whose = [segment for segment in message.segments if segment.name == "PID"]
    behind = [message.segments.index(one) for one in whose]
    if len(whose) != 2:
        raise Fault("exchange.two-persons-needed", "PID", code="100", occurrence=max(1, len(whose)))
    if whose[0].raw(3) == whose[1].raw(3):
        raise Fault("exchange.merge-itself", "PID-3", code="205", occurrence=2)
    head = message.segments[: behind[0]]
    parts = (message.segments[behind[0] : behind[1]], message.segments[behind[1] :])
    return [Message([*head, *part], message.delimiters) for part in parts]


def supported() -> dict[str, str]:
    """Every message type and event that is translated, as `ADT^A01`, with its rule file."""
    return dict(_files())


@lru_cache(maxsize=1)
def _files() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in rules.names(_PACKAGE):
        if name.startswith("hl7v2/") and name.count("/") == 1:
            body = rules.load(_PACKAGE, name).body
            found.update(dict.fromkeys(body.get("events", ()), name))
    return found


def _shown(kind: str, event: str) -> str:
    return "^".join(part[:12] for part in (kind, event) if part) or "?"


def _occurred(message: Message, sender: Sender, received: datetime) -> str:
    """EVN-6, else EVN-2, else MSH-7, else the moment of receipt. Raises Fault."""
    evn = message.first("EVN")
    for segment, field in ((evn, 6), (evn, 2), (message.header, 7)):
        text = segment.text(field) if segment else ""
        if segment and text:
            try:
                found = times.to_datetime(text, sender.zone)
            except Fault as fault:
                fault.place = f"{segment.name}-{field}"
                raise
            # After a clock that ran years ahead every message would be a late one.
            if is_later(found, received, _CLOCK_AHEAD):
                raise Fault("exchange.in-the-future", f"{segment.name}-{field}", code="102")
            return found
    return instant(received)


def _require(message: Message, rule: rules.Rule) -> None:
    present = {segment.name for segment in message.segments}
    for row in rule.table:
        if row.get("required") and row["segment"] not in present:
            raise Fault("exchange.missing-segment", row["segment"], {"segment": row["segment"]}, code="100")


@lru_cache(maxsize=64)
def _makers_of(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(pairs)


def _makers(rule: rules.Rule) -> dict[str, str]:
    return _makers_of(tuple((row["segment"], row["make"]) for row in rule.table))


def _make(maker: str, segment: Segment, sheet: Sheet, occurrence: int) -> None:
    try:
        BUILDERS[maker](segment, sheet)
    except Fault as fault:
        fault.occurrence = max(fault.occurrence, occurrence)
        raise


def _finished(sheet: Sheet, rule: rules.Rule) -> Sheet:
    if rule.body.get("pairs") and len(sheet.merged) != len(sheet.patients):
        raise Fault("exchange.missing-segment", "MRG", {"segment": "MRG"}, code="100")
    appointments.finished(sheet)
    if rule.body.get("two") and len(sheet.patients) != 2:
        raise Fault("exchange.second-person-missing", "PID", code="100")
    return sheet


def settle(sheet: Sheet, resident: str) -> list[tuple[str, dict[str, Any]]]:
    """Fix ids and references, now that the resident is known; gives (id, resource) for each draft, in order."""
    sheet.subject["reference"] = f"Patient/{resident}"
    ids = [draft.settle(resident) for draft in sheet.drafts]
    for draft in sheet.drafts:
        if draft.type == "DocumentReference":
            _point_at(draft.resource, draft.reference["reference"], sheet)
    return list(zip(ids, (draft.resource for draft in sheet.drafts), strict=True))


def _point_at(document: dict[str, Any], reference: str, sheet: Sheet) -> None:
    """The report shows the document by its address, so that its bytes are kept once."""
    if "content" not in document:
        return
    attachment = document["content"][0]["attachment"]
    shown = {key: value for key, value in attachment.items() if key != "data"}
    for related in document.get("context", {}).get("related", []):
        for draft in sheet.drafts:
            if draft.reference is related:
                draft.resource.setdefault("presentedForm", []).append({**shown, "url": reference})
