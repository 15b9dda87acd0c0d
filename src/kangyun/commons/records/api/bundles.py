"""Batch and transaction (FHIR R4, RESTful API 3.1.0.11).

A transaction runs in the order of the specification: deletes, creates, updates, then reads; all or nothing. A batch
runs each entry by itself and reports each by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import Response

from kangyun.base import clock
from kangyun.base.errors import Problem, operation_outcome, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.commons.records.api import wire
from kangyun.commons.records.api.interactions import caller, limits
from kangyun.commons.records.api.searching import history_bundle, search_bundle
from kangyun.commons.records.model import Session, Stored, Write, Written, is_type

_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3, "HEAD": 3}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One entry, read but not yet done: a write, or an address to read."""

    place: str
    method: str
    address: str
    entry: dict[str, Any]
    write: Write | None


async def post_bundle(request: Request) -> Response:
    """POST [base] with a Bundle of type batch or transaction."""
    resource = await wire.resource(request, limits(request))
    request.scope["kangyun.bundle"] = resource
    kind = resource.get("type")
    if resource.get("resourceType") != "Bundle" or kind not in ("batch", "transaction"):
        raise refuse(400, "value", "records.bundle-type", "Bundle.type")
    entries = resource.get("entry", [])
    if not isinstance(entries, list):
        raise refuse(400, "structure", "records.bundle-request", "Bundle.entry")
    answers = await (_transaction if kind == "transaction" else _batch)(request, entries)
    content = b'{"resourceType":"Bundle","type":"%s-response"' % str(kind).encode()
    if answers:
        content += b',"entry":[' + b",".join(answers) + b"]"
    return wire.json_response(content + b"}")


async def _transaction(request: Request, entries: Sequence[Any]) -> list[bytes]:
    asked = [_read_entry(number, entry) for number, entry in enumerate(entries)]
    order = sorted(range(len(asked)), key=lambda n: _ORDER[asked[n].method])
    writes = [n for n in order if asked[n].write is not None]
    answers: dict[int, bytes] = {}
    async with caller(request).transaction() as session:
        done = await session.write([w for n in writes if (w := asked[n].write)], [asked[n].place for n in writes])
        for number, written in zip(writes, done, strict=True):
            answers[number] = _written(request, written)
        for number in order:
            if asked[number].write is None:
                answers[number] = await _looked_up(request, session, asked[number])
    return [answers[number] for number in range(len(asked))]


async def _batch(request: Request, entries: Sequence[Any]) -> list[bytes]:
    return [await _one(request, number, entry) for number, entry in enumerate(entries)]


async def _one(request: Request, number: int, entry: Any) -> bytes:
    try:
        asked = _read_entry(number, entry)
        if asked.write is None:
            return await _looked_up(request, caller(request), asked)
        [written] = await caller(request).write([asked.write], [asked.place])
        return _written(request, written)
    except Problem as problem:
        outcome = fhir_json.dumps(operation_outcome(problem, wire.language(request)))
        return b'{"response":{"status":"%d","outcome":%s}}' % (problem.status, outcome)


def _read_entry(number: int, entry: Any) -> _Asked:
    place = f"Bundle.entry[{number}]"
    asked = entry.get("request") if isinstance(entry, dict) else None
    method, url = (asked.get("method"), asked.get("url")) if isinstance(asked, dict) else (None, None)
    if not isinstance(method, str) or not isinstance(url, str):
        raise refuse(400, "required", "records.bundle-request", f"{place}.request")
    if method not in _ORDER:
        raise refuse(400, "not-supported", "records.bundle-method", f"{place}.request.method", method=method[:16])
    write = None if _ORDER[method] == 3 else _write(place, method, url, entry)
    return _Asked(place, method, url, entry, write)


def _write(place: str, method: str, url: str, entry: dict[str, Any]) -> Write:
    path, _, condition = url.partition("?")
    type_, _, id_ = path.strip("/").partition("/")
    if not is_type(type_) or "/" in id_ or (method == "POST" and (id_ or condition)):
        raise refuse(400, "value", "records.bundle-request", f"{place}.request.url")
    if method != "POST" and not id_ and not condition:
        raise refuse(400, "value", "records.bundle-request", f"{place}.request.url")
    if_match = _if_match(place, entry["request"])
    if method == "DELETE":
        return Write("delete", type_, id=id_ or None, condition=condition or None, if_match=if_match)
    resource = _resource(place, type_, entry)
    full_url = entry.get("fullUrl") if isinstance(entry.get("fullUrl"), str) else None
    if method == "POST":
        exist = entry["request"].get("ifNoneExist")
        if not isinstance(exist, str | None):
            raise refuse(400, "value", "records.bundle-request", f"{place}.request.ifNoneExist")
        return Write("create", type_, resource, condition=exist, full_url=full_url)
    if id_ and resource.get("id") != id_:
        raise refuse(400, "value", "records.id-mismatch", f"{place}.resource.id")
    return Write("update", type_, resource, id_ or None, if_match, condition or None, full_url)


def _if_match(place: str, asked: dict[str, Any]) -> int | None:
    text = asked.get("ifMatch")
    if asked.get("ifNoneMatch") == "*":
        return 0
    try:
        return None if text is None else wire.etag_version(str(text))
    except Problem as problem:
        raise refuse(400, "value", "records.bad-if-match", f"{place}.request.ifMatch") from problem


def _resource(place: str, type_: str, entry: dict[str, Any]) -> dict[str, Any]:
    resource = entry.get("resource")
    if not isinstance(resource, dict):
        raise refuse(400, "required", "records.bundle-resource", f"{place}.resource")
    actual = resource.get("resourceType")
    if actual != type_:
        raise refuse(400, "value", "records.type-mismatch", f"{place}.resource", type=type_, actual=str(actual)[:64])
    return resource


def _written(request: Request, written: Written) -> bytes:
    base = wire.base_url(request)
    answer: dict[str, Any] = {"status": {201: "201 Created", 200: "200 OK", 204: "204 No Content"}[written.status]}
    if written.status != 204 and written.version:
        answer["location"] = wire.location(base, written)
    if written.version:
        answer |= {"etag": f'W/"{written.version}"', "lastModified": clock.instant(written.updated)}
    text = fhir_json.dumps({"response": answer})
    if wire.prefer(request).get("return") == "representation" and written.stored:
        full = f'"fullUrl":"{base}/{written.type}/{written.id}"'
        return b"{%s,%s,%s" % (full.encode(), b'"resource":' + written.stored.json(), text[1:])
    return text


async def _looked_up(request: Request, session: Session, asked: _Asked) -> bytes:
    path, _, query = asked.address.partition("?")
    parts = [unquote(part) for part in path.strip("/").split("/") if part]
    place = f"{asked.place}.request.url"
    if not parts or not is_type(parts[0]):
        raise refuse(400, "value", "records.bundle-request", place)
    if len(parts) == 1:
        pairs = parse_qsl(query, keep_blank_values=True)
        return b'{"resource":%s,"response":{"status":"200 OK"}}' % await search_bundle(
            request, session, parts[0], pairs)
    if parts[-1] == "_history":
        type_, id_ = parts[0], parts[1] if len(parts) == 3 else None
        content = await history_bundle(request, session, (type_, id_), parse_qsl(query, keep_blank_values=True))
        return b'{"resource":%s,"response":{"status":"200 OK"}}' % content
    stored = await _version(session, parts, place)
    if stored is None or stored.deleted:
        raise refuse(410 if stored else 404, "not-found", "records.gone" if stored else "records.not-found", place,
                     type=parts[0])
    answer = {"status": "200 OK", "etag": stored.etag, "lastModified": clock.instant(stored.updated)}
    match = asked.entry["request"].get("ifNoneMatch")
    if isinstance(match, str) and match == stored.etag:
        return fhir_json.dumps({"response": answer | {"status": "304 Not Modified"}})
    return b'{"resource":%s,"response":%s}' % (stored.json(), fhir_json.dumps(answer))


async def _version(session: Session, parts: Sequence[str], place: str) -> Stored | None:
    if len(parts) == 2:
        return await session.fetch(parts[0], parts[1])
    if len(parts) == 4 and parts[2] == "_history" and re.fullmatch(r"[0-9]{1,9}", parts[3]):
        return await session.fetch_version(parts[0], parts[1], int(parts[3]))
    raise refuse(400, "not-supported", "records.bundle-request", place)
