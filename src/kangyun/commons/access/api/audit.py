"""AuditEvent over the FHIR API, from the audit trail: read and search for auditors; nobody writes it, it writes itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.settings import offset
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions import audit_events
from kangyun.commons.access.model import Actor, Event
from kangyun.commons.access.queries import trail
from kangyun.commons.access.queries.trail import Place, Seen, Wanted

_USE = "access.audit"
_MEDIA = "application/fhir+json; charset=utf-8"
_MOST = 1000
_USUAL = 20
_LARGEST_FORM = 100_000


async def read(request: Request) -> Response:
    """GET [base]/AuditEvent/id."""
    services = request.app.state.services
    async with services.database.connection() as connection:
        found = await trail.event(connection, services.keys, request.path_params["id"])
        if found is None:
            raise refuse(404, "not-found", "records.not-found", type="AuditEvent")
        resource = await resources_of(connection, [found])
    note_look(request, "read", resources=[f"AuditEvent/{found.id}"])
    await services.trail.settled()
    return _json(resource[0])


async def search(request: Request) -> Response:
    """GET [base]/AuditEvent?patient&date&agent&agent-name&agent-role&altid&action&outcome&entity&type&_count."""
    return await _search(request, parse_qsl(request.scope["query_string"].decode("ascii", "replace"), keep_blank_values=True))


async def search_posted(request: Request) -> Response:
    """POST [base]/AuditEvent/_search with the parameters as a form."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(_LARGEST_FORM))
    return await _search(request, parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


async def refused(request: Request) -> Response:
    """Any other method: the trail is written by what happens and by nobody."""
    raise refuse(405, "not-supported", "base.method-not-allowed", method=request.method[:16])


async def _search(request: Request, pairs: list[tuple[str, str]]) -> Response:
    services = request.app.state.services
    wanted, most = read_query(pairs, services.settings.time_zone)
    async with services.database.connection() as connection:
        found = await trail.events(connection, services.keys, wanted, most + 1)
        resources = await resources_of(connection, found[:most])
    asked = [pair for pair in pairs if pair[0] != "_cursor"]
    note_look(request, "search", query=urlencode(asked), resources=[f"AuditEvent/{one.id}" for one in found[:most]])
    await services.trail.settled()
    links = [{"relation": "self", "url": _address(request, pairs)}]
    if 0 < most < len(found):
        following = [*asked, ("_cursor", str(found[most - 1].place))]
        links.append({"relation": "next", "url": _address(request, following)})
    base = _base(request)
    entries = [
        {"fullUrl": f"{base}/AuditEvent/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in resources]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "meta": {"lastUpdated": clock.instant(clock.now())}, "link": links}
    return _json(bundle | ({"entry": entries} if entries else {}))


def note_look(request: Request, action: str, *, query: str = "", resources: list[str] | None = None) -> None:
    """Who looks into the trail is in the trail."""
    actor: Actor = request.state.handle.actor
    parts: Parts = request.app.state.services
    parts.trail.note(Event(
        clock.now(), actor.name, actor.role, action, actor.institution, actor.account, actor.session, _USE, ["AuditEvent"],
        (resources or [])[:_MOST], [], actor.purpose, "ok", actor.address, query,
    ))


def read_query(pairs: list[tuple[str, str]], zone: str) -> tuple[Wanted, int]:
    """What search parameters ask for, and how many a page; raises Problem 400 for one that is unknown or cannot be read."""
    wanted, most = Wanted(), _USUAL
    for name, value in pairs:
        plain, _, modifier = name.partition(":")
        if name == "_count":
            most = _count(value)
        elif name in _SHAPES:
            continue
        elif plain in _READERS and modifier in {"", "Patient", "Organization"}:
            try:
                wanted = replace(wanted, **_READERS[plain](value, wanted, offset(zone)))
            except (ValueError, OverflowError):
                raise refuse(400, "invalid", "records.search-value", name=plain) from None
        else:
            raise refuse(400, "not-supported", "records.search-unknown", type="AuditEvent", name=name[:64])
    return wanted, most


def _count(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 6:
        raise refuse(400, "invalid", "records.search-value", name="_count")
    return min(int(value), _MOST)


def _patient(value: str, _wanted: Wanted, _zone: Any) -> Mapping[str, Any]:
    return {"residents": [trail.patient_key(one.rpartition("/")[2]) for one in value.split(",") if one]}


def _entity(value: str, wanted: Wanted, zone: Any) -> Mapping[str, Any]:
    return _patient(value, wanted, zone) if value.startswith("Patient/") else {"resource": value}


def _date(value: str, wanted: Wanted, zone: Any) -> Mapping[str, Any]:
    since, until = audit_events.span(value, zone)
    return {"since": _later(wanted.since, since), "until": _earlier(wanted.until, until)}


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def _agent(value: str, _wanted: Wanted, _zone: Any) -> Mapping[str, Any]:
    if value.startswith("Organization/"):
        return {"institutions": [one.removeprefix("Organization/") for one in value.split(",")]}
    return {"name": value.rpartition("|")[2]}


def _cursor(value: str, _wanted: Wanted, _zone: Any) -> Mapping[str, Any]:
    place = Place.of(value)
    if place is None:
        raise ValueError(value)
    return {"before": place}


def _sort(value: str, _wanted: Wanted, _zone: Any) -> Mapping[str, Any]:
    if value not in {"-date", "-_lastUpdated"}:
        raise ValueError(value)
    return {}


_SHAPES = {"_format", "_pretty", "_summary", "_elements", "_total"}
_READERS: dict[str, Any] = {
    "patient": _patient, "entity": _entity, "date": _date, "_lastUpdated": _date, "agent": _agent, "agent-name": _agent, "_cursor": _cursor, "_sort": _sort,
    "agent-role": lambda value, _wanted, _zone: {"role": value.rpartition("|")[2]},
    "altid": lambda value, _wanted, _zone: {"account": value.rpartition("|")[2]},
    "action": lambda value, _wanted, _zone: {"actions": audit_events.actions(value)},
    "subtype": lambda value, _wanted, _zone: {"actions": [value.rpartition("|")[2].partition("-")[0]]},
    "outcome": lambda value, _wanted, _zone: {"outcomes": audit_events.outcomes(value)},
    "entity-type": lambda value, _wanted, _zone: {"type": value.rpartition("|")[2]},
}


async def resources_of(connection: Connection, found: list[Seen]) -> list[dict[str, Any]]:
    """Events as AuditEvents."""
    named = await trail.patients(connection, sorted({key for one in found for key in one.event.residents}))
    return [
        audit_events.audit_event(one.id, one.event, [named[key] for key in one.event.residents if key in named]) for one in found]


def _address(request: Request, pairs: list[tuple[str, str]]) -> str:
    return f"{_base(request)}/AuditEvent" + (f"?{urlencode(pairs)}" if pairs else "")


def _base(request: Request) -> str:
    public = request.app.state.settings.public_url.rstrip("/")
    return f"{public or str(request.base_url).rstrip('/')}/fhir"


def _json(content: dict[str, Any]) -> Response:
    return Response(fhir_json.dumps(content), media_type=_MEDIA)


def routes() -> list[BaseRoute]:
    """The addresses of AuditEvent, which come before those that any type has."""
    return [
        web.route("/fhir/AuditEvent", search, permission=_USE),
        web.route("/fhir/AuditEvent", refused, permission=_USE, methods=["POST", "PUT", "PATCH", "DELETE"]),
        web.route("/fhir/AuditEvent/_search", search_posted, permission=_USE, methods=["POST"]),
        web.route("/fhir/AuditEvent/{id}", read, permission=_USE),
        web.route("/fhir/AuditEvent/{id}", refused, permission=_USE, methods=["PUT", "PATCH", "DELETE"]),
    ]
