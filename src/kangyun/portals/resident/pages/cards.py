"""My card, the family's, their uses, and sharing; for the one who is logged in, or acts as guardian."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.population import (
    Card,
    Cards,
    Shared,
    Wish,
    card_titles,
    end_link,
    links,
    share_terms,
)
from kangyun.commons.population import share as share_summary
from kangyun.portals.resident.pages.whose import (
    CARD,
    COOKIE,
    HOME,
    USE,
    Me,
    address,
    cards_of,
    holder,
    me_of,
    must,
    name_of,
    texts,
)


async def chosen(request: Request) -> Response:
    """Keep who was chosen in the browser's own cookie; an id says nothing without the gate."""
    form = await web.posted(request)
    if request.state.handle.actor.person:
        raise refuse(403, "forbidden", "base.forbidden")
    person = str(form.get("patient", ""))
    await cards_of(request).person(person)
    response = RedirectResponse(CARD, status_code=303)
    response.set_cookie(COOKIE, person, path="/resident", httponly=True, samesite="lax")
    return response


async def card(request: Request) -> Response:
    """Show a card with its code; `?part=code` answers with a new code, or with nothing while the old one is good."""
    cards, me = cards_of(request), await me_of(request)
    if me is None:
        return RedirectResponse(HOME, status_code=303)
    who = await holder(request, cards, me)
    held = await cards.current(who.id)
    if request.query_params.get("part") == "code":
        return await _next_code(request, cards, who, held)
    told = await _shown(cards, held)
    signed = await cards.signed_code(held) if told["code"] and held else None
    family = [Me(one.ward, await name_of(cards, one.ward)) for one in await cards.wards(me.id)]
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
    cards, me = cards_of(request), await must(request)
    who = await holder(request, cards, me)
    held = await cards.current(who.id)
    if held is None:
        raise refuse(404, "not-found", "resident.no-card")
    await cards.change(held, str(form.get("event", "")), "resident")
    return RedirectResponse(address(CARD, me, who), status_code=303)


async def issue(request: Request) -> Response:
    """Apply for the card oneself; it needs a name and a document in the record."""
    await web.posted(request)
    cards, me = cards_of(request), await must(request)
    who = await holder(request, cards, me)
    try:
        # Residents write no Patient; the card's own is the platform's work, for whom `holder` has judged.
        own = request.state.handle.acting(USE, "population.card-issue", writes="Patient")
        await Cards(own, request.app.state.services.keys).issue(who.id)
    except Problem as problem:
        told = texts(request, problem)
        return web.render(
            request, "resident/card.html", status=problem.status, me=me, who=who, card=None, family=[], used=None, signed=None,
            signed_code=None, refused=told, may=[], titles=card_titles(), code=None, ends=0, seconds=0,
        )
    return RedirectResponse(address(CARD, me, who), status_code=303)


async def uses(request: Request) -> Response:
    """Show what the cards were used for, where and when, and which readings were refused."""
    cards, me = cards_of(request), await must(request)
    who = await holder(request, cards, me)
    held = await cards.of(who.id)
    refused = [one for one in await cards.events(held) if one.event.startswith("refused ")]
    return web.render(
        request, "resident/uses.html", me=me, who=who, uses=await cards.uses(held), refused=refused[:20],
        titles=card_titles(), instant=clock.instant,
    )


async def share(request: Request) -> Response:
    """Share the summary by a link; a new link is shown once, since its key is kept nowhere."""
    cards, me = cards_of(request), await must(request)
    who = await holder(request, cards, me)
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
        return await _share_page(request, cards, (me, who), refused=texts(request, problem), status=problem.status)
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
    cards, me = cards_of(request), await must(request)
    who = await holder(request, cards, me)
    await end_link(cards.handle, who.id, str(form.get("link", "")))
    return RedirectResponse(address("/resident/share", me, who), status_code=303)


def _address(request: Request) -> str:
    public = request.app.state.settings.public_url.rstrip("/")
    return public or str(request.base_url).rstrip("/")


async def offline_pass(request: Request) -> Response:
    """A page without anybody's data, kept by the browser for moments without a network: it draws what the phone kept."""
    # The browser keeps the page as it is, so its frame must not name who is logged in.
    request.state.login = None
    response = web.render(request, "resident/pass.html")
    response.headers["cache-control"] = "no-cache"
    response.headers["x-kept-offline"] = "yes"
    return response


def routes() -> list[BaseRoute]:
    """The addresses of cards and of sharing."""
    return [
        web.route("/resident/choose", chosen, permission=USE, methods=["POST"]),
        web.route(CARD, card, permission=USE),
        web.route(f"{CARD}/change", change, permission=USE, methods=["POST"]),
        web.route(f"{CARD}/issue", issue, permission=USE, methods=["POST"]),
        web.route("/resident/uses", uses, permission=USE),
        web.route("/resident/share", share, permission=USE, methods=["GET", "POST"]),
        web.route("/resident/share/end", end_share, permission=USE, methods=["POST"]),
        web.route("/resident/pass", offline_pass, permission=web.PUBLIC),
    ]
