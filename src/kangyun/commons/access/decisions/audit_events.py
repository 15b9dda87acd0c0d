"""An event of the trail as an AuditEvent (FHIR R4), and what the search parameters of AuditEvent mean for the trail."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kangyun.base.rules import load
from kangyun.commons.access.model import Event

_SYSTEM = "http://terminology.hl7.org/CodeSystem"
_REST = "http://hl7.org/fhir/restful-interaction"
ACCOUNT = "urn:kangyun:actor"
ROLE = "urn:kangyun:role"
_ROOM_ACTION = "urn:kangyun:action"

# The letter of a resource that did several things is that of the gravest.
LETTERS = {"delete": "D", "update": "U", "create": "C", "read": "R", "history": "R"}
_OUTCOMES = {"ok": "0", "refused": "4", "failed": "8"}
_NAMES = {code: name for name, code in _OUTCOMES.items()}
_SUBTYPES = {
    "read": "read", "search": "search-type", "history": "history-instance", "create": "create", "update": "update", "delete": "delete",
}
_LOGINS = {"login": "110122", "logout": "110123"}
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_EMERGENCY = "ETREAT"
_PREFIXES = ("ge", "le", "gt", "lt", "eq", "sa", "eb")

# The search parameters of AuditEvent that the trail can answer.
SEARCHED = frozenset({
    "patient", "entity", "date", "agent", "agent-name", "agent-role", "altid", "action", "subtype", "outcome", "entity-type", "_lastUpdated",
})


def audit_event(id_: str, event: Event, patients: Sequence[str]) -> dict[str, Any]:
    """The resource; `patients` are the ids of the residents concerned."""
    words = event.action.split()
    resource: dict[str, Any] = {"resourceType": "AuditEvent", "id": id_, "type": _type(words)}
    subtypes = [_subtype(word) for word in words]
    resource |= {"subtype": subtypes} if subtypes else {}
    resource |= {"action": letter(words), "recorded": event.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    resource["outcome"] = _OUTCOMES.get(event.outcome, "8")
    resource |= {"outcomeDesc": event.more} if event.more else {}
    purpose = _purpose(event.purpose)
    resource |= {"purposeOfEvent": [purpose]} if purpose else {}
    resource["agent"] = [*_agents(event)]
    resource["source"] = {"observer": {"display": "康云 Kangyun"}, "type": [{"system": f"{_SYSTEM}/security-source-type", "code": "4"}]}
    entities = [*_entities(event, patients)]
    return resource | ({"entity": entities} if entities else {})


def letter(words: Sequence[str]) -> str:
    """C, R, U, D or E (whatever else) of the things done."""
    return next((LETTERS[word] for word in LETTERS if word in words), "E")


def _type(words: Sequence[str]) -> dict[str, str]:
    if any(word in _SUBTYPES for word in words):
        return {"system": f"{_SYSTEM}/audit-event-type", "code": "rest", "display": "RESTful Operation"}
    if any(word in _LOGINS for word in words):
        return {"system": _DICOM, "code": "110114", "display": "User Authentication"}
    return {"system": _DICOM, "code": "110100", "display": "Application Activity"}


def _subtype(word: str) -> dict[str, str]:
    if word in _SUBTYPES:
        return {"system": _REST, "code": _SUBTYPES[word]}
    return {"system": _DICOM, "code": _LOGINS[word]} if word in _LOGINS else {"system": _ROOM_ACTION, "code": word}


def _purpose(purpose: str) -> dict[str, Any] | None:
    if not purpose:
        return None
    code = load("kangyun.commons.access", "audit_purposes.yaml").map.get(purpose)
    coding = {"system": f"{_SYSTEM}/v3-ActReason", "code": code} if code else {"system": "urn:kangyun:purpose", "code": purpose}
    return {"coding": [coding]}


def _agents(event: Event) -> Iterator[dict[str, Any]]:
    agent: dict[str, Any] = {
        "role": [{"coding": [{"system": ROLE, "code": event.role}]}] if event.role else [],
        "who": {"identifier": {"system": ACCOUNT, "value": event.name}}, "altId": event.account or "", "name": event.name,
        "requestor": True, "policy": [f"urn:kangyun:permission:{event.permission}"] if event.permission else [],
    }
    if event.address:
        agent["network"] = {"address": event.address, "type": "2"}
    yield {name: value for name, value in agent.items() if value not in ("", [])}
    if event.institution:
        yield {"who": {"reference": f"Organization/{event.institution}"}, "requestor": False}


def _entities(event: Event, patients: Sequence[str]) -> Iterator[dict[str, Any]]:
    for id_ in patients:
        yield {"what": {"reference": f"Patient/{id_}"}, "type": _entity_type("1"), "role": _object_role("1")}
    for name in event.resources:
        type_, _, id_ = name.partition("/")
        if type_ != "Patient" or id_ not in patients:
            # What is no resource, such as client/<id>, is named by an identifier.
            what = {"reference": name} if type_[:1].isupper() else {"identifier": {"system": f"urn:kangyun:{type_}", "value": id_}}
            yield {"what": what, "type": _entity_type("2"), "role": _object_role("4")}
    if event.query:
        yield {"type": _entity_type("2"), "role": _object_role("24"), "query": base64.b64encode(event.query.encode()).decode()}


def _entity_type(code: str) -> dict[str, str]:
    return {"system": f"{_SYSTEM}/audit-entity-type", "code": code}


def _object_role(code: str) -> dict[str, str]:
    return {"system": f"{_SYSTEM}/object-role", "code": code}


def outcomes(codes: str) -> list[str]:
    """The outcomes that codes of AuditEvent.outcome stand for, with commas between."""
    return [_NAMES.get(code, code) for code in _codes(codes)]


def actions(codes: str) -> list[str]:
    """The words that letters of AuditEvent.action, or our own words, stand for; E alone is every word that has no other letter."""
    return [word for code in _codes(codes) for word in ([w for w, known in LETTERS.items() if known == code] or _executed(code))]


def _executed(code: str) -> list[str]:
    return [word for word in load("kangyun.commons.access", "audit_actions.yaml").map if word not in LETTERS] if code == "E" else [code]


def _codes(text: str) -> list[str]:
    return [part.rpartition("|")[2] for part in text.split(",") if part]


def span(value: str, zone: Any) -> tuple[datetime | None, datetime | None]:
    """From when (inclusive) to when (exclusive) a date parameter reaches, such as ge2026-01 or 2026-01-05; raises ValueError."""
    prefix, text = (value[:2], value[2:]) if value[:2] in _PREFIXES else ("eq", value)
    first, last = _reach(text, zone)
    return {
        "ge": (first, None), "gt": (last, None), "sa": (last, None), "le": (None, last), "lt": (None, first), "eb": (None, first),
    }.get(prefix, (first, last))


def _reach(text: str, zone: Any) -> tuple[datetime, datetime]:
    if len(text) == 4:
        return datetime(int(text), 1, 1, tzinfo=zone), datetime(int(text) + 1, 1, 1, tzinfo=zone)
    if len(text) == 7:
        first = datetime(int(text[:4]), int(text[5:]), 1, tzinfo=zone)
        return first, (first + timedelta(days=32)).replace(day=1)
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    steps = {10: timedelta(days=1), 16: timedelta(minutes=1)}
    fraction = timedelta(milliseconds=1) if "." in text else timedelta(seconds=1)
    return moment, moment + steps.get(len(text), fraction)


def check_example(rule: Any, given: Mapping[str, Any]) -> Any:
    """What a word of ours is called in the world's codes or in people's words."""
    return rule.map.get(given["word"])
