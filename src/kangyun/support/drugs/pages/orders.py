"""Order entry: a doctor finds drugs by pinyin initials, sees what the review finds while writing, signs, and is done.

The form is the state: each change posts it and gets the lines back, so that nothing is lost when a browser closes nothing but itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Problem
from kangyun.support.drugs.actions import prescriptions, prescriptions_favourites
from kangyun.support.drugs.decisions.choosing import found, repeated
from kangyun.support.drugs.decisions.circulation import most_weeks
from kangyun.support.drugs.decisions.herbs import decoctions
from kangyun.support.drugs.decisions.lines import frequencies
from kangyun.support.drugs.model import Diagnosis, Drug, Finding, Prescription
from kangyun.support.drugs.model.circulation import Draft
from kangyun.support.drugs.pages import reading
from kangyun.support.drugs.queries import people
from kangyun.support.drugs.queries import prescriptions as kept
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.prescribers import today

PRESCRIBE = "drugs.prescribe"
_LIST = "/prescriptions"
_SKIN = ("", "asked", "negative", "positive", "exempt")
_ROUTES = ("po", "sl", "iv", "ivgtt", "im", "sc", "ih", "ivp", "inh", "top", "pr", "pv", "eye", "ear", "nas", "hyp")


async def listed(request: Request) -> Response:
    """Show the doctor's own prescriptions, and the open visits in which one may be written."""
    handle = request.state.handle
    mine = await kept.written_by(handle, handle.actor.practitioner or "")
    visits = await people.open_visits(handle)
    names = await people.names(handle, [one.patient for one in mine])
    return web.render(request, "drugs/prescriptions.html", mine=mine, visits=visits, names=names)


async def new(request: Request) -> Response:
    """Show the order entry of a visit; `?from=` begins with the lines of an earlier prescription."""
    handle = request.state.handle
    visit = await people.visit(handle, request.query_params.get("encounter", "")[:64])
    known = (await catalogue(handle)).drugs
    earlier, replaces = request.query_params.get("from", "")[:40], request.query_params.get("replaces", "")[:40]
    begun = Prescription("western", (), await people.diagnoses(handle, visit), today(), setting="internet" if visit.online else "outpatient")
    if earlier or replaces:
        begun = await _again(request, earlier or replaces, begun, known)
    return await _page(request, visit, begun, known, replaces=replaces)


async def _again(request: Request, number: str, begun: Prescription, known: Any) -> Prescription:
    handle = request.state.handle
    async with handle.connection() as connection:
        old = await kept.held(connection, number)
    said = await kept.content_of(handle, old)
    return Prescription(
        said.kind, tuple(repeated(said.lines, known)), begun.diagnoses or said.diagnoses, today(), setting=begun.setting, long_term=said.long_term,
        reason=said.reason, syndrome=said.syndrome, doses=said.doses)


async def _page(
    request: Request, visit: people.Visit, said: Prescription, known: Any, *, block: str | None = None, told: str = "", replaces: str = "", status: int = 200
) -> Response:
    handle = request.state.handle
    findings = await _findings(request, visit, said) if said.lines else []
    favourites = [] if block else await prescriptions_favourites.favourites(handle)
    earlier = [] if block else [one for one in await kept.of_patients(handle, visit.patients, 8) if one.state not in {"cancelled", "replaced"}]
    return web.render(
        request, "drugs/order.html", block=block, status=status, visit=visit, said=said, known=known, findings=findings, told=told, replaces=replaces,
        by_line=_by_line(findings, len(said.lines)), favourites=[one for one in favourites if one.code in known], earlier=earlier,
        frequencies=frequencies(), decoctions=decoctions(), routes=_ROUTES, skin=_SKIN, weeks=most_weeks(),
        favourite_json={one.code: json.dumps(asdict(one), ensure_ascii=False) for one in favourites})


async def _findings(request: Request, visit: people.Visit, said: Prescription) -> list[Finding]:
    try:
        return await prescriptions.check(request.state.handle, Draft(visit.patient, visit.id, said))
    except Problem:
        # What is not filled in yet is told when it is signed; the page goes on.
        return []


def _by_line(findings: list[Finding], lines: int) -> list[list[Finding]]:
    return [[one for one in findings if place in one.lines] for place in range(lines)]


async def find(request: Request) -> Response:
    """Answer with the drugs that fit what was typed, while one types."""
    form = await web.posted(request)
    known = (await catalogue(request.state.handle)).drugs
    hits: list[Drug] = found(known.values(), reading.said(form, "q"), reading.said(form, "kind"))
    return web.render(request, "drugs/order.html", block="hits", hits=hits, typed=reading.said(form, "q"))


async def change(request: Request) -> Response:
    """Answer with the lines as they are after a change, and what the review finds in them."""
    form = await web.posted(request)
    visit, known = await _told(request, form)
    return await _page(request, visit, reading.prescription(form, known), known, block="sheet", replaces=reading.said(form, "replaces"))


async def _told(request: Request, form: FormData) -> tuple[people.Visit, Any]:
    visit = await people.visit(request.state.handle, reading.said(form, "encounter")[:64])
    return visit, (await catalogue(request.state.handle)).drugs


async def save(request: Request) -> Response:
    """Keep what is written: as a draft, or signed. Without a script, the other buttons of the form come here as well."""
    form, handle = await web.posted(request), request.state.handle
    visit, known = await _told(request, form)
    said = reading.prescription(form, known)
    deed = reading.said(form, "deed")
    replaces = reading.said(form, "replaces")
    if deed not in {"sign", "save"}:
        return await _page(request, visit, said, known, replaces=replaces)
    try:
        made = await prescriptions.prescribe(handle, Draft(visit.patient, visit.id, said, replaces), signing=deed == "sign")
    except Problem as problem:
        words = " ".join(errors.text(one, request.state.language) for one in problem.issues)
        return await _page(request, visit, said, known, told=words, replaces=replaces, status=problem.status)
    await prescriptions_favourites.remember(handle, said.lines)
    return RedirectResponse(f"{_LIST}/{made.number}", status_code=303)


async def forget(request: Request) -> Response:
    """Take a drug from the doctor's favourites."""
    form = await web.posted(request)
    await prescriptions_favourites.forget(request.state.handle, reading.said(form, "code"))
    return RedirectResponse(_LIST, status_code=303)


def diagnosis_rows(said: Prescription) -> list[Diagnosis]:
    """The diagnoses with an empty one to fill in."""
    return [*said.diagnoses, Diagnosis("", "")]


def routes() -> list[BaseRoute]:
    """The routes of order entry."""
    return [
        web.route(_LIST, listed, permission=PRESCRIBE),
        web.route(f"{_LIST}/new", new, permission=PRESCRIBE),
        web.route(f"{_LIST}/new", save, permission=PRESCRIBE, methods=["POST"]),
        web.route(f"{_LIST}/find", find, permission=PRESCRIBE, methods=["POST"]),
        web.route(f"{_LIST}/change", change, permission=PRESCRIBE, methods=["POST"]),
        web.route(f"{_LIST}/forget", forget, permission=PRESCRIBE, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The doctor's entry."""
    return [web.MenuEntry("drugs.menu.prescriptions", _LIST, icon="pill", order=24, about="drugs.menu.prescriptions.about")]
