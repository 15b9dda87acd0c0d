"""FHIR files to writes: a transaction bundle, a collection, one resource, or a line of NDJSON each."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import unquote

from kangyun.base.fhir import json as fhir_json
from kangyun.commons.access import Write
from kangyun.commons.exchange.model import Fault

_LINES = 200
_METHODS: dict[str, Literal["create", "update", "delete"]] = {"POST": "create", "PUT": "update", "DELETE": "delete"}


def commits_of(body: bytes) -> list[list[Write]]:
    """The writes that a file asks for, in groups that are committed together: a bundle whole, lines by the hundred.

    Raises Fault when it is neither FHIR nor JSON.
    """
    whole = _load(body)
    if whole is not None:
        return [_writes(whole)]
    resources = [_line(line, number) for number, line in enumerate(body.splitlines(), 1) if line.strip()]
    if not resources:
        raise Fault("exchange.not-json", unreadable=True)
    plain = [_writes(one) for one in resources if one.get("resourceType") != "Bundle"]
    together = [write for writes in plain for write in writes]
    groups = [together[start : start + _LINES] for start in range(0, len(together), _LINES)]
    return [*groups, *(_writes(one) for one in resources if one.get("resourceType") == "Bundle")]


def _line(line: bytes, number: int) -> dict[str, Any]:
    resource = _load(line)
    if resource is None:
        raise Fault("exchange.not-json", f"line {number}", unreadable=True)
    return resource


def _load(text: bytes) -> dict[str, Any] | None:
    try:
        found: Any = fhir_json.loads(text)
    except Exception:  # noqa: BLE001 - whatever a parser says about hostile text, it is not JSON
        return None
    return found if isinstance(found, dict) else None


def _writes(resource: dict[str, Any]) -> list[Write]:
    if not isinstance(resource.get("resourceType"), str):
        raise Fault("exchange.not-fhir", unreadable=True)
    if resource["resourceType"] != "Bundle":
        return [_plain(resource, None)]
    entries = resource.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in list[Any](entries)):
        raise Fault("exchange.not-fhir", "Bundle.entry", unreadable=True)
    return [_entry(entry) for entry in entries]


def _plain(resource: dict[str, Any], full_url: str | None) -> Write:
    type_, id_ = str(resource["resourceType"]), resource.get("id")
    if isinstance(id_, str) and not (full_url or "").startswith("urn:"):
        return Write("update", type_, resource, id=id_, full_url=full_url)
    return Write("create", type_, resource, full_url=full_url)


def _entry(entry: dict[str, Any]) -> Write:
    resource, request, full_url = entry.get("resource"), entry.get("request"), entry.get("fullUrl")
    if not isinstance(request, dict):
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise Fault("exchange.not-fhir", "Bundle.entry.resource", unreadable=True)
        return _plain(resource, full_url)
    method = _METHODS.get(str(request.get("method")))
    address, _, condition = str(request.get("url", "")).partition("?")
    type_, _, id_ = address.partition("/")
    if method is None or not type_ or (method != "delete" and not isinstance(resource, dict)):
        raise Fault("exchange.not-fhir", "Bundle.entry.request", unreadable=True)
    none_exist = request.get("ifNoneExist")
    asked = none_exist if isinstance(none_exist, str) else unquote(condition) or None
    return Write(method, type_, resource, id=id_ or None, condition=asked, full_url=full_url)
