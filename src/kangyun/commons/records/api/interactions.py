"""Read, vread, create, update, delete and their conditional forms (FHIR R4, RESTful API 3.1.0)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kangyun.base.errors import Issue, operation_outcome, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.web.heads import header
from kangyun.commons.records.api import wire
from kangyun.commons.records.decisions.subset import check_summary, subset
from kangyun.commons.records.model import Caller, Stored, Write, Written, is_type


def caller(request: Request) -> Caller:
    """The gate's handle for whoever asks."""
    return request.state.handle


def limits(request: Request) -> wire.Limits:
    """The limits of request bodies."""
    settings = request.app.state.settings
    return wire.Limits(settings.max_body_bytes, settings.slow_client_seconds)


def type_of(request: Request) -> str:
    """The resource type of the address; raises Problem 404 when R4 has none of that name."""
    name = str(request.path_params["type"])
    if not is_type(name):
        raise refuse(404, "not-supported", "records.unknown-type", type=name[:64])
    return name


async def read(request: Request) -> Response:
    """GET [base]/Type/id."""
    type_ = type_of(request)
    stored = _present(await caller(request).fetch(type_, request.path_params["id"]), type_)
    if wire.not_modified(request, stored):
        return Response(status_code=304, headers=wire.stored_headers(stored))
    return _shown(request, stored)


async def vread(request: Request) -> Response:
    """GET [base]/Type/id/_history/version."""
    type_ = type_of(request)
    text = request.path_params["version"]
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise refuse(404, "not-found", "records.not-found", type=type_)
    stored = await caller(request).fetch_version(type_, request.path_params["id"], int(text))
    return _shown(request, _present(stored, type_))


async def create(request: Request) -> Response:
    """POST [base]/Type; If-None-Exist makes it conditional."""
    type_ = type_of(request)
    resource = await _body(request, type_)
    write = Write("create", type_, resource, condition=header(request.scope, b"if-none-exist"))
    [written] = await caller(request).write([write])
    return _answer(request, written)


async def update(request: Request) -> Response:
    """PUT [base]/Type/id; creates it when it is not there."""
    type_ = type_of(request)
    id_ = request.path_params["id"]
    resource = await _body(request, type_)
    if "id" not in resource:
        raise refuse(400, "required", "records.id-missing", f"{type_}.id")
    if resource["id"] != id_:
        raise refuse(400, "value", "records.id-mismatch", f"{type_}.id")
    expected = 0 if (header(request.scope, b"if-none-match") or "").strip() == "*" else wire.if_match(request)
    [written] = await caller(request).write([Write("update", type_, resource, id_, if_match=expected)])
    return _answer(request, written)


async def update_by_condition(request: Request) -> Response:
    """PUT [base]/Type?search."""
    type_ = type_of(request)
    resource = await _body(request, type_)
    write = Write("update", type_, resource, condition=request.url.query, if_match=wire.if_match(request))
    [written] = await caller(request).write([write])
    return _answer(request, written)


async def delete(request: Request) -> Response:
    """DELETE [base]/Type/id."""
    type_ = type_of(request)
    write = Write("delete", type_, id=request.path_params["id"], if_match=wire.if_match(request))
    [written] = await caller(request).write([write])
    headers = {"etag": f'W/"{written.version}"'} if written.version else {}
    return Response(status_code=204, headers=headers)


async def delete_by_condition(request: Request) -> Response:
    """DELETE [base]/Type?search; at most one resource is deleted."""
    type_ = type_of(request)
    await caller(request).write([Write("delete", type_, condition=request.url.query)])
    return Response(status_code=204)


def _present(stored: Stored | None, type_: str) -> Stored:
    if stored is None:
        raise refuse(404, "not-found", "records.not-found", type=type_)
    if stored.deleted:
        raise refuse(410, "deleted", "records.gone", type=type_)
    return stored


def _shown(request: Request, stored: Stored) -> Response:
    content = stored.json()
    if request.scope["query_string"]:
        content = shaped(content, request)
    return wire.json_response(content, 200, wire.stored_headers(stored))


def shaped(content: bytes, request: Request) -> bytes:
    """Apply _summary, _elements and _pretty of a single read."""
    query = request.query_params
    summary = check_summary(query["_summary"]) if "_summary" in query else None
    elements = chosen(query.multi_items())
    if summary not in {None, "false"} or elements:
        content = fhir_json.dumps(subset(fhir_json.loads(content), summary, elements))
    return pretty(content, request)


def chosen(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The names in _elements, however often it stands there."""
    return frozenset(part for name, value in pairs if name == "_elements" for part in value.split(",") if part)


def pretty(content: bytes, request: Request) -> bytes:
    """Indent the answer when _pretty=true."""
    if b"_pretty" in request.scope["query_string"] and request.query_params.get("_pretty") == "true":
        return msgspec.json.format(content, indent=2)
    return content


async def _body(request: Request, type_: str) -> dict[str, Any]:
    resource = await wire.resource(request, limits(request))
    actual = resource.get("resourceType")
    if not isinstance(actual, str):
        raise refuse(400, "structure", "records.no-resource")
    if actual != type_:
        raise refuse(400, "value", "records.type-mismatch", "resourceType", type=type_, actual=actual[:64])
    return resource


def _answer(request: Request, written: Written) -> Response:
    wanted = wire.prefer(request).get("return", "representation").lower()
    headers = {"location": wire.location(wire.base_url(request), written), "etag": f'W/"{written.version}"'}
    if written.stored:
        headers |= wire.stored_headers(written.stored)
    if wanted == "minimal" or written.stored is None:
        return Response(status_code=written.status, headers=headers)
    if wanted == "operationoutcome":
        stored = Issue("informational", "records.stored", severity="information")
        content = fhir_json.dumps(operation_outcome([stored], wire.language(request)))
        return wire.json_response(content, written.status, headers)
    return wire.json_response(written.stored.json(), written.status, headers)
