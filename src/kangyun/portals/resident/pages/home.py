"""The resident's home: what comes next, and large tiles to everything else."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.web.menu import open_to, shell_of
from kangyun.commons.population import legal_name
from kangyun.portals.resident import queries
from kangyun.portals.resident.decisions.home import coming, courses, ordered, talks
from kangyun.portals.resident.pages.whose import CARD, HOME, USE, Me, cards_of, me_of, name_of


async def home(request: Request) -> Response:
    """Show a resident what comes next; let whoever operates this machine choose a resident, as a demonstration."""
    me = await me_of(request)
    if not request.state.handle.actor.person or me is None:
        return await _choose(request)
    found = await queries.next_things(request.state.handle, me.id)
    tiles = ordered(entry for entry in shell_of(request).menu if open_to(request, entry))
    return web.render(
        request, "resident/home.html", me=me, tiles=tiles, bookings=coming(found["Appointment"], clock.now()), talks=talks(found["Encounter"]),
        medicines=courses(found["MedicationRequest"]), family=await _family(request, me))


async def _family(request: Request, me: Me) -> list[Me]:
    cards = cards_of(request)
    return [Me(one.ward, await name_of(cards, one.ward)) for one in await cards.wards(me.id)]


async def _choose(request: Request) -> Response:
    cards = cards_of(request)
    text = str((await web.posted(request)).get("q", "")).strip() if request.method == "POST" else ""
    found = await cards.find(text) if text else await queries.newest(cards.handle)
    people = [(str(one["id"]), legal_name(one) or "—", one) for one in found]
    return web.render(request, "resident/choose.html", q=text, people=people)


def routes() -> list[BaseRoute]:
    """The address of the home."""
    return [web.route(HOME, home, permission=USE, methods=["GET", "POST"])]


def menu() -> list[web.MenuEntry]:
    """The portal's places in the menu."""
    return [
        web.MenuEntry("resident.menu.record", "/resident/record", icon="file", order=30, about="resident.about.record"),
        web.MenuEntry("resident.menu", CARD, icon="heart", order=60, about="resident.about"),
    ]
