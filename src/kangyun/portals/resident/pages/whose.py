"""Whose page it is: the one who is logged in, a guardian's ward, or who was chosen on this machine; and whose card is shown."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from kangyun.base import errors
from kangyun.base.errors import Problem, refuse
from kangyun.commons.population import Cards, legal_name
from kangyun.portals.resident import queries

USE = "resident.use"
COOKIE = "resident"
HOME = "/resident/"
CARD = "/resident/card"


@dataclass(frozen=True, slots=True)
class Me:
    """Somebody as the pages show them: the id of one of their Patients, and the name."""

    id: str
    name: str


def cards_of(request: Request) -> Cards:
    """The cards as the caller may see them."""
    return Cards(request.state.handle, request.app.state.services.keys)


async def me_of(request: Request) -> Me | None:
    """Who is logged in (a guardian: the ward); without logins whoever was chosen on this machine."""
    handle = request.state.handle
    own = await queries.own_patient(handle) if handle.actor.person else None
    chosen_id = own or ("" if handle.actor.person else request.cookies.get(COOKIE, ""))
    if not chosen_id:
        return None
    try:
        return Me(chosen_id, await name_of(cards_of(request), chosen_id))
    except Problem:
        return None


async def must(request: Request) -> Me:
    """As `me_of`; raises Problem 403 for nobody."""
    me = await me_of(request)
    if me is None:
        raise refuse(403, "login", "resident.nobody")
    return me


async def holder(request: Request, cards: Cards, me: Me) -> Me:
    """Whose card is asked for: one's own, or that of somebody who entrusted it."""
    of = request.query_params.get("of", "")
    if not of or of == me.id:
        return me
    if not await cards.may_show(me.id, of):
        raise refuse(403, "forbidden", "resident.not-yours")
    return Me(of, await name_of(cards, of))


async def name_of(cards: Cards, patient_id: str) -> str:
    """The legal name of somebody."""
    return legal_name(await cards.person(patient_id)) or "—"


def address(path: str, me: Me, who: Me) -> str:
    """A page of somebody's: of one's own, or of one who entrusted the card."""
    return path if who.id == me.id else f"{path}?of={who.id}"


def texts(request: Request, problem: Problem) -> str:
    """A refusal in the words of whoever reads it."""
    return " ".join(errors.text(one, request.state.language) for one in problem.issues)
