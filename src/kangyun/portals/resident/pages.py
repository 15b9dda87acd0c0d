"""The resident's pages: my card, family, uses, my record. Until logins exist, who one is gets chosen on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.population import (
    Card,
    Cards,
    Shared,
    Wish,
    card_titles,
    end_link,
    legal_name,
    links,
    share_terms,
)
from kangyun.commons.population import share as share_summary
from kangyun.portals.resident import queries
from kangyun.portals.resident.decisions.life import entries

_USE = "resident.use"
_COOKIE = "resident"
_HOME = "/resident/"
_CARD = "/resident/card"


@dataclass(frozen=True, slots=True)
class Me:
    """Somebody as the pages show them: the id of one of their Patients, and the name."""

    id: str
    name: str


async def choose(request: Request) -> Response:
    """Let whoever sits at this machine choose a resident; a login takes this place."""
    cards = _cards(request)
    text = str((await web.posted(request)).get("q", "")).strip() if request.method == "POST" else ""
    found = await cards.find(text) if text else await queries.newest(cards.handle)
    people = [(str(one["id"]), legal_name(one) or "—", one) for one in found]
    return web.render(request, "resident/choose.html", q=text, people=people)


async def chosen(request: Request) -> Response:
    """Keep who was chosen in the browser's own cookie; an id says nothing without the gate."""
    form = await web.posted(request)
    person = str(form.get("patient", ""))
    await _cards(request).person(person)
    response = RedirectResponse(_CARD, status_code=303)
    response.set_cookie(_COOKIE, person, path="/resident", httponly=True, samesite="lax")
    return response


async def card(request: Request) -> Response:
    """Show a card with its code; `?part=code` answers with a new code, or with nothing while the old one is good."""
    cards, me = _cards(request), await _me(request)
    if me is None:
        return RedirectResponse(_HOME, status_code=303)
    who = await _holder(request, cards, me)
    held = await cards.current(who.id)
    if request.query_params.get("part") == "code":
        return await _next_code(request, cards, who, held)
    told = await _shown(cards, held)
    signed = await cards.signed_code(held) if told["code"] and held else None
    family = [Me(one.ward, await _name(cards, one.ward)) for one in await cards.wards(me.id)]
    return web.render(
        request, "resident/card.html", me=me, who=who, card=held, family=family, used=None, signed=signed,
        signed_code=web.qr(signed.text, "l") if signed else None, refused="", may=_may(held), titles=card_titles(), **told,
    )


async def _shown(cards: Cards, held: Card | None) -> dict[str, Any]:
    """The code of a card that is in use, and how many seconds it lasts."""
    if held is None or held.state != "active":
        return {"code": None, "ends": 0, "seconds": 0}
    shown = await cards.dynamic_code(held)
    seconds = int((shown.expires - clock.now()).total_seconds())
    return {"code": web.qr(shown.text), "ends": int(shown.expires.timestamp()), "seconds": seconds}


async def _next_code(request: Request, cards: Cards, who: Me, held: Card | None) -> Response:
    ends = request.query_params.get("ends", "")
    moment = datetime.fromtimestamp(int(ends), UTC) if ends.isdecimal() and len(ends) < 12 else None
    used = await cards.use_of(held, moment) if held and moment else None
    asked = request.query_params.get("fresh") == "yes"
    if moment and moment > clock.now() and not used and not asked and held and held.state == "active":
        return Response(status_code=204)
    return web.render(
        request, "resident/card.html", block="code", who=who, card=held, used=used, titles=card_titles(), **await _shown(cards, held),
    )


def _may(held: Card | None) -> list[str]:
    return [] if held is None else Cards.allowed(held, "resident")


async def change(request: Request) -> Response:
    """Freeze, unfreeze or report lost, one's own card or that of somebody entrusted."""
    form = await web.posted(request)
    cards, me = _cards(request), await _must(request)
    who = await _holder(request, cards, me)
    held = await cards.current(who.id)
    if held is None:
        raise refuse(404, "not-found", "resident.no-card")
    await cards.change(held, str(form.get("event", "")), "resident")
    return RedirectResponse(_of(_CARD, me, who), status_code=303)


async def issue(request: Request) -> Response:
    """Apply for the card oneself; it needs a name and a document in the record."""
    await web.posted(request)
    cards, me = _cards(request), await _must(request)
    who = await _holder(request, cards, me)
    try:
        await cards.issue(who.id)
    except Problem as problem:
        told = _texts(request, problem)
        return web.render(
            request, "resident/card.html", status=problem.status, me=me, who=who, card=None, family=[], used=None, signed=None,
            signed_code=None, refused=told, may=[], titles=card_titles(), code=None, ends=0, seconds=0,
        )
    return RedirectResponse(_of(_CARD, me, who), status_code=303)


async def uses(request: Request) -> Response:
    """Show what the cards were used for, where and when, and which readings were refused."""
    cards, me = _cards(request), await _must(request)
    who = await _holder(request, cards, me)
    held = await cards.of(who.id)
    refused = [one for one in await cards.events(held) if one.event.startswith("refused ")]
    return web.render(
        request, "resident/uses.html", me=me, who=who, uses=await cards.uses(held), refused=refused[:20],
        titles=card_titles(), instant=clock.instant,
    )


async def record(request: Request) -> Response:
    """Show what all institutions hold of the resident, as a plain list."""
    cards, me = _cards(request), await _must(request)
    who = await _holder(request, cards, me)
    return web.render(request, "resident/record.html", me=me, who=who, entries=entries(await queries.life(cards.handle, who.id)))


async def share(request: Request) -> Response:
    """Share the summary by a link; a new link is shown once, since its key is kept nowhere."""
    cards, me = _cards(request), await _must(request)
    who = await _holder(request, cards, me)
    if request.method == "GET":
        return await _share_page(request, cards, (me, who))
    form = await web.posted(request)
    days = str(form.get("days", ""))
    wish = Wish(
        int(days) if days.isdecimal() and len(days) < 4 else 0, str(form.get("language", "")),
        str(form.get("label", "")).strip(), str(form.get("passcode", "")).strip(),
    )
    try:
        made = await share_summary(cards.handle, cards.keys, who.id, wish, _address(request))
    except Problem as problem:
        return await _share_page(request, cards, (me, who), refused=_texts(request, problem), status=problem.status)
    return await _share_page(request, cards, (me, who), made=made)


async def _share_page(
    request: Request, cards: Cards, whose: tuple[Me, Me], *, made: Shared | None = None, refused: str = "", status: int = 200
) -> Response:
    me, who = whose
    return web.render(
        request, "resident/share.html", status=status, me=me, who=who, made=made, refused=refused, now=clock.now(),
        picture=web.qr(made.text, "l") if made else None, links=await links(cards.handle, who.id), terms=share_terms(),
        instant=clock.instant,
    )


async def end_share(request: Request) -> Response:
    """Take a link back."""
    form = await web.posted(request)
    cards, me = _cards(request), await _must(request)
    who = await _holder(request, cards, me)
    await end_link(cards.handle, who.id, str(form.get("link", "")))
    return RedirectResponse(_of("/resident/share", me, who), status_code=303)


def _address(request: Request) -> str:
    public = request.app.state.settings.public_url.rstrip("/")
    return public or str(request.base_url).rstrip("/")


def _texts(request: Request, problem: Problem) -> str:
    return " ".join(errors.text(one, request.state.language) for one in problem.issues)


async def offline_pass(request: Request) -> Response:
    """A page without anybody's data, kept by the browser for moments without a network: it draws what the phone kept."""
    response = web.render(request, "resident/pass.html")
    response.headers["cache-control"] = "no-cache"
    response.headers["x-kept-offline"] = "yes"
    return response


def _cards(request: Request) -> Cards:
    return Cards(request.state.handle, request.app.state.services.keys)


async def _me(request: Request) -> Me | None:
    chosen_id = request.cookies.get(_COOKIE, "")
    if not chosen_id:
        return None
    try:
        return Me(chosen_id, await _name(_cards(request), chosen_id))
    except Problem:
        return None


async def _must(request: Request) -> Me:
    me = await _me(request)
    if me is None:
        raise refuse(403, "login", "resident.nobody")
    return me


async def _holder(request: Request, cards: Cards, me: Me) -> Me:
    """Whose card is asked for: one's own, or that of somebody who entrusted it."""
    of = request.query_params.get("of", "")
    if not of or of == me.id:
        return me
    if not await cards.may_show(me.id, of):
        raise refuse(403, "forbidden", "resident.not-yours")
    return Me(of, await _name(cards, of))


async def _name(cards: Cards, patient_id: str) -> str:
    return legal_name(await cards.person(patient_id)) or "—"


def _of(path: str, me: Me, who: Me) -> str:
    return path if who.id == me.id else f"{path}?of={who.id}"


def routes() -> list[BaseRoute]:
    """Return the addresses of this portal."""
    return [
        web.route(_HOME, choose, permission=_USE, methods=["GET", "POST"]),
        web.route("/resident/choose", chosen, permission=_USE, methods=["POST"]),
        web.route(_CARD, card, permission=_USE),
        web.route(f"{_CARD}/change", change, permission=_USE, methods=["POST"]),
        web.route(f"{_CARD}/issue", issue, permission=_USE, methods=["POST"]),
        web.route("/resident/uses", uses, permission=_USE),
        web.route("/resident/record", record, permission=_USE),
        web.route("/resident/share", share, permission=_USE, methods=["GET", "POST"]),
        web.route("/resident/share/end", end_share, permission=_USE, methods=["POST"]),
        web.route("/resident/pass", offline_pass, permission=web.PUBLIC),
    ]


def menu() -> list[web.MenuEntry]:
    """Return this portal's place in the menu."""
    return [web.MenuEntry("resident.menu", _CARD, icon="heart", order=60, about="resident.about")]
