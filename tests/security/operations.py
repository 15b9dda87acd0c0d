"""Every `$operation`, asked about something that is there and hidden, and about something that was never there.

What an operation reads of its Parameters is always there, so that it gets as far as it can; `Case` says what of it is secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kangyun.app.web import route_table
from kangyun.base.web.routing import GuardedRoute
from kangyun.commons.access.decisions import policy
from tests.security import words

Bag = Mapping[str, str]
"""Ids by kind: type of resource, or `number` of a prescription, `sitting`, `slot`."""

# What is kept of nobody: everybody may know which clinics and sittings there are.
SECRET = ("Patient", "Encounter", "Appointment", "Invoice", "Task", "SupplyDelivery", "Claim", "number")
# What stands in an address under another name than its type.
_TYPE = {"number": "MedicationRequest"}
_VERIFIED = ("Patient", "Encounter", "Task")


@dataclass(frozen=True, slots=True)
class Case:
    """A request of an operation: `secret` is the kind of what it asks about; '' where it asks about nobody."""

    route: GuardedRoute
    method: str
    path: str
    secret: str

    def address(self, bag: Bag) -> str:
        """The address with what the bag holds."""
        return self.path.format(**bag)


def cases() -> Iterator[Case]:
    """All operations, each once for every kind of secret that it may be asked about."""
    for entry in route_table():
        if not entry.path.startswith("/fhir/") or "/$" not in entry.path or "{operation}" in entry.path:
            continue
        for method in sorted((entry.methods or {"GET"}) - {"HEAD"}):
            for path, secrets in _paths(entry.path):
                yield from (Case(entry, method, path, secret) for secret in secrets)


def _paths(path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if "{type}" in path:
        for type_ in _VERIFIED:
            yield path.replace("{type}", type_).replace("{id}", f"{{{type_}}}"), (type_,) if "{id}" in path else ("Patient",)
        return
    type_ = path.split("/")[2]
    if path.endswith("$ihe-pix"):
        yield f"{path}?sourceIdentifier=urn:oid:2.16.156.10011.1.3|{{id_number}}", ("Patient",)
    elif "{id}" not in path:
        kinds = {"Appointment": ("Patient",), "MedicationRequest": ("number", "Patient", "Encounter"), "Claim": ("Patient", "Encounter"), "Coverage": ("Patient",), "Invoice": ("Patient",), "Patient": ("Patient",)}
        yield path, kinds.get(type_, ("",))
    else:
        yield path.replace("{id}", f"{{{type_}}}"), (type_,) if type_ in SECRET or type_ == "Person" else ("",)


# What stands behind a parameter of a page's address, by its name or by how the address begins.
_NAMED = {"patient": "Patient", "first": "Patient", "second": "Patient", "number": "number", "encounter": "Encounter", "parcel": "SupplyDelivery", "task": "Task", "refund": "refund"}
_BEGUN = {
    "/payments/": "Invoice", "/consult/visits": "Encounter", "/consult/doctor/visits": "Encounter", "/consult/operations/complaints": "Task", "/consult/number": "Appointment",
    "/appointments/booking": "Appointment", "/appointments/desk/queue": "sitting", "/appointments/sitting": "sitting", "/appointments/calendar": "Schedule",
    "/institutions": "Organization", "/consult/clinics": "HealthcareService",
}  # fmt: skip
_ABOUT = {"consultation": "Encounter", "prescription": "number"}
_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")


def forms() -> Iterator[Case]:
    """Every form of every page that names something in its address, from the routes of the application."""
    for entry in route_table():
        if "POST" in (entry.methods or ()) and not entry.path.startswith("/fhir") and ".api" not in entry.endpoint.__module__ and "{" in entry.path:
            for kind, about in _ABOUT.items() if "{kind}" in entry.path else [("", "")]:
                path = entry.path.replace("{kind}", kind).replace("{about}", f"{{{about}}}")
                kinds = [_kind(path, *found) for found in _PARAMETER.findall(path)]
                path = _PARAMETER.sub(lambda found: f"{{{_kind(path, *found.groups())}}}", path)  # noqa: B023 - called at once
                yield Case(entry, "POST", path, next((one for one in kinds if one in SECRET), ""))


def _kind(path: str, name: str, type_: str | None) -> str:
    if name in SECRET or type_ == "int":
        return name if name in SECRET else "whole"
    return _NAMED.get(name) or next((kind for begin, kind in _BEGUN.items() if name == "id" and path.startswith(begin)), "whole")


def fields(case: Case, bag: Bag, act: str) -> dict[str, str]:
    """A form with every field that the page reads; what is to be done is `act`."""
    known = {str(one["name"]): str(one.get("valueString", one.get("valueInteger", "yes"))) for one in body(case, bag)["parameter"]}
    return {name: known.get(name, act if name in _ACTS else "1") for name in {*words.said(case.route.endpoint), *_ACTS, "patient", "reason", "key"}}


_ACTS = {"act", "event", "deed", "state", "verdict"}


def acts(case: Case) -> list[str]:
    """What may be done by a form, as far as its page compares with it."""
    return words.values(case.route.endpoint)[:4] or ["x"]


def hidden_from(role: str, case: Case) -> bool:
    """Whether nobody of a role without a relation may see what the case asks about."""
    type_ = _TYPE.get(case.secret, case.secret)
    return bool(type_) and not any(where.place == "any" for where in policy.wheres(role, "read").get(type_, ()))


def body(case: Case, bag: Bag) -> dict[str, Any]:
    """Parameters with every word that some operation reads."""
    patient, encounter = {"reference": f"Patient/{bag['Patient']}"}, {"reference": f"Encounter/{bag['Encounter']}"}
    told: dict[str, Any] = {
        "number": bag["number"], "patient": bag["Patient"], "slot": bag["slot"], "sitting": bag["sitting"], "order": bag.get("ServiceRequest", "1"), "seal": "0" * 64, "scene": "phone",
        "reason": "other", "words": "x", "topic": "other", "event": "accept", "code": "1234", "client": "c1", "text": "x", "complaint": "头晕", "kind": "text", "means": "totp",
        "institution": bag["Organization"], "department": "A03", "title": "x", "day": "2026-12-01", "starts": "2026-11-01", "ends": "2026-11-30", "weekday": 1, "begins": "08:00", "minutes": 60, "numbers": 4,
        "template": 1, "way": "courier", "pharmacy": bag["Organization"], "courier": bag["Organization"], "name": "x", "address": "x", "phone": "13800000000", "sample": "1", "key": f"k-{case.path}",
        "practitioner": bag["Practitioner"], "role": "guardian", "invitation": "1", "celsius": 5, "line": 0, "yuan": "1", "doctor": 5, "service": 5, "channel": "wechat", "on": "2026-12-01",
    }
    values: list[dict[str, Any]] = [{"name": name, "valueInteger" if isinstance(value, int) else "valueString": value} for name, value in told.items()]
    if case.path.endswith("$pay"):
        values = [one for one in values if one["name"] != "total"]
    values += [{"name": name, "valueBoolean": True} for name in ("consent", "agreed", "accepted", "active", "sign", "restock")]
    values += [{"name": name, "valueMoney": {"value": 1, "currency": "CNY"}} for name in ("amount", "cash")]
    medicine = {"coding": [{"system": "urn:kangyun:drugs", "code": "C09CA01"}], "text": "氯沙坦"}
    line = {"resourceType": "MedicationRequest", "status": "draft", "intent": "order", "subject": patient, "encounter": encounter, "medicationCodeableConcept": medicine}
    values += [
        {"name": "prescription", "resource": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": line}]}},
        {"name": "invoice", "resource": {"resourceType": "Invoice", "status": "draft", "subject": patient, "issuer": {"reference": f"Organization/{bag['Organization']}"}, "lineItem": []}},
        {"name": "resource", "resource": _resource(case, bag, patient, encounter)}, {"name": "mode", "valueCode": "delete"},
    ]
    return {"resourceType": "Parameters", "parameter": values}


def _resource(case: Case, bag: Bag, patient: Mapping[str, str], encounter: Mapping[str, str]) -> dict[str, Any]:
    if "/Claim/" in case.path:
        return {
            "resourceType": "Claim", "status": "active", "use": "claim", "patient": patient, "provider": {"reference": f"Organization/{bag['Organization']}"}, "created": "2026-11-23",
            "type": {"coding": [{"code": "outpatient"}]}, "item": [{"sequence": 1, "encounter": [encounter], "productOrService": {"text": "x"}, "net": {"value": 1, "currency": "CNY"}}]}
    return {"resourceType": "Patient", "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": bag["id_number"]}], "name": [{"text": bag["name"]}], "birthDate": "1958-03-04"}


def absent(bag: Bag, kind: str) -> dict[str, str]:
    """The same bag, with what was never there in the place of one thing."""
    names = ("Patient", "id_number", "name") if kind == "Patient" else (kind,)
    return {**bag, **{name: _other(bag[name]) for name in names if name in bag}}


def _other(id_: str) -> str:
    """Another id of the same shape."""
    turned = str.maketrans("0123456789abcdef甲", "7890123456bcdefa乙")
    return id_[:-6] + id_[-6:].translate(turned) if id_.isascii() else "申屠不存"


def plain(status: int, text: str, *bags: Bag) -> str:
    """An answer without what was asked for and what differs from request to request."""
    for one in sorted({value for bag in bags for value in bag.values() if len(value) > 2}, key=len, reverse=True):
        text = text.replace(one, "")
    return f"{status} " + re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?|[0-9a-f]{8}-[0-9a-f-]{27}", "", text)

