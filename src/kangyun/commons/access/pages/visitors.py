"""Who looked at my record: for each day who, from where, when, why and at what; and a way to ask about it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import anomalies, deciding
from kangyun.commons.access.actions.who import client_named, institution_name, staff_named
from kangyun.commons.access.decisions.trail_words import action_title, purposes_known, role_title
from kangyun.commons.access.decisions.visitors import Visit, visits
from kangyun.commons.access.model import Event
from kangyun.commons.access.pages.entrance import actor_of, parts_of, to, told
from kangyun.commons.access.queries import anomalies as asked
from kangyun.commons.access.queries import trail
from kangyun.commons.access.queries.trail import Place, Wanted

_PATH = "/resident/visitors"
_USE = "resident.use"
_AT_ONCE = 400


async def show(request: Request, *, status: int = 200, wrong: str = "", asking: str = "") -> Response:
    """Show the visitors, newest day first; `?before=` goes on with earlier ones, `?only=emergency` shows break-glass alone."""
    parts, actor = parts_of(request), actor_of(request)
    asking = asking or request.query_params.get("ask", "")[:40]
    before = Place.of(request.query_params.get("before", ""))
    keys = await _own(request)
    async with parts.database.connection() as connection:
        found = await trail.events(connection, parts.keys, Wanted(residents=keys, of_people=True, before=before), _AT_ONCE)
        glasses = await trail.glasses(connection, keys)
    days = visits([(one.id, one.event) for one in found], actor.account, glasses)
    if request.query_params.get("only") == "emergency":
        days = [(day, some) for day, all_ in days if (some := [one for one in all_ if one.emergency])]
    _note(request, keys)
    await parts.trail.settled()
    questions = [(one, asked.said(parts.keys, one)) for one in await asked.asked_by(parts.database, actor.account or actor.name)]
    return web.render(
        request, "access/visitors.html", status=status, days=days, known=bool(keys), wrong=wrong, asking=asking, questions=questions,
        only=request.query_params.get("only", ""), older=str(found[-1].place) if len(found) == _AT_ONCE else "",
        names=await _names(request, [one for _, all_ in days for one in all_]), role_title=role_title, action_title=action_title,
        instant=clock.instant, purposes=purposes_known(),
    )


async def ask(request: Request) -> Response:
    """Ask an auditor about a visit."""
    form, parts, actor = await web.posted(request), parts_of(request), actor_of(request)
    event = str(form.get("visit", ""))
    try:
        await anomalies.ask(parts, actor, event, str(form.get("words", "")), await _own(request))
    except Problem as problem:
        if problem.status != 422:
            raise
        return await show(request, status=422, wrong=told(request, problem), asking=event)
    return to(f"{_PATH}#questions")


async def _own(request: Request) -> list[int]:
    """The keys of the Patients of oneself, the ward, or where there is no login, the chosen resident; none while nobody is bound."""
    parts = parts_of(request)
    try:
        mine = await deciding.patients_of(parts, request.state.handle, request.cookies.get("resident", ""))
    except Problem:
        return []
    return [trail.patient_key(one) for one in mine]


async def _names(request: Request, shown: list[Visit]) -> dict[str, dict[str, str]]:
    """What people call the institutions, the staff and the apps of visits, by their ids in the trail."""
    parts, language = parts_of(request), request.state.language
    institutions = {one.event.institution for one in shown if one.event.institution}
    staff = {one.event.name: one.event for one in shown if one.who == "staff" and one.event.account}
    apps = {one.event.name for one in shown if one.who == "app"}
    return {
        "institutions": {id_: await institution_name(parts, id_) for id_ in institutions},
        "people": {name: (await staff_named(parts, event.account or ""))[0] for name, event in staff.items()} | {
            name: await client_named(parts, name.removeprefix("client/"), language) for name in apps},
    }


def _note(request: Request, keys: list[int]) -> None:
    actor = actor_of(request)
    parts_of(request).trail.note(Event(
        clock.now(), actor.name, actor.role, "read", actor.institution, actor.account, actor.session, _USE, ["AuditEvent"], [], keys,
        actor.purpose, "ok", actor.address))


def routes() -> list[BaseRoute]:
    """The addresses of the page."""
    return [
        web.route(_PATH, show, permission=_USE),
        web.route(f"{_PATH}/ask", ask, permission=_USE, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The page's place in the menu."""
    return [web.MenuEntry("access.visitors.menu", _PATH, icon="clock", order=64, about="access.visitors.about")]
