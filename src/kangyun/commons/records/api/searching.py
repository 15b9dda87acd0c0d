"""Search by GET and POST, histories, $everything: everything that answers with a Bundle of found resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from kangyun.base import clock
from kangyun.base.errors import Issue, operation_outcome, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.commons.records.api import wire
from kangyun.commons.records.api.interactions import caller, chosen, limits, pretty, type_of
from kangyun.commons.records.decisions.subset import check_summary, subset
from kangyun.commons.records.model import Stored
from kangyun.commons.records.queries import persons, search

Pairs = list[tuple[str, str]]

# These shape the answer; the search itself does not know them.
_SHAPE = {"_format", "_pretty", "_summary", "_elements"}


async def search_type(request: Request) -> Response:
    """GET [base]/Type?..."""
    return await _search(request, type_of(request), _query(request))


async def search_type_posted(request: Request) -> Response:
    """POST [base]/Type/_search."""
    return await _search(request, type_of(request), _query(request) + await _form(request))


async def search_all(request: Request) -> Response:
    """GET [base]?... over all types."""
    return await _search(request, None, _query(request))


async def search_all_posted(request: Request) -> Response:
    """POST [base]/_search."""
    return await _search(request, None, _query(request) + await _form(request))


def _query(request: Request) -> Pairs:
    try:
        return parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise refuse(400, "invalid", "base.bad-encoding") from error


async def _form(request: Request) -> Pairs:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"application/x-www-form-urlencoded", ""}:
        raise refuse(415, "not-supported", "base.bad-media-type")
    raw = await wire.body(request, limits(request))
    try:
        return parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise refuse(400, "invalid", "base.bad-encoding") from error


async def _search(request: Request, type_: str | None, pairs: Pairs) -> Response:
    content = await search_bundle(request, caller(request), type_, pairs)
    return wire.json_response(pretty(content, request))


async def search_bundle(request: Request, session: Any, type_: str | None, pairs: Pairs) -> bytes:
    """Run a search and write its searchset Bundle."""
    shape = {name: value for name, value in pairs if name in _SHAPE}
    summary = check_summary(shape["_summary"]) if "_summary" in shape else None
    if summary == "count":
        pairs = [(n, v) for n, v in pairs if n not in {"_count", "_total"}] + [("_count", "0"), ("_total", "accurate")]
    strict = wire.prefer(request).get("handling") == "strict"
    query = search.parse(type_, pairs, strict=strict, now=clock.now())
    result = await session.find(query)
    elements = chosen(pairs)
    address = f"{wire.base_url(request)}/{type_}" if type_ else wire.base_url(request)
    return _searchset(request, address, query, result, (summary, elements))


def _searchset(
    request: Request, address: str, query: search.Query, result: search.Result, part: tuple[str | None, frozenset[str]],
) -> bytes:
    base = wire.base_url(request)
    own = [*query.params, *([("_cursor", query.cursor)] if query.cursor else [])]
    links = [("self", _link(address, own))]
    if result.next:
        links += [("first", _link(address, query.params)), ("next", _link(address, result.next))]
    entries = [_entry(base, row, "match", part) for row in result.rows]
    entries += [_entry(base, row, "include", part) for row in result.included]
    if result.ignored:
        entries.append(_ignored(request, sorted(set(result.ignored))))
    return bundle("searchset", result.total, links, entries)


def _with_cursor(pairs: Pairs, cursor: str) -> Pairs:
    return [(n, v) for n, v in pairs if n != "_cursor"] + [("_cursor", cursor)]


def _link(address: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{address}?{urlencode(pairs)}" if pairs else address


def _entry(base: str, row: Stored, mode: str, part: tuple[str | None, frozenset[str]]) -> bytes:
    content = row.json()
    if part[1] or part[0] not in {None, "false"}:
        content = fhir_json.dumps(subset(fhir_json.loads(content), *part))
    return b'{"fullUrl":"%s/%s/%s","resource":%s,"search":{"mode":"%s"}}' % (
        base.encode(), row.type.encode(), row.id.encode(), content, mode.encode())


def _ignored(request: Request, names: Sequence[str]) -> bytes:
    issues = [Issue("not-supported", "records.ignored-parameter", {"name": name[:64]}, severity="warning") for name in names]
    content = fhir_json.dumps(operation_outcome(issues, wire.language(request)))
    return b'{"resource":%s,"search":{"mode":"outcome"}}' % content


def bundle(kind: str, total: int | None, links: Iterable[tuple[str, str]], entries: Sequence[bytes]) -> bytes:
    """A Bundle put together from entries that are JSON already."""
    head: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    head["meta"] = {"lastUpdated": clock.instant(clock.now())}
    if total is not None:
        head["total"] = total
    head["link"] = [{"relation": name, "url": url} for name, url in links]
    text = fhir_json.dumps({k: v for k, v in head.items() if v != []})
    return text[:-1] + b',"entry":[' + b",".join(entries) + b"]}" if entries else text


async def history_of_one(request: Request) -> Response:
    """GET [base]/Type/id/_history."""
    return await _history(request, type_of(request), request.path_params["id"])


async def history_of_type(request: Request) -> Response:
    """GET [base]/Type/_history."""
    return await _history(request, type_of(request), None)


async def history_of_all(request: Request) -> Response:
    """GET [base]/_history."""
    return await _history(request, None, None)


async def _history(request: Request, type_: str | None, id_: str | None) -> Response:
    content = await history_bundle(request, caller(request), (type_, id_), _query(request))
    return wire.json_response(pretty(content, request))


async def history_bundle(request: Request, session: Any, of: tuple[str | None, str | None], pairs: Pairs) -> bytes:
    """A page of the history of a resource, a type (id None) or everything (type None) as a Bundle."""
    type_, id_ = of
    found = await session.versions(type_, id_, _history_page(pairs))
    base = wire.base_url(request)
    address = "/".join(filter(None, [base, type_, id_, "_history"]))
    links = [("self", _link(address, pairs))]
    if found.next:
        links.append(("next", _link(address, _with_cursor(pairs, found.next))))
    return bundle("history", found.total, links, [_history_entry(base, version) for version in found.versions])


def _history_page(pairs: Pairs) -> dict[str, Any]:
    page: dict[str, Any] = {}
    for name, value in pairs:
        if name == "_count":
            page["count"] = min(_number(name, value), 1000)
        elif name == "_since":
            page["since"] = _moment(name, value)
        elif name == "_at":
            page["at"] = _at(value)
        elif name == "_cursor":
            page["cursor"] = value
        elif name not in {"_format", "_pretty"}:
            raise refuse(400, "not-supported", "records.bad-parameter", name=name[:64])
    return page


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise refuse(400, "value", "records.bad-parameter", name=name)
    return int(value)


def _moment(name: str, value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError as error:
        raise refuse(400, "value", "records.bad-parameter", name=name) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=clock.now().tzinfo)


def _at(value: str) -> tuple[datetime, datetime]:
    """What was current at a moment cannot be told apart from the versions of that day without its end: a range."""
    begin = _moment("_at", value if len(value) > 10 else f"{value}T00:00:00")
    return begin, begin if len(value) > 10 else begin + timedelta(days=1, milliseconds=-1)


def _history_entry(base: str, version: Stored) -> bytes:
    method = "DELETE" if version.deleted else "POST" if version.version == 1 else "PUT"
    place = version.type if method == "POST" else f"{version.type}/{version.id}"
    status = {"DELETE": "204", "POST": "201", "PUT": "200"}[method]
    rest = fhir_json.dumps({
        "fullUrl": f"{base}/{version.type}/{version.id}",
        "request": {"method": method, "url": place},
        "response": {"status": status, "etag": version.etag, "lastModified": clock.instant(version.updated)},
    })
    return rest if version.deleted else rest[:-1] + b',"resource":' + version.json() + b"}"


async def everything(request: Request) -> Response:
    """GET [base]/Patient/id/$everything, and without id for all patients one may see.

    It crosses all Patients that a Person says are the same.
    """
    session, id_ = caller(request), request.path_params.get("id")
    if id_ is None:
        return await _everything(request, "Patient", None)
    stored = await session.fetch("Patient", id_)
    if stored is None or stored.deleted:
        raise refuse(404, "not-found", "records.not-found", type="Patient")
    return await _everything(request, "Patient", await persons.same_person(session, id_))


async def everything_of_person(request: Request) -> Response:
    """GET [base]/Person/id/$everything: of all Patients that the Person links."""
    patients = await persons.patients_of(caller(request), request.path_params["id"])
    if patients is None:
        raise refuse(404, "not-found", "records.not-found", type="Person")
    return await _everything(request, "Person", patients)


async def _everything(request: Request, type_: str, patients: list[str] | None) -> Response:
    query = search.everything(patients, _query(request), now=clock.now())
    result = await caller(request).find(query)
    address = "/".join(filter(None, [wire.base_url(request), type_, request.path_params.get("id"), "$everything"]))
    return wire.json_response(pretty(_searchset(request, address, query, result, (None, frozenset())), request))
