"""An OpenAPI 3.0 description of every address of the platform: from the table of routes and the definitions of FHIR R4.

It is made to be tried out by a fuzzer, so beside what is right it allows what is not. What a deed reads of its Parameters, its
form or its query is looked up in the source of its room, so that a new deed is tried out with words that it knows.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from kangyun.app.web import route_table
from kangyun.base.fhir import definitions
from kangyun.base.web.routing import GuardedRoute
from tests.security import words

TYPES = [
    "Patient", "Person", "Observation", "Condition", "Encounter", "MedicationRequest", "Consent", "AuditEvent", "Provenance",
    "DocumentReference", "DiagnosticReport", "Organization", "Practitioner", "Task", "Claim", "CarePlan", "Basic", "Bundle",
    "Schedule", "Slot", "Appointment", "Communication", "Invoice", "SupplyDelivery", "MedicationDispense", "Coverage", "HealthcareService",
]  # fmt: skip
IDS = ["marked", "marked-pressure", "marked-report", "other", "nobody", "1", "0"]
_RESULTS = {
    "_count": ["0", "1", "50", "-1", "99999999999"], "_sort": ["_id", "-_lastUpdated", "nonsense"], "_total": ["accurate", "none"],
    "_summary": ["true", "count", "text", "data"], "_elements": ["id", "name,birthDate"], "_format": ["json", "xml"],
    "_include": ["*", "Observation:subject", "Observation:patient", "Encounter:patient"],
    "_revinclude": ["Observation:subject", "Provenance:target", "*"], "_lastUpdated": ["gt2020-01-01", "x"],
    "_has:Observation:subject:code": ["8480-6", "http://loinc.org|8480-6"], "_id": ["marked", "marked,other"],
    "subject:Patient.birthdate": ["1956-03-04"], "patient.gender": ["female"], "_cursor": ["x", "AAAA"], "page": ["1", "-1"],
    "_tag": ["a|b"], "_security": ["R"], "_type": ["Patient,Observation"], "_since": ["2020-01-01T00:00:00Z"],
}  # fmt: skip
_FIELDS = ["q", "name", "id", "patient", "person", "role", "account", "institution", "next", "number", "reason", "act", "sender", "token", "code"]
_LISTS = ["q", "part", "state", "name", "sender", "page", "lang", "next", "before"]
# What stands in addresses of pages, by the name of the parameter or, where that is `id`, by the beginning of the address.
_NUMBERS = {
    "number": ["prescriptions"], "parcel": ["parcels"], "encounter": ["Encounter"], "refund": ["refunds"], "patient": ["Patient"], "media": ["Media"],
    "task": ["Task"], "about": ["Encounter", "prescriptions"], "kind": ["kinds"], "channel": ["channels"], "day": ["days"], "name": ["sets"],
    "/appointments/schedule": ["schedules"], "/appointments/sitting": ["sittings"], "/appointments/booking": ["bookings"],
    "/appointments/desk": ["sittings", "schedules"], "/appointments/calendar": ["schedules", "HealthcareService"], "/payments/": ["orders", "Invoice"],
    "/consult/clinics": ["HealthcareService"], "/consult/operations": ["HealthcareService", "PractitionerRole", "Practitioner"],
    "/consult/hospitals": ["Organization"], "/consult/": ["Encounter"], "/institutions": ["Organization"], "/clinician": ["Patient"],
    "/insurance/findings": ["findings"], "/insurer/findings": ["findings"], "/insurer/claims": ["settlements"], "/resident/insurance": ["settlements"],
}  # fmt: skip
_ALWAYS = {
    "kinds": ["consultation", "prescription"], "channels": ["wechat", "alipay", "unionpay"], "days": ["2026-11-22", "2026-02-30"],
    "sets": ["alerts", "sessions", "prescriptions", "doctors"],
}
# What a value may be, whatever it is called: days, times, money, numbers too large and too small, texts that hurt.
_SAMPLES = [
    "2026-11-23", "2026-13-40", "0001-01-01", "9999-12-31", "08:30", "25:61", "12.34", "-1", "0", "99999999999999999999", "1e400", "NaN", "yes", "\x00",
    "😀", "'", "%", "_", "a" * 500, "I10 高血压", "text", "video", "courier", "pharmacy", "wechat", "C09CA01", "Patient/marked",
]  # fmt: skip
# Each address is asked some of the questions, so that together they are asked all.
_MOST_ASKED = 9
# What nobody is called.
_STRANGE = ["..", "x' OR '1'='1", "\x00", "病", "a" * 300, "%2e%2e%2f"]
_WHOLE = [0, 1, 5, -1, 2**31, 2**63, 10**30]
_ANY = {"type": "string", "maxLength": 60}
# Whatever JSON can say, but not much of it: endless trees take long to make and are refused alike.
_SCALAR: dict[str, Any] = {"anyOf": [_ANY, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"enum": [None, [], {}, [[]], [None]]}]}
_LOOSE: dict[str, Any] = {
    "anyOf": [
        {"type": "object", "properties": {"coding": {"type": "array", "items": {"type": "object", "properties": {"system": _SCALAR, "code": _SCALAR}, "additionalProperties": False}, "maxItems": 2}, "text": _SCALAR, "div": _SCALAR, "status": _SCALAR}, "additionalProperties": False},
        _SCALAR]}
_ROW: dict[str, Any] = {"anyOf": [{"type": "array", "items": {"anyOf": [_LOOSE, {"type": "object", "properties": {"url": _SCALAR, "name": _SCALAR, "valueString": _SCALAR, "resourceType": {"enum": TYPES}, "id": _SCALAR}, "additionalProperties": False}]}, "maxItems": 3}, _SCALAR]}


def description(ids: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """The whole description; `ids` of what is there, by type of resource or kind of number."""
    paths: dict[str, Any] = {}
    known = _ALWAYS | dict(ids or {})
    for entry in route_table():
        for path, type_ in _paths(entry):
            for method in sorted((entry.methods or {"GET"}) - {"HEAD", "OPTIONS"}):
                paths.setdefault(path, {}).setdefault(method.lower(), _operation(entry, (path, type_), method, known))
    return {"openapi": "3.0.3", "info": {"title": "Kangyun", "version": "4"}, "paths": paths}


def _paths(entry: GuardedRoute) -> list[tuple[str, str | None]]:
    """The addresses of a route, those of any resource type one by one."""
    plain = re.sub(r"\{(\w+):\w+\}", r"{\1}", entry.path)
    if not entry.path.startswith("/fhir") or "{type}" not in plain:
        return [(plain, None)]
    return [(plain.replace("{type}", type_), type_) for type_ in TYPES]


def _operation(entry: GuardedRoute, where: tuple[str, str | None], method: str, known: Mapping[str, list[str]]) -> dict[str, Any]:
    path, type_ = where
    asked = [_parameter(name, "path", _behind(path, name, known), required=True) for name in re.findall(r"\{(\w+)\}", path)]
    queries = _queries(entry, type_)
    chance = random.Random(f"{method} {path}")
    asked += [_parameter(name, "query", values) for name, values in chance.sample(queries, min(len(queries), _MOST_ASKED))]
    made: dict[str, Any] = {"parameters": asked, "responses": {"default": {"description": "any"}}, "x-permission": entry.permission}
    if method in {"POST", "PUT", "PATCH"}:
        made["requestBody"] = {"required": True, "content": _contents(entry, type_, known)}
    return made


def _behind(path: str, name: str, known: Mapping[str, list[str]]) -> list[str]:
    """What may stand at a parameter of an address."""
    if path.startswith("/fhir/") and name == "id":
        return [*known.get(path.split("/")[2], ()), "marked", "other", "nobody"]
    kinds = _NUMBERS.get(name) or next((kinds for begin, kinds in _NUMBERS.items() if path.startswith(begin)), [])
    found = [one for kind in kinds for one in known.get(kind, ())]
    return [*found, "marked", "1"] if found else IDS


def _parameter(name: str, place: str, values: list[str], *, required: bool = False) -> dict[str, Any]:
    shape = {"enum": [*values, *_STRANGE]} if place == "path" else {"anyOf": [{"enum": values}, _ANY]}
    return {"name": name, "in": place, "required": required, "schema": shape}


def _queries(entry: GuardedRoute, type_: str | None) -> list[tuple[str, list[str]]]:
    if not entry.path.startswith("/fhir"):
        own = words.asked(entry.endpoint)
        return [(name, ["1", "marked", "stored", "en", *_SAMPLES]) for name in dict.fromkeys([*own, *_LISTS])]
    own = sorted(definitions.load().search_params.get(type_, {}))[:12] if type_ and "{id}" not in entry.path else []
    return [*_RESULTS.items(), *((name, ["x", "a|b", "2020", "Patient/marked", "eq5"]) for name in own)]


def _contents(entry: GuardedRoute, type_: str | None, known: Mapping[str, list[str]]) -> dict[str, Any]:
    if entry.path.startswith("/fhir"):
        if entry.path.endswith("_search"):
            names = [*_RESULTS, "identifier", "name", "code"]
            return {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": dict.fromkeys(names, _ANY)}}}
        if "/$" in entry.path and not type_:
            resource = _resource(entry.path.split("/")[2]) | {"additionalProperties": _LOOSE}
            return {"application/fhir+json": {"schema": _deed(entry, known) if words.read(entry.endpoint) else {"anyOf": [_deed(entry, known), resource]}}}
        return {"application/fhir+json": {"schema": _resource(type_)}}
    if "/exchange/" in entry.path and ".api" in entry.endpoint.__module__:
        return {"text/plain": {"schema": {"type": "string", "maxLength": 400}}}
    said = words.said(entry.endpoint)
    values = [*IDS, "operator", "/", *_SAMPLES, *words.values(entry.endpoint), *_some(known)]
    fields: dict[str, Any] = {"type": "object", "properties": {name: {"enum": values} for name in said or _FIELDS}, "additionalProperties": False}
    form: dict[str, Any] = {"anyOf": [fields, fields | {"required": said or _FIELDS}]}
    if ".api" in entry.endpoint.__module__:
        return {"application/json": {"schema": form}, "application/x-www-form-urlencoded": {"schema": form}}
    return {"application/x-www-form-urlencoded": {"schema": form}}


def _some(known: Mapping[str, list[str]]) -> list[str]:
    """One or two of each kind of number."""
    return [one for kind, some in known.items() if kind not in _ALWAYS for one in some[:2]]


def _deed(entry: GuardedRoute, known: Mapping[str, list[str]]) -> dict[str, Any]:
    """Parameters by the names that the deed reads, mostly of the kind that it wants; now and then something else."""
    texts: dict[str, Any] = {"enum": [*_some(known), *_SAMPLES, *words.values(entry.endpoint), 5, None, [], {}]}
    values: dict[str, dict[str, Any]] = {
        "valueString": texts, "valueCode": texts, "valueInteger": {"enum": _WHOLE}, "valueDecimal": {"enum": [*_WHOLE, 0.1, "x"]}, "valueBoolean": {"enum": [True, True, False, "x"]},
        "valueDate": {"enum": _SAMPLES[:7]}, "valueReference": {"type": "object", "properties": {"reference": {"enum": [*_references(known), "x", 1]}}, "additionalProperties": False},
        "valueCoding": {"type": "object", "properties": {"code": texts, "display": texts}, "additionalProperties": False}, "valueBase64Binary": {"enum": ["eA==", "x", 1]},
        "valueMoney": {"enum": [{"value": 12.34, "currency": "CNY"}, {"value": "x"}, {}, 5]}, "valueQuantity": {"enum": [{"value": 2, "unit": "盒"}, {"value": None}, "x"]},
        "resource": {"enum": [{"resourceType": "MedicationRequest", "subject": {"reference": "Patient/marked"}}, {"resourceType": "QuestionnaireResponse"}, {}, 1]},
    }  # fmt: skip
    names = words.read(entry.endpoint) or dict.fromkeys(["code", "patient", "number", "seal", "claim", "total"], "text")
    one = [_item(name, kind, values[kind]) for name, reader in names.items() for kind in words.KINDS.get(reader, ["valueString"])]
    one += [_item(name, kind, values[kind]) for name in sorted(names)[:6] for kind in values]
    part = {"type": "object", "properties": {"name": {"enum": sorted(names)}, "part": {"type": "array", "items": {"anyOf": one[:40]}, "maxItems": 8}}, "required": ["name", "part"], "additionalProperties": False}
    wild = {"enum": [None, 1, "x", [], {}, {"name": 5}, {"name": [], "valueString": {}}, {"name": "code", "part": 1}, {"name": "line", "part": ["x", None]}]}
    lists = {"type": "array", "items": {"anyOf": [*one, part, part]}, "maxItems": 2 * len(names) + 2, "minItems": len(names)}
    broken = {"type": "array", "items": {"anyOf": [*one[:20], wild]}, "maxItems": 6}
    return {
        "type": "object", "required": ["resourceType", "parameter"], "additionalProperties": False, "properties": {
            "resourceType": {"enum": ["Parameters", "Parameters", "Parameters", "Parameters", "Appointment", "Patient"]},
            "parameter": {"anyOf": [lists, lists, lists, broken, {"enum": [None, True, 5, "x", {}]}]},
        },
    }  # fmt: skip


def _item(name: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"name": {"enum": [name]}, kind: schema}, "required": ["name", kind], "additionalProperties": False}


def _references(known: Mapping[str, list[str]]) -> list[str]:
    return ["Patient/marked", "Patient/other", *(f"{kind}/{one}" for kind, some in known.items() if kind[0].isupper() for one in some[:2])]


def _resource(type_: str | None) -> dict[str, Any]:
    reference = {"type": "object", "properties": {"reference": {"enum": ["Patient/marked", "Patient/other", "urn:uuid:x", "../../x", "Patient?name=x"]}}, "additionalProperties": False}
    entry = {
        "type": "object", "properties": {
            "fullUrl": _ANY, "resource": {"type": "object", "properties": {"resourceType": {"enum": TYPES}, "id": {"enum": IDS}, "subject": reference}, "additionalProperties": False},
            "request": {"type": "object", "properties": {
                "method": {"enum": ["GET", "POST", "PUT", "DELETE", "PATCH"]},
                "url": {"enum": ["Patient", "Patient/marked", "Observation?subject=Patient/marked", "Patient?_id=marked", "metadata", "../x"]}}, "additionalProperties": False},
        }, "additionalProperties": False,
    }  # fmt: skip
    properties: dict[str, Any] = {
        "resourceType": {"enum": [type_, type_, "Patient"] if type_ else ["Bundle"]}, "id": {"enum": IDS}, "status": {"enum": ["final", "active", "x"]},
        "type": {"enum": ["batch", "transaction", "searchset"]} if not type_ else _ROW,
        "meta": {"type": "object", "properties": {"versionId": _ANY, "lastUpdated": _ANY, "security": _ROW, "profile": _ROW}, "additionalProperties": False},
        "subject": reference, "patient": reference, "code": _LOOSE, "text": _LOOSE, "active": {"type": "boolean"},
        "parameter": _ROW, "extension": _ROW, "contained": _ROW,
    }  # fmt: skip
    if not type_:
        properties["entry"] = {"type": "array", "items": entry, "maxItems": 4}
    return {"type": "object", "properties": properties, "required": ["resourceType"], "additionalProperties": _SCALAR if type_ == "Patient" else False}
