"""The operations $validate and $everything's kin, and the CapabilityStatement, which states exactly what is true."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kangyun.base import clock
from kangyun.base.errors import Issue, operation_outcome, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.fhir.validation import validate
from kangyun.commons.records.api import wire
from kangyun.commons.records.api.interactions import caller, limits, pretty, type_of
from kangyun.commons.records.decisions.statement import parameters_elsewhere
from kangyun.commons.records.queries import search

_INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type")
_SYSTEM = ("transaction", "batch", "search-system", "history-system")
_DEFINITION = "http://hl7.org/fhir/OperationDefinition"


async def metadata(request: Request) -> Response:
    """GET [base]/metadata."""
    statement: dict[str, Any] = _statement(request.app.state.operations) | {"date": _started(), "url": f"{wire.base_url(request)}/metadata"}
    statement["implementation"] = {"description": "Kangyun 康云", "url": wire.base_url(request)}
    statement["rest"] = [statement["rest"][0] | {"security": _security(wire.base_url(request).removesuffix("/fhir"))}]
    return wire.json_response(pretty(fhir_json.dumps(statement), request))


def _security(root: str) -> dict[str, Any]:
    """Where apps get their tokens (SMART App Launch, conformance by the CapabilityStatement)."""
    system = "http://terminology.hl7.org/CodeSystem/restful-security-service"
    return {
        "extension": [{"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                       "extension": [{"url": name, "valueUri": f"{root}/oauth/{name}"} for name in ("authorize", "token", "introspect", "revoke")]}],
        "service": [{"coding": [{"system": system, "code": "SMART-on-FHIR"}]}],
    }


@cache
def _started() -> str:
    return clock.instant(clock.now())


@cache
def _statement(operations: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    supported = search.supported()
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "kind": "instance",
        "software": {"name": "Kangyun", "version": version("kangyun")},
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "rest": [{
            "mode": "server",
            "resource": [_resource(name, known, operations) for name, known in supported["types"].items()],
            "interaction": [{"code": code} for code in _SYSTEM],
        }],
    }


def _resource(name: str, known: dict[str, Any], operations: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": name,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{name}",
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "referencePolicy": ["literal", "logical"],
        "searchInclude": known["include"],
        "searchRevInclude": known["revinclude"],
        "searchParam": [
            {"name": p["name"], "type": p["type"], "definition": p["definition"]} for p in known["params"]
        ],
        "operation": _operations(name, operations),
    }
    elsewhere = parameters_elsewhere(name)
    if elsewhere is not None:
        params = [one for one in entry["searchParam"] if one["name"] in elsewhere]
        entry = {"type": name, "profile": entry["profile"], "interaction": [{"code": "read"}, {"code": "search-type"}], "searchParam": params}
    return {key: value for key, value in entry.items() if value != []}


# Where the operations are defined that others have standardised; ours are named after themselves.
_DEFINED = {
    "Patient-everything": f"{_DEFINITION}/Patient-everything",
    "Patient-match": f"{_DEFINITION}/Patient-match",
    "Patient-ihe-pix": "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix",
}


def offered(addresses: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Type and name of the operations that routes such as `/fhir/Patient/$match` and `/fhir/Person/{id}/$everything` offer."""
    parts = (address.split("/") for address in addresses if "/$" in address)
    return tuple(sorted({(part[2], part[-1][1:]) for part in parts if len(part) in {4, 5} and "{" not in part[2]}))


def _operations(name: str, more: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    found = [{"name": "validate", "definition": f"{_DEFINITION}/Resource-validate"}]
    for type_, operation in more:
        if type_ == name:
            title = f"{type_}-{operation}"
            found.append({"name": operation, "definition": _DEFINED.get(title, f"urn:kangyun:operation:{title}")})
    return found


async def validate_resource(request: Request) -> Response:
    """POST [base]/Type/$validate and [base]/Type/id/$validate; nothing is stored."""
    type_ = type_of(request)
    posted = await wire.resource(request, limits(request))
    resource, mode, profile = _parameters(posted)
    mode = request.query_params.get("mode", mode)
    issues: list[Issue] = []
    if mode == "delete":
        stored = await caller(request).fetch(type_, request.path_params.get("id", ""))
        issues += [] if stored else [Issue("not-found", "records.not-found", {"type": type_})]
    elif not isinstance(resource, dict):
        raise refuse(400, "required", "records.no-resource", "Parameters.parameter")
    elif resource.get("resourceType") != type_:
        actual = str(resource.get("resourceType"))[:64]
        issues.append(Issue("value", "records.type-mismatch", {"type": type_, "actual": actual}, "resourceType"))
    else:
        issues += validate(resource, warnings=True)
    if profile or "profile" in request.query_params:
        issues.append(Issue("not-supported", "records.no-profile", severity="warning"))
    if not any(issue.severity in {"error", "fatal"} for issue in issues):
        issues.append(Issue("informational", "records.valid", severity="information"))
    return wire.json_response(fhir_json.dumps(operation_outcome(issues, wire.language(request))))


def _parameters(posted: dict[str, Any]) -> tuple[Any, str | None, bool]:
    """The resource, the mode, and whether a profile was named."""
    if posted.get("resourceType") != "Parameters":
        return posted, None, False
    given = posted.get("parameter")
    named = {str(p.get("name")): p for p in (given if isinstance(given, list) else []) if isinstance(p, dict)}
    if "resource" not in named and "mode" not in named:
        return posted, None, False
    resource = named.get("resource", {}).get("resource")
    return resource, named.get("mode", {}).get("valueCode"), "profile" in named


async def unknown_operation(request: Request) -> Response:
    """Any other $operation."""
    raise refuse(404, "not-supported", "records.unknown-operation", name=request.path_params["operation"][:64])
