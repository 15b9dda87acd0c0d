"""The doctor's pages: find a resident, read the record, open results and documents."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Issue, Problem
from kangyun.base.web.display import CHINA
from kangyun.portals.clinician import queries
from kangyun.portals.clinician.decisions import results as labs
from kangyun.portals.clinician.decisions import summaries, timeline
from kangyun.portals.clinician.decisions.naming import Node
from kangyun.portals.clinician.decisions.people import Resident, linked, resident

errors.register("kangyun.portals.clinician")

_READ = "clinician.read"
_RECENT = "recent"
_MOST_RECENT = 8
_FIRST_ENTRIES = 14
_SUMMARY = ("AllergyIntolerance", "Condition", "MedicationRequest", "Immunization", "DocumentReference", "DiagnosticReport", "Encounter")
_OPENED = ("application/pdf", "image/png", "image/jpeg", "text/plain")


async def find(request: Request) -> Response:
    """Show the search; ``?part=found`` answers with the list only, while one types.

    What is searched for is posted, since names and numbers of people must not stand in addresses.
    """
    handle, text = request.state.handle, await _wanted(request)
    shown: dict[str, list[Node]] = {"found": [], "recent": [], "newest": []}
    if text:
        shown["found"] = await queries.find(handle, text)
    else:
        shown["recent"], shown["newest"] = await asyncio.gather(queries.known(handle, _recent_ids(request)), queries.newest(handle))
    people: dict[str, Any] = {name: [resident(one) for one in patients] for name, patients in shown.items()}
    block = "found" if request.query_params.get("part") == "found" else None
    return web.render(request, "clinician/find.html", block=block, q=text, **people)


async def _wanted(request: Request) -> str:
    return str((await web.posted(request)).get("q", "")).strip() if request.method == "POST" else ""


def _recent_ids(request: Request) -> list[str]:
    return [one for one in request.cookies.get(_RECENT, "").split(".") if one][:_MOST_RECENT]


def _remember(request: Request, response: Response, patient_id: str) -> Response:
    """Keep the ids of the residents seen last in the doctor's own browser; an id says nothing without the gate."""
    ids = [patient_id, *(one for one in _recent_ids(request) if one != patient_id)][:_MOST_RECENT]
    if "." not in patient_id:
        response.headers.append("set-cookie", f"{_RECENT}={'.'.join(ids)}; Path=/clinician; SameSite=Lax; HttpOnly")
    return response


async def record(request: Request) -> Response:
    """Show the lifelong record; ``?part=`` answers with one of its parts for htmx."""
    handle, patient = request.state.handle, await queries.patient(request.state.handle, request.path_params["id"])
    survivors = linked(patient, "replaced-by")
    if survivors:
        return RedirectResponse(f"/clinician/residents/{survivors[0]}", status_code=303)
    who, part = resident(patient), request.query_params.get("part")
    if part == "trends":
        return await _trends(request, who)
    everything = await queries.record(handle, who.id, dict.fromkeys((*timeline.TYPES, *_SUMMARY)) if part is None else timeline.TYPES)
    names = await queries.names(handle, everything)
    names |= await queries.senders(handle, [one for one in everything if one["resourceType"] == "AllergyIntolerance"])
    told = _timeline(request, who, everything, names)
    if part in {"timeline", "older"}:
        return web.render(request, "clinician/record.html", block=part, who=who, **told)
    lists = _lists(everything, names, request.state.language)
    return _remember(request, web.render(request, "clinician/record.html", who=who, **told, **lists), who.id)


async def _who(request: Request) -> Resident:
    return resident(await queries.patient(request.state.handle, request.path_params["id"]))


def _timeline(request: Request, who: Resident, everything: list[Node], names: dict[str, str]) -> dict[str, Any]:
    kind, before = request.query_params.get("kind", ""), request.query_params.get("before", "")
    all_entries = timeline.entries(everything, names, request.state.language)
    shown = timeline.chosen(all_entries, kind)
    years, rest = timeline.first_years(timeline.by_year(shown), _FIRST_ENTRIES, int(before) if before.isdigit() else None)
    return {
        "kind": kind, "before": before, "years": years, "rest": rest, "total": len(all_entries),
        "counts": timeline.counts_by_kind(all_entries),
        "bars": timeline.lifeline(shown, who.born, clock.now().astimezone(CHINA).year),
    }


def _lists(everything: list[Node], names: dict[str, str], language: str) -> dict[str, Any]:
    by_type: dict[str, list[Node]] = {}
    for one in everything:
        by_type.setdefault(one["resourceType"], []).append(one)
    visits = _visits(everything)
    papers = [*by_type.get("DocumentReference", []), *by_type.get("DiagnosticReport", [])]
    return {
        "allergies": summaries.allergies(by_type.get("AllergyIntolerance", []), names, language, visits),
        "problems": summaries.problems(by_type.get("Condition", []), names, language, visits),
        "medicines": summaries.medicines(by_type.get("MedicationRequest", []), names, language, visits),
        "immunizations": summaries.immunizations(by_type.get("Immunization", []), names, language, visits),
        "documents": summaries.documents(papers, names, language, visits),
    }


def _visits(resources: list[Node]) -> dict[str, Node]:
    return {f"Encounter/{one['id']}": one for one in resources if one["resourceType"] == "Encounter"}


async def _results(request: Request, who: Resident) -> list[labs.Result]:
    found = await queries.record(request.state.handle, who.id, ("Observation", "Encounter"))
    names = await queries.names(request.state.handle, found)
    observations = [one for one in found if one["resourceType"] == "Observation"]
    return labs.results(observations, names, request.state.language, _visits(found))


async def _trends(request: Request, who: Resident) -> Response:
    made = labs.trends(await _results(request, who))
    return web.render(request, "clinician/trends.html", who=who, trends=made)


async def results(request: Request) -> Response:
    """Show the latest result of everything; with ``?code=`` all results of one thing, drawn large."""
    who = await _who(request)
    everything = await _results(request, who)
    code = request.query_params.get("code")
    if code is None:
        return web.render(request, "clinician/results.html", who=who, latest=labs.latest(everything))
    chosen = [one for one in everything if one.code == code]
    if not chosen:
        raise Problem(404, Issue("not-found", "base.not-found"))
    chart = json.dumps(labs.chart_data(chosen), ensure_ascii=False)
    return web.render(request, "clinician/result.html", who=who, results=chosen, chart=chart)


async def document(request: Request) -> Response:
    """Show one document or report: plain text in place, other files to open, and the results of a report."""
    who, paper = await asyncio.gather(_who(request), _paper(request))
    results_of = await _reported(request, paper)
    found = await queries.record(request.state.handle, who.id, ("Encounter",))
    names = await queries.names(request.state.handle, [paper, *found, *results_of])
    visits, language = _visits(found), request.state.language
    shown = summaries.document(paper, names, language, visits)
    texts = {file.number: await _text(request, file) for file in shown.files if summaries.is_plain_text(file.media_type)}
    told = labs.results(results_of, names, language, visits)
    return web.render(request, "clinician/document.html", who=who, document=shown, texts=texts, results=told)


async def _paper(request: Request) -> Node:
    kind, found = request.path_params["type"], None
    if kind in {"DiagnosticReport", "DocumentReference"}:
        found = await request.state.handle.read(kind, request.path_params["document"])
    own = await queries.identities(request.state.handle, request.path_params["id"])
    if found is None or found.get("subject", {}).get("reference", "").removeprefix("Patient/") not in own:
        raise Problem(404, Issue("not-found", "clinician.no-document"))
    return found


async def _reported(request: Request, paper: Node) -> list[Node]:
    ids = [one["reference"].partition("/")[2] for one in paper.get("result", []) if one.get("reference", "").startswith("Observation/")]
    found = await asyncio.gather(*(request.state.handle.read("Observation", one) for one in ids))
    return [one for one in found if one is not None]


async def _content(request: Request, file: summaries.Attachment) -> bytes:
    node = file.node
    if "data" not in node and "url" in node:
        node = await queries.binary(request.state.handle, node["url"]) or {}
    try:
        return base64.b64decode(node.get("data", ""))
    except ValueError:
        return b""


async def _text(request: Request, file: summaries.Attachment) -> str:
    return (await _content(request, file)).decode("utf-8", "replace")


async def open_file(request: Request) -> Response:
    """Send one file of a document; what a browser should not show is sent as a download."""
    shown = summaries.document(await _paper(request), {}, request.state.language, {})
    number = request.path_params["number"]
    if number >= len(shown.files):
        raise Problem(404, Issue("not-found", "clinician.no-document"))
    file = shown.files[number]
    kind = file.media_type.split(";")[0].strip()
    place = "inline" if kind in _OPENED else "attachment"
    headers = {
        "content-disposition": f"{place}; filename*=UTF-8''{quote(file.title or shown.title or 'document')}",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    }
    return Response(await _content(request, file), headers=headers, media_type=kind if kind in _OPENED else "application/octet-stream")


def routes() -> list[BaseRoute]:
    """Return the addresses of this portal."""
    resident_page = "/clinician/residents/{id}"
    return [
        web.route("/clinician/", find, permission=_READ, methods=["GET", "POST"]),
        web.route(resident_page, record, permission=_READ),
        web.route(f"{resident_page}/results", results, permission=_READ),
        web.route(f"{resident_page}/documents/{{type}}/{{document}}", document, permission=_READ),
        web.route(f"{resident_page}/documents/{{type}}/{{document}}/{{number:int}}", open_file, permission=_READ),
    ]


def menu() -> list[web.MenuEntry]:
    """Return this portal's place in the menu."""
    return [web.MenuEntry("clinician.menu", "/clinician/", icon="stethoscope", order=10, about="clinician.about")]
