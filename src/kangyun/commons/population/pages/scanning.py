"""The clerk's scanning page: camera or keyboard scanner, and at once who stands there, or why not."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Problem
from kangyun.commons.population.actions.card_scan import Reading, Recognised, scan
from kangyun.commons.population.actions.cards import Cards, masked_name
from kangyun.commons.population.decisions.card import channels, steps
from kangyun.commons.population.pages.people import Shown, shown

_PAGE = "/population/scan"
_NO_PIN = {"population.card-pin-needed", "population.card-pin-wrong"}


async def scanning(request: Request) -> Response:
    """Show the page; posted, answer with the block of the result only."""
    if request.method == "POST":
        return await _result(request)
    response = web.render(request, "population/scan.html", steps=steps(), channels=channels(), found=None, refused="", asks_pin=False, code="", who=None)
    # Every other page refuses the camera.
    response.headers["permissions-policy"] = "camera=(self), microphone=(), geolocation=()"
    return response


async def _result(request: Request) -> Response:
    form = await web.posted(request)
    read = Reading(**{name: str(form.get(name, "")).strip() for name in ("code", "step", "terminal", "channel", "pin")})
    told: dict[str, Any] = {"found": None, "who": None, "refused": "", "asks_pin": False, "code": read.code}
    try:
        found = await scan(Cards(request.state.handle, request.app.state.services.keys), read)
        told |= {"found": found, "who": _who(request, found)}
    except Problem as problem:
        told["refused"] = " ".join(errors.text(one, request.state.language) for one in problem.issues)
        told["asks_pin"] = problem.issues[0].key in _NO_PIN
    return web.render(request, "population/scan.html", block="result", steps=steps(), channels=channels(), **told)


def _who(request: Request, found: Recognised) -> Shown:
    who = shown(found.person, found.card.patient)
    if request.state.handle.may("population.identify"):
        return who
    return Shown(who.id, masked_name(who.name), who.sex, who.born[:4], "", who.identifier)


def routes() -> list[BaseRoute]:
    """The address of the scanning page."""
    return [web.route(_PAGE, scanning, permission="population.scan", methods=["GET", "POST"])]


def menu() -> list[web.MenuEntry]:
    """The scanning page's place in the menu."""
    return [web.MenuEntry("population.scan.menu", _PAGE, icon="scan", order=41, about="population.scan.about")]
