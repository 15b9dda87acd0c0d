"""The review queue: two records side by side, the evidence as a bar for each field, decided by a key, taken back by one."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.commons.population.actions import persons
from kangyun.commons.population.decisions.matching import weights
from kangyun.commons.population.decisions.review import rows
from kangyun.commons.population.model import SENDER_SOURCE
from kangyun.commons.population.pages.people import shown
from kangyun.commons.population.queries import patients_of, person_of, placed
from kangyun.commons.population.queries.placed import Candidate

_REVIEW = "population.review"
_HOME = "/population/review"
_AT_ONCE = 20


async def queue(request: Request) -> Response:
    """List the pairs that wait, the most alike first; `?show=decided` lists what was decided, with a way back."""
    handle, page = request.state.handle, _page(request)
    decided = request.query_params.get("show") == "decided"
    read = placed.decided if decided else placed.queue
    async with handle.connection() as connection:
        found = await read(connection, page * _AT_ONCE, _AT_ONCE)
        counts = await placed.counts(connection)
    names = await _names(handle, found)
    waiting = counts.get("open", 0)
    total = sum(counts.values()) - waiting if decided else waiting
    return web.render(
        request, "population/review_queue.html", pairs=[_listed(one, names) for one in found], decided=decided, waiting=waiting,
        past=sum(counts.values()) - waiting, page_number=page, more=(page + 1) * _AT_ONCE < total,
    )


async def pair(request: Request) -> Response:
    """Show one pair side by side."""
    handle = request.state.handle
    found = await _candidate(request)
    patients = await _both(handle, found)
    people = await asyncio.gather(*(person_of(handle, str(one["id"])) for one in patients))
    sides = [_side(patient, person) | {"source": await _source(handle, patient)} for patient, person in zip(patients, people, strict=True)]
    return web.render(
        request, "population/review_pair.html", pair=found, sides=sides, rows=rows(patients[0], patients[1], found.evidence),
        thresholds=weights().thresholds, most=weights().most, told=request.query_params.get("told", ""),
        undo=request.query_params.get("undo", ""), may_read=handle.may("clinician.read"),
    )


async def decide(request: Request) -> Response:
    """Keep what was decided and go on with the next pair."""
    form = await web.posted(request)
    verdict = str(form.get("verdict", ""))
    if verdict not in {"link", "reject"}:
        raise refuse(422, "value", "population.review-verdict")
    found = await _candidate(request)
    act = persons.link if verdict == "link" else persons.reject
    await act(request.state.handle, found.first, found.second, request.state.handle.actor.name)
    async with request.state.handle.connection() as connection:
        following = await placed.queue(connection, 0, 1)
    told = f"told={verdict}&undo={found.first}/{found.second}"
    place = f"{_HOME}/{following[0].first}/{following[0].second}" if following else _HOME
    return RedirectResponse(f"{place}?{told}", status_code=303)


async def take_back(request: Request) -> Response:
    """Take a decision back: what was linked is parted again, what was parted waits for another decision."""
    await web.posted(request)
    found = await _candidate(request)
    handle, by = request.state.handle, request.state.handle.actor.name
    if found.state == "linked":
        await persons.undo(handle, found.first, found.second, by)
    else:
        await persons.link(handle, found.first, found.second, by)
    return RedirectResponse(f"{_HOME}?show=decided", status_code=303)


async def _candidate(request: Request) -> Candidate:
    parameters = request.path_params
    async with request.state.handle.connection() as connection:
        found = await placed.pair(connection, parameters["first"], parameters["second"])
    if found is None:
        raise refuse(404, "not-found", "population.no-pair")
    return found


async def _both(handle: Handle, found: Candidate) -> list[dict[str, Any]]:
    patients = await asyncio.gather(handle.read("Patient", found.first), handle.read("Patient", found.second))
    return [one or {"resourceType": "Patient", "id": id_} for one, id_ in zip(patients, (found.first, found.second), strict=True)]


def _side(patient: dict[str, Any], person: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "who": shown(patient, str(patient["id"])),
        "updated": str(patient.get("meta", {}).get("lastUpdated", "")), "patients": len(patients_of(person)) if person else 1,
    }


async def _source(handle: Handle, patient: dict[str, Any]) -> str:
    """Who told of a record, as people call it: the institution, else the sender's own name; '' for nobody."""
    place = str(patient.get("managingOrganization", {}).get("reference", ""))
    found = await handle.read("Organization", place.removeprefix("Organization/")) if place else None
    return str((found or {}).get("name") or unquote(str(patient.get("meta", {}).get("source", "")).removeprefix(SENDER_SOURCE)))


async def _names(handle: Handle, found: list[Candidate]) -> dict[str, Any]:
    ids = sorted({id_ for one in found for id_ in (one.first, one.second)})
    if not ids:
        return {}
    page = await handle.search("Patient", [("_id", ",".join(ids)), ("_count", str(len(ids)))])
    return {str(one["id"]): shown(one, str(one["id"])) for one in page.resources}


def _listed(one: Candidate, names: dict[str, Any]) -> dict[str, Any]:
    loudest = sorted(one.evidence.fields, key=lambda field: -abs(field.bits))[:3] if one.evidence else []
    moment = one.decided or one.found
    return {
        "pair": one, "left": names.get(one.first), "right": names.get(one.second), "loudest": loudest,
        "moment": clock.instant(moment),
    }


def _page(request: Request) -> int:
    text = request.query_params.get("page", "0")
    return int(text) if text.isdecimal() and len(text) < 6 else 0


def routes() -> list[BaseRoute]:
    """The addresses of the review."""
    one = f"{_HOME}/{{first}}/{{second}}"
    return [
        web.route(_HOME, queue, permission=_REVIEW),
        web.route(one, pair, permission=_REVIEW),
        web.route(one, decide, permission=_REVIEW, methods=["POST"]),
        web.route(f"{one}/undo", take_back, permission=_REVIEW, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The place in the menu."""
    return [web.MenuEntry("population.review.menu", _HOME, icon="people", order=44, about="population.review.about")]
