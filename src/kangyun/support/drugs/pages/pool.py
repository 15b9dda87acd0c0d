"""The pharmacists' queue: one pool of the whole city with clocks; claim, judge, and take the next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle
from kangyun.support.drugs.actions import prescriptions_review as review
from kangyun.support.drugs.decisions.circulation import lifecycle
from kangyun.support.drugs.decisions.herbs import decoctions
from kangyun.support.drugs.decisions.lines import frequencies
from kangyun.support.drugs.model.circulation import Held
from kangyun.support.drugs.pages import reading
from kangyun.support.drugs.queries import people
from kangyun.support.drugs.queries import prescriptions as kept
from kangyun.support.drugs.queries.facts import facts_of
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.reviews import notes_of

_REVIEW = "drugs.review"
_PATH = "/review"

Deed = Callable[[Handle, str, str], Awaitable[Held]]


async def _release(handle: Handle, number: str, _reason: str) -> Held:
    return await review.release(handle, number)


_DEEDS: dict[str, Deed] = {"pass": review.pass_, "ask": review.ask, "return": review.return_, "refuse": review.refuse_, "release": _release}


def minutes_left(due: datetime | None) -> int:
    """Whole minutes until a clock runs out; negative when it has."""
    return 0 if due is None else int((due - clock.now()).total_seconds() // 60)


async def queue(request: Request) -> Response:
    """Show what waits, the most urgent first; `?part=waiting` answers with the list alone."""
    handle = request.state.handle
    own = request.app.state.services.gate.system("drugs.pool")
    waiting = await kept.pool(handle)
    places = await people.called(own, "Organization", [one.institution for one in waiting])
    mine = [one for one in waiting if one.reviewer == handle.actor.practitioner and one.state == "claimed"]
    block = "waiting" if request.query_params.get("part") == "waiting" else None
    return web.render(
        request, "drugs/pool.html", block=block, waiting=[one for one in waiting if one not in mine], mine=mine, places=places, left=minutes_left,
        me=handle.actor.practitioner)


async def take(request: Request) -> Response:
    """Claim the most urgent one, or the one named, and open it."""
    form, handle = await web.posted(request), request.state.handle
    number = reading.said(form, "number")
    claimed = await review.claim(handle, number) if number else await review.claim_next(handle)
    return RedirectResponse(f"{_PATH}/{claimed.number}" if claimed else _PATH, status_code=303)


async def show(request: Request, *, told: str = "", status: int = 200) -> Response:
    """Show a claimed prescription with what the rules find, the resident's facts, and the four answers."""
    handle, number = request.state.handle, request.path_params["number"]
    async with handle.connection() as connection:
        one = await kept.held(connection, number)
    if one.state == "claimed" and one.reviewer != handle.actor.practitioner:
        raise refuse(409, "conflict", "drugs.claimed")
    said = await kept.content_of(handle, one)
    own = request.app.state.services.gate.system("drugs.pool")
    findings = await review.findings_of(own, number)
    names = await people.called(own, "Practitioner", [one.practitioner])
    return web.render(
        request, "drugs/judge.html", status=status, one=one, said=said, who=await people.resident(handle, one.patient), findings=findings, told=told,
        known=(await catalogue(handle)).drugs, frequencies=frequencies(), decoctions=decoctions(), facts=await facts_of(own, one.patient, said.on),
        may=lifecycle().may(one.state, "pharmacist"), notes=await notes_of(own, one), left=minutes_left(one.review_due), doctor=names.get(one.practitioner, ""))


async def judge(request: Request) -> Response:
    """Pass, ask, return, refuse or release; then the next one is opened at once when `next` says so."""
    form, handle = await web.posted(request), request.state.handle
    number, deed = request.path_params["number"], _DEEDS.get(reading.said(form, "deed"))
    if deed is None:
        raise refuse(404, "not-found", "drugs.no-prescription")
    try:
        await deed(handle, number, reading.said(form, "reason"))
    except Problem as problem:
        if problem.status == 404:
            raise
        return await show(request, told=" ".join(errors.text(one, request.state.language) for one in problem.issues), status=problem.status)
    following = await review.claim_next(handle) if reading.said(form, "next") else None
    return RedirectResponse(f"{_PATH}/{following.number}" if following else _PATH, status_code=303)


def routes() -> list[BaseRoute]:
    """The routes of the queue."""
    return [
        web.route(_PATH, queue, permission=_REVIEW),
        web.route(f"{_PATH}/take", take, permission=_REVIEW, methods=["POST"]),
        web.route(f"{_PATH}/{{number}}", show, permission=_REVIEW),
        web.route(f"{_PATH}/{{number}}/judge", judge, permission=_REVIEW, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The pharmacist's entry."""
    return [web.MenuEntry("drugs.menu.review", _PATH, icon="check", order=22, about="drugs.menu.review.about")]
