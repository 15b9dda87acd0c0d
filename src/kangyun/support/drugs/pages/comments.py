"""Prescription comment: samples, their figures, and one prescription after the other."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.support.drugs.actions.comments import COMMENT, Wish, comment, draw
from kangyun.support.drugs.decisions.comments import CLASSES, FIT, class_of, codes, suggested
from kangyun.support.drugs.decisions.herbs import decoctions
from kangyun.support.drugs.decisions.lines import frequencies
from kangyun.support.drugs.pages.reading import said
from kangyun.support.drugs.queries import comments as kept
from kangyun.support.drugs.queries import people, prescriptions
from kangyun.support.drugs.queries.facts import facts_of, reviewed
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.prescribers import today

_PATH = "/drugs/comments"


def _institution(request: Request) -> str:
    found = request.state.handle.actor.institution
    if not found:
        raise refuse(403, "forbidden", "drugs.no-institution")
    return str(found)


async def listed(request: Request) -> Response:
    """Show the samples and the form of a new one."""
    return await _samples(request)


async def _samples(request: Request, problem: Problem | None = None) -> Response:
    institution = _institution(request)
    async with request.state.handle.connection() as connection:
        samples = await kept.samples(connection, institution)
    last = today().replace(day=1) - timedelta(days=1)
    return web.render(
        request, "drugs/comments.html", status=problem.status if problem else 200, samples=samples, starts=last.replace(day=1).isoformat(),
        ends=today().isoformat(), told=_told(request, problem))


def _told(request: Request, problem: Problem | None) -> str:
    return " ".join(errors.text(one, request.state.language) for one in problem.issues) if problem else ""


async def drawing(request: Request) -> Response:
    """Draw a sample and show it."""
    form = await web.posted(request)
    try:
        made = await draw(request.state.handle, Wish(_day(said(form, "starts")), _day(said(form, "ends")), said(form, "kind")))
    except Problem as problem:
        return await _samples(request, problem)
    return RedirectResponse(f"{_PATH}/{made}", status_code=303)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise refuse(422, "value", "drugs.wrong-period") from error


async def sample(request: Request) -> Response:
    """Show a sample with its figures."""
    async with request.state.handle.connection() as connection:
        found = await kept.sample(connection, request.path_params["id"], _institution(request))
        drawn = await kept.drawn(connection, found.id)
    own = request.app.state.services.gate.system("drugs.comments")
    names = await people.called(own, "Practitioner", [one.practitioner for one in drawn])
    return web.render(
        request, "drugs/sample.html", sample=found, drawn=drawn, report=kept.report_of(drawn), codes=codes(), classes=(FIT, *CLASSES),
        class_of=class_of, names=names)


async def one(request: Request) -> Response:
    """Show a drawn prescription without the patient's name, with what the rules find now, and the problems to choose from."""
    return await _one(request)


async def _one(request: Request, problem: Problem | None = None) -> Response:
    institution, number = _institution(request), request.path_params["number"]
    async with request.state.handle.connection() as connection:
        found = await kept.sample(connection, request.path_params["id"], institution)
        drawn = await kept.one_drawn(connection, found.id, number)
        held = await prescriptions.held(connection, number)
    # The sample is the institution's own and was drawn by it; the patient is shown without a name.
    own = request.app.state.services.gate.system("drugs.comments")
    content = await prescriptions.content_of(own, held)
    findings = await reviewed(own, held, content)
    names = await people.called(own, "Practitioner", [drawn.practitioner])
    return web.render(
        request, "drugs/comment.html", status=problem.status if problem else 200, sample=found, drawn=drawn, said=content, findings=findings,
        facts=await facts_of(own, held.patient, content.on), codes=codes(), classes=CLASSES, doctor=names.get(drawn.practitioner, ""),
        chosen=drawn.problems if drawn.at else suggested(findings), told=_told(request, problem), known=(await catalogue(own)).drugs,
        frequencies=frequencies(), decoctions=decoctions())


async def keep(request: Request) -> Response:
    """Keep what is said of a prescription, and go on with the next one that waits."""
    form, handle = await web.posted(request), request.state.handle
    id_, number = request.path_params["id"], request.path_params["number"]
    try:
        await comment(handle, id_, number, [str(code) for code in form.getlist("problem")], said(form, "note"))
    except Problem as problem:
        if problem.status == 404:
            raise
        return await _one(request, problem)
    async with handle.connection() as connection:
        following = next((other.number for other in await kept.drawn(connection, id_) if other.at is None), "")
    return RedirectResponse(f"{_PATH}/{id_}/{following}" if following else f"{_PATH}/{id_}", status_code=303)


def routes() -> list[BaseRoute]:
    """The routes of comments."""
    return [
        web.route(_PATH, listed, permission=COMMENT), web.route(_PATH, drawing, permission=COMMENT, methods=["POST"]),
        web.route(f"{_PATH}/{{id}}", sample, permission=COMMENT), web.route(f"{_PATH}/{{id}}/{{number}}", one, permission=COMMENT),
        web.route(f"{_PATH}/{{id}}/{{number}}", keep, permission=COMMENT, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The entry of comments."""
    return [web.MenuEntry("drugs.comment.menu", _PATH, icon="check", order=24, about="drugs.comment.about")]
