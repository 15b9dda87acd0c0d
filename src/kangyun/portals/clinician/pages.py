"""The doctor's pages: find a resident, read the record, open results and documents."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

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
from kangyun.portals.clinician.queries import Known

errors.register("kangyun.portals.clinician")

_READ = "clinician.read"
_RECENT = "recent"
_MOST_RECENT = 8
_FIRST_ENTRIES = 14
_PAPERS = ("DocumentReference", "DiagnosticReport")
_PAGE = (*timeline.TYPES, "AllergyIntolerance")
# The parts of the page, and the types of which the caller must see one.
_PARTS = {
    "allergies": ("AllergyIntolerance",), "problems": ("Condition",), "medicines": ("MedicationRequest",), "results": ("Observation",),
    "immunizations": ("Immunization",), "documents": _PAPERS,
}
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
        shown["recent"], shown["newest"] = await asyncio.gather(queries.remembered(handle, _recent_ids(request)), queries.newest(handle))
    people: dict[str, Any] = {name: [resident(one) for one in patients] for name, patients in shown.items()}
    block = "found" if request.query_params.get("part") == "found" else None
    return web.render(request, "clinician/find.html", block=block, q=text, may_open=handle.may("access.emergency"), **people)


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
    """Show the lifelong record; ``?part=`` answers with one of its parts for htmx.

    The page itself reads the latest years only where enough happened in them; the whole life follows as a part, or is
    shown at once by an address that says which kind (perhaps none) or up to which year.
    """
    known = await queries.known_as(request.state.handle, request.path_params["id"])
    survivors = linked(known.patient, "replaced-by")
    if survivors:
        return RedirectResponse(f"/clinician/residents/{survivors[0]}", status_code=303)
    match request.query_params.get("part"):
        case "trends":
            return await _trends(request, known)
        case "papers":
            return await _papers(request, known)
        case "timeline" | "older" as part:
            life = await _whole(request, known, timeline.TYPES)
            return web.render(request, "clinician/record.html", block=part, who=life.who, **_timeline(request, life))
        case _:
            return await _page(request, known)


@dataclass(frozen=True, slots=True)
class Life:
    """What was read of a life, the names in it, and its timeline; ``since``: the year before which it was not read."""

    who: Resident
    everything: list[Node]
    names: dict[str, str]
    entries: list[timeline.Entry]
    since: int | None = None


async def _page(request: Request, known: Known) -> Response:
    handle = request.state.handle
    asked = {"kind", "before"} & request.query_params.keys()
    life = (None if asked else await _glance(request, known)) or await _whole(request, known, _PAGE)
    lists = _lists(life, request.state.language)
    closed = [part for part, types in _PARTS.items() if not any(map(handle.sees, types))]
    may_open = handle.may("access.emergency")
    until = await handle.opened_until(life.who.id) if may_open else None
    sign: dict[str, Any] = {
        "withheld": await handle.withheld(life.who.id), "may_open": may_open, "opened_until": clock.instant(until) if until else "", "closed": closed}
    return _remember(request, web.render(request, "clinician/record.html", who=life.who, **_timeline(request, life), **lists, **sign), life.who.id)


async def _glance(request: Request, known: Known) -> Life | None:
    """The latest years of a life; None when too little happened in them to fill a page."""
    since = clock.now().astimezone(CHINA).year - 1
    found = await queries.record(request.state.handle, known.ids, _PAGE, f"{since - 1}-12-31T23:59:59+08:00")
    life = await _named(request, known, found, since)
    return life if len(life.entries) >= _FIRST_ENTRIES else None


async def _whole(request: Request, known: Known, types: Iterable[str]) -> Life:
    return await _named(request, known, await queries.record(request.state.handle, known.ids, types))


async def _named(request: Request, known: Known, found: list[Node], since: int | None = None) -> Life:
    handle = request.state.handle
    found += await queries.visits_of(handle, found)
    names = await queries.names(handle, found)
    names |= await queries.senders(handle, [one for one in found if one["resourceType"] == "AllergyIntolerance"])
    entries = timeline.entries(found, names, request.state.language)
    return Life(resident(known.patient), found, names, entries if since is None else timeline.not_before(entries, since), since)


async def _who(request: Request) -> tuple[Resident, Known]:
    known = await queries.known_as(request.state.handle, request.path_params["id"])
    return resident(known.patient), known


def _timeline(request: Request, life: Life) -> dict[str, Any]:
    # The desk of a consultation shows the timeline too: its address stays its own, whatever is chosen in it.
    around = urlsplit(request.headers.get("hx-current-url", "")).path or request.url.path
    return {"own": around.startswith("/clinician/"), **_years(request, life)}


def _years(request: Request, life: Life) -> dict[str, Any]:
    kind, before = request.query_params.get("kind", ""), request.query_params.get("before", "")
    if life.since is not None:
        years, rest = timeline.first_years(timeline.by_year(life.entries), _FIRST_ENTRIES)
        return {"kind": "", "before": "", "years": years, "rest": rest or life.since - 1, "total": None, "counts": {}, "bars": []}
    shown = timeline.chosen(life.entries, kind)
    years, rest = timeline.first_years(timeline.by_year(shown), _FIRST_ENTRIES, int(before) if before.isdecimal() and len(before) < 5 else None)
    return {
        "kind": kind, "before": before, "years": years, "rest": rest, "total": len(life.entries),
        "counts": timeline.counts_by_kind(life.entries),
        "bars": timeline.lifeline(shown, life.who.born, clock.now().astimezone(CHINA).year),
    }


def _lists(life: Life, language: str) -> dict[str, Any]:
    by_type: dict[str, list[Node]] = {}
    for one in life.everything:
        by_type.setdefault(one["resourceType"], []).append(one)
    names, visits = life.names, _visits(life.everything)
    return {
        "allergies": summaries.allergies(by_type.get("AllergyIntolerance", []), names, language, visits),
        "problems": summaries.problems(by_type.get("Condition", []), names, language, visits),
        "medicines": summaries.medicines(by_type.get("MedicationRequest", []), names, language, visits),
        "immunizations": summaries.immunizations(by_type.get("Immunization", []), names, language, visits),
        "documents": summaries.documents([one for kind in _PAPERS for one in by_type.get(kind, [])], names, language, visits) if life.since is None else None,
    }


def _visits(resources: list[Node]) -> dict[str, Node]:
    return {f"Encounter/{one['id']}": one for one in resources if one["resourceType"] == "Encounter"}


async def _results(request: Request, known: Known) -> list[labs.Result]:
    observations = await queries.record(request.state.handle, known.ids, ("Observation",))
    visits = await queries.visits_of(request.state.handle, observations)
    names = await queries.names(request.state.handle, [*observations, *visits])
    return labs.results(observations, names, request.state.language, _visits(visits))


async def _trends(request: Request, known: Known) -> Response:
    made = labs.trends(await _results(request, known))
    return web.render(request, "clinician/trends.html", who=resident(known.patient), trends=made)


async def _papers(request: Request, known: Known) -> Response:
    papers = await queries.record(request.state.handle, known.ids, _PAPERS)
    visits = await queries.visits_of(request.state.handle, papers)
    names = await queries.names(request.state.handle, [*papers, *visits])
    shown = summaries.documents(papers, names, request.state.language, _visits(visits))
    return web.render(request, "clinician/record.html", block="papers", who=resident(known.patient), documents=shown)


async def results(request: Request) -> Response:
    """Show the latest result of everything; with ``?code=`` all results of one thing, drawn large."""
    who, known = await _who(request)
    everything = await _results(request, known)
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
    # One after the other: which of two refusals comes first must not differ from one asking to the next.
    who, known = await _who(request)
    paper = await _paper(request, known)
    results_of = await _reported(request, paper)
    found = await queries.visits_of(request.state.handle, [paper, *results_of])
    names = await queries.names(request.state.handle, [paper, *found, *results_of])
    visits, language = _visits(found), request.state.language
    shown = summaries.document(paper, names, language, visits)
    texts = {file.number: await _text(request, file) for file in shown.files if summaries.is_plain_text(file.media_type)}
    told = labs.results(results_of, names, language, visits)
    return web.render(request, "clinician/document.html", who=who, document=shown, texts=texts, results=told)


async def _paper(request: Request, known: Known) -> Node:
    kind, found = request.path_params["type"], None
    if kind in {"DiagnosticReport", "DocumentReference"}:
        found = await request.state.handle.read(kind, request.path_params["document"])
    if found is None or found.get("subject", {}).get("reference", "").removeprefix("Patient/") not in known.ids:
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
    _, known = await _who(request)
    shown = summaries.document(await _paper(request, known), {}, request.state.language, {})
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
