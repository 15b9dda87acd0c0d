"""The call screen of a waiting room: large, live, without a login; its link is the permission, and it shows no full name."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import refuse
from kangyun.commons.population import legal_name
from kangyun.support.appointments.actions import receiving
from kangyun.support.appointments.decisions import departments
from kangyun.support.appointments.pages.shown import words

_KEY = "appointments-screen"
_SCREEN = "/appointments/screen"


def address_of(request: Request, institution: str, department: str = "") -> str:
    """The address of the screen of an institution, or of one department; only who has it can open it."""
    return f"{_SCREEN}/{institution}~{department}~{_mac(request, institution, department)}"


def _mac(request: Request, institution: str, department: str) -> str:
    return request.app.state.services.keys.mac(_KEY, f"{institution}~{department}".encode()).hex()[:32]


async def screen(request: Request) -> Response:
    """Show who is called and how many wait; `?part=live` answers with the changing part."""
    institution, department = _opened(request)
    work = request.app.state.services.gate.system("appointments.screen")
    called, lines = await receiving.screen_rows(work, institution, department)
    names = {row["patient"]: _masked(legal_name(await work.read("Patient", row["patient"]) or {})) for row in called}
    place = await work.read("Organization", institution) or {}
    shown = departments().get(department)
    part = "live" if request.query_params.get("part") == "live" else None
    return web.render(
        request, "appointments/screen.html", block=part, called=[(row, names[row["patient"]], row["number"].rpartition(".")[2]) for row in called],
        lines=lines, house=str(place.get("name", "")), department=shown, now=clock.now(), path=request.url.path, **words())


def _opened(request: Request) -> tuple[str, str]:
    """The institution and department that the link opens. Raises Problem 404 for one that was not made here."""
    institution, _, rest = request.path_params["key"].partition("~")
    department, _, mac = rest.partition("~")
    if not secrets.compare_digest(mac.encode(), _mac(request, institution, department).encode()):
        raise refuse(404, "not-found", "base.not-found")
    return institution, department


def _masked(name: str) -> str:
    """The first character of a name; a name of two is not told by its length either."""
    return f"{name[:1]}**" if name else "**"


def routes() -> list[BaseRoute]:
    """The address."""
    return [web.route(f"{_SCREEN}/{{key}}", screen, permission=web.PUBLIC)]
