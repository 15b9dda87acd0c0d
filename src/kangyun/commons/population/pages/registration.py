"""Registration at the desk: who is like the one who stands there is looked up before anybody is created."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.base.web.display import CHINA
from kangyun.commons.population.actions.residents import register
from kangyun.commons.population.decisions.desk import FIELDS, Form, patient, read
from kangyun.commons.population.model import Ambiguous
from kangyun.commons.population.pages.people import shown
from kangyun.commons.population.queries.likeness import matches

_DESK = "population.desk"
_HOME = "/population/register"
_SOURCE = "registration-desk"
_GRADES = {"certain", "probable", "possible"}
_MOST = 8


async def form(request: Request) -> Response:
    """Show the empty form."""
    return _page(request, Form(dict.fromkeys(FIELDS, ""), {}))


async def look_up(request: Request) -> Response:
    """Show who is like the one on the form; `register=yes` registers when nobody surely is."""
    posted = await web.posted(request)
    written = read({name: str(posted.get(name, "")) for name in FIELDS}, clock.now().astimezone(CHINA).date())
    if written.faults:
        return _page(request, written, status=422)
    handle = request.state.handle
    found = [one for one in await matches(handle, patient(written.values)) if one.grade in _GRADES][:_MOST]
    known = [one for one in found if one.grade == "certain"]
    if posted.get("register") == "yes" and not known:
        return await _registered(request, written)
    alike = [{"who": shown(one.patient, str(one.patient["id"])), "grade": one.grade} for one in found]
    return _page(request, written, alike=alike, looked=True, certain=bool(known))


async def _registered(request: Request, written: Form) -> Response:
    try:
        id_ = await register(request.state.handle, patient(written.values), _SOURCE)
    except Ambiguous as error:
        raise refuse(409, "conflict", "population.several-persons") from error
    return RedirectResponse(f"/population/cards/{id_}", status_code=303)


def _page(request: Request, written: Form, status: int = 200, **told: Any) -> Response:
    given: dict[str, Any] = {"alike": [], "looked": False, "certain": False} | told
    return web.render(request, "population/registration.html", status=status, values=written.values, faults=written.faults, **given)


def routes() -> list[BaseRoute]:
    """The addresses of the registration."""
    return [web.route(_HOME, form, permission=_DESK), web.route(_HOME, look_up, permission=_DESK, methods=["POST"], limit="find")]


def menu() -> list[web.MenuEntry]:
    """The place in the menu."""
    return [web.MenuEntry("population.register.menu", _HOME, icon="person", order=41, about="population.register.about")]
