"""Finding a clinic, and its days."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import money, web
from kangyun.support.appointments.decisions import departments, kinds
from kangyun.support.appointments.pages.shown import chosen, said, whose_name, words
from kangyun.support.appointments.queries import finding, pool

BOOK = "appointments.book"
_HOME = "/appointments"


async def find(request: Request) -> Response:
    """Show clinics by kind and department; a text (a doctor, a symptom) is posted, because addresses are kept in logs."""
    handle = request.state.handle
    form = await web.posted(request) if request.method == "POST" else None
    asked = {name: said(form, name) if form else request.query_params.get(name, "")[:64] for name in ("kind", "department", "institution")}
    text = said(form, "q") if form else ""
    kind = asked["kind"] if asked["kind"] in kinds() else "outpatient"
    wish = finding.Search(kind, asked["department"], text, asked["institution"])
    result = await finding.search(handle, wish)
    response = web.render(
        request, "appointments/find.html", wish=wish, kinds=kinds(), departments=await _offered(request, kind), all_departments=departments(),
        result=result, found=[one for one, _ in result.found], places=await pool.places(handle, kind), money=money.shown, booking_for=await _for(request), **words())
    # The place of the phone stays on the phone: its own script puts the list in order.
    response.headers["permissions-policy"] = "camera=(), microphone=(), geolocation=(self)"
    return response


async def _offered(request: Request, kind: str) -> dict[str, Any]:
    used = await pool.departments_in_use(request.state.handle, kind)
    return {code: one for code, one in departments().items() if code in used}


async def _for(request: Request) -> str:
    patient = chosen(request)
    return await whose_name(request.state.handle, patient) if patient else ""


async def schedule(request: Request) -> Response:
    """Show the days of a clinic, with what is free and when later days open."""
    found, offers = await finding.offers(request.state.handle, request.path_params["id"])
    return web.render(
        request, "appointments/schedule.html", one=found, offers=offers, kind=kinds()[found.kind], money=money.shown,
        booking_for=await _for(request), channel=finding.channel_of(request.state.handle), **words())


def routes() -> list[BaseRoute]:
    """The addresses."""
    return [
        web.route(_HOME, find, permission=BOOK, methods=["GET", "POST"], limit="find"),
        web.route(f"{_HOME}/schedule/{{id}}", schedule, permission=BOOK),
    ]
