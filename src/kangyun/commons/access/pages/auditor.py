"""The auditor's pages: searching the trail, one event, what stands out and its review, files for the regulator."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem, refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.web.display import CHINA
from kangyun.commons.access.actions import anomalies
from kangyun.commons.access.actions.who import callers_named, institution_name
from kangyun.commons.access.decisions.anomalies import rule_titles
from kangyun.commons.access.decisions.audit_events import audit_event
from kangyun.commons.access.decisions.policy import role_titles
from kangyun.commons.access.decisions.trail_words import action_title, actions_known, purposes_known, role_title
from kangyun.commons.access.model import Event, escaped
from kangyun.commons.access.pages.entrance import actor_of, parts_of, to, told
from kangyun.commons.access.queries import anomalies as reads
from kangyun.commons.access.queries import trail
from kangyun.commons.access.queries.trail import Place, Seen, Wanted

_USE = "access.audit"
_PATH = "/audit"
_AT_ONCE = 50
_MOST_EXPORTED = 100_000
_EXPORTED_AT_ONCE = 1000
_NUMBER = re.compile(r"\d{17}[\dXx]")
_ID_NUMBERS = "urn:oid:2.16.156.10011.1.3"
_FIELDS = ("patient", "name", "institution", "role", "action", "outcome", "from", "to")
_COLUMNS = (
    "id", "at", "name", "role", "institution", "account", "session", "action", "permission", "types", "patients", "resources", "purpose",
    "outcome", "address", "query", "more",
)


async def show(request: Request) -> Response:
    """Search the trail; what was asked for stands in the address, an ID number never does."""
    asked, parts = _asked(request), parts_of(request)
    wanted = replace(_wanted(asked), before=Place.of(request.query_params.get("before", "")))
    async with parts.database.connection() as connection:
        found = await trail.events(connection, parts.keys, wanted, _AT_ONCE)
        patients = await trail.patients(connection, sorted({key for one in found for key in one.event.residents}))
    await _note(request, "search", asked, found)
    return web.render(
        request, "access/audit.html", asked=asked, found=found, patients=patients, names=await _institutions(request, found),
        roles=role_titles(), actions=actions_known(), action_title=action_title, role_title=role_title, instant=clock.instant,
        purposes=purposes_known(), query=urlencode({name: value for name, value in asked.items() if value}),
        callers=await callers_named(parts, [one.event.name for one in found], request.state.language),
        older=str(found[-1].place) if len(found) == _AT_ONCE else "", waiting=sum((await reads.open_counts(parts.database)).values()),
    )


async def find(request: Request) -> Response:
    """Take the form; whoever is meant by an ID number stands in the address as Patients."""
    form = await web.posted(request)
    asked = {name: str(form.get(name, "")).strip()[:200] for name in _FIELDS}
    if _NUMBER.fullmatch(asked["patient"]):
        search = [("identifier", f"{_ID_NUMBERS}|{escaped(asked['patient'].upper())}"), ("_count", "50")]
        page = await parts_of(request).gate.system("access.audit").search("Patient", search)
        asked["patient"] = ",".join(str(one["id"]) for one in page.resources) or "-"
    return to(f"{_PATH}?{urlencode({name: value for name, value in asked.items() if value})}")


async def event(request: Request) -> Response:
    """Show everything that the trail holds of one event."""
    parts = parts_of(request)
    async with parts.database.connection() as connection:
        found = await trail.event(connection, parts.keys, request.path_params["id"])
        if found is None:
            raise refuse(404, "not-found", "base.not-found")
        patients = await trail.patients(connection, found.event.residents)
    await _note(request, "read", {}, [found])
    return web.render(
        request, "access/audit_event.html", seen=found, event=found.event, patients=list(patients.values()),
        institution=await institution_name(parts, found.event.institution),
        called=(await callers_named(parts, [found.event.name], request.state.language)).get(found.event.name, ""), action_title=action_title, role_title=role_title,
        instant=clock.instant, purposes=purposes_known(),
    )


async def export(request: Request) -> Response:
    """All events of a search as NDJSON of AuditEvents or as a table, newest first; that somebody took them is in the trail."""
    kind = request.query_params.get("format", "ndjson")
    if kind not in {"ndjson", "csv"}:
        raise refuse(404, "not-found", "base.not-found")
    asked = _asked(request)
    await _note(request, "export", asked | {"format": kind}, [])
    write, media = (_ndjson, "application/fhir+ndjson") if kind == "ndjson" else (_csv, "text/csv; charset=utf-8")
    name = f"audit-{clock.now().astimezone(CHINA):%Y%m%d-%H%M}.{kind}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(_written(request, _wanted(asked), write), media_type=media, headers=headers)


async def _written(request: Request, wanted: Wanted, write: Any) -> AsyncIterator[bytes]:
    parts, total = parts_of(request), 0
    if write is _csv:
        # The mark by which spreadsheets know the encoding.
        yield b"\xef\xbb\xbf" + _line(_COLUMNS)
    while total < _MOST_EXPORTED:
        async with parts.database.connection() as connection:
            found = await trail.events(connection, parts.keys, wanted, _EXPORTED_AT_ONCE)
            patients = await trail.patients(connection, sorted({key for one in found for key in one.event.residents}))
        if not found:
            return
        yield b"".join(write(one, [patients[key] for key in one.event.residents if key in patients]) for one in found)
        total += len(found)
        wanted = replace(wanted, before=found[-1].place)


def _ndjson(one: Seen, patients: list[str]) -> bytes:
    return fhir_json.dumps(audit_event(one.id, one.event, patients)) + b"\n"


def _csv(one: Seen, patients: list[str]) -> bytes:
    event = one.event
    return _line((
        one.id, event.at.astimezone(CHINA).isoformat(timespec="milliseconds"), event.name, event.role, event.institution or "",
        event.account or "", event.session or "", event.action, event.permission, " ".join(event.types), " ".join(patients),
        " ".join(event.resources), event.purpose, event.outcome, event.address, event.query, event.more,
    ))


def _line(cells: tuple[str, ...]) -> bytes:
    text = io.StringIO()
    # A cell that begins like a formula would be one in a spreadsheet.
    csv.writer(text, lineterminator="\r\n").writerow(f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in cells)
    return text.getvalue().encode()


async def stands_out(request: Request, *, status: int = 200, wrong: str = "", of: str = "") -> Response:
    """Show what stands out, open ones first."""
    parts, rule = parts_of(request), request.query_params.get("rule") or None
    rows = await reads.listed(parts.database, None, rule if rule in rule_titles() else None)
    async with parts.database.connection() as connection:
        patients = await trail.patients(connection, sorted({one.resident for one in rows if one.resident}))
    institutions = {id_: await institution_name(parts, id_) for id_ in {one.institution for one in rows if one.institution}}
    await _note(request, "search", {"list": "anomalies", "rule": rule or ""}, [])
    return web.render(
        request, "access/anomalies.html", status=status, rows=[(one, *reads.said(parts.keys, one)) for one in rows], patients=patients,
        names=institutions, rules=rule_titles(), counts=await reads.open_counts(parts.database), chosen=rule, wrong=wrong, of=of,
        callers=await callers_named(parts, [name for one in rows for name in (one.name, f"user/{one.reviewer}")], request.state.language),
        role_title=role_title, instant=clock.instant,
    )


async def review(request: Request) -> Response:
    """Say what it was."""
    form = await web.posted(request)
    id_ = str(form.get("anomaly", ""))
    try:
        await anomalies.review(parts_of(request), actor_of(request), id_, str(form.get("state", "")), str(form.get("remark", "")))
    except Problem as problem:
        return await stands_out(request, status=problem.status, wrong=told(request, problem), of=id_)
    return to(f"{_PATH}/anomalies#anomaly-{id_}")


def _asked(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "").strip()[:200] for name in _FIELDS}


def _wanted(asked: dict[str, str]) -> Wanted:
    first, last = _day(asked["from"]), _day(asked["to"])
    name = asked["name"]
    return Wanted(
        residents=[trail.patient_key(one) for one in asked["patient"].split(",")[:50]] if asked["patient"] else None,
        since=first, until=last + timedelta(days=1) if last else None,
        name=(name if "/" in name or "." in name or name == "local" else f"user/{name}") if name else None,
        institutions=[asked["institution"]] if asked["institution"] else None, role=asked["role"] or None,
        actions=[asked["action"]] if asked["action"] else None, outcomes=[asked["outcome"]] if asked["outcome"] else None,
    )


def _day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time(), CHINA).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None


async def _institutions(request: Request, found: list[Seen]) -> dict[str, str]:
    ids = {one.event.institution for one in found if one.event.institution}
    return {id_: await institution_name(parts_of(request), id_) for id_ in ids}


async def _note(request: Request, action: str, asked: dict[str, str], found: list[Seen]) -> None:
    """Who looks into the trail is in the trail."""
    actor, parts = actor_of(request), parts_of(request)
    parts.trail.note(Event(
        clock.now(), actor.name, actor.role, action, actor.institution, actor.account, actor.session, _USE, ["AuditEvent"],
        [f"AuditEvent/{one.id}" for one in found], [], actor.purpose, "ok", actor.address,
        urlencode({name: value for name, value in asked.items() if value})))
    await parts.trail.settled()


def routes() -> list[BaseRoute]:
    """The addresses of the auditor."""
    return [
        web.route(_PATH, show, permission=_USE),
        web.route(_PATH, find, permission=_USE, methods=["POST"]),
        web.route(f"{_PATH}/events/{{id}}", event, permission=_USE),
        web.route(f"{_PATH}/export", export, permission=_USE),
        web.route(f"{_PATH}/anomalies", stands_out, permission=_USE),
        web.route(f"{_PATH}/anomalies/review", review, permission=_USE, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The auditor's place in the menu."""
    return [
        web.MenuEntry("access.audit.menu", _PATH, icon="search", order=80, about="access.audit.about"),
        web.MenuEntry("access.anomalies.menu", f"{_PATH}/anomalies", icon="alert", order=81, about="access.anomalies.about"),
    ]
