"""The catalogue for everybody: found by name, pinyin and initials; what is known of a drug, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import money, web
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.drugs.decisions.catalogue import forms
from kangyun.support.drugs.decisions.herbs import decoctions
from kangyun.support.drugs.decisions.knowledge import Knowledge, words
from kangyun.support.drugs.decisions.lines import frequencies
from kangyun.support.drugs.decisions.lookup import LETTERS, look_up, of_letter
from kangyun.support.drugs.model import Drug
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.prices import prices_of

_PATH = "/drugs/catalogue"
_READ = "web.account"


async def listed(request: Request) -> Response:
    """Show what was looked for, or a part of the catalogue; `?part=found` answers with the list alone."""
    handle, query = request.state.handle, request.query_params
    known = await catalogue(handle)
    typed, letter = query.get("q", "").strip()[:50], query.get("group", "")
    drugs = look_up(known.drugs.values(), typed) if typed else of_letter(known.drugs.values(), letter)
    block = "found" if query.get("part") == "found" else None
    return web.render(
        request, "drugs/catalogue.html", block=block, q=typed, group=letter, letters=LETTERS, drugs=drugs, count=len(drugs), forms=forms(),
        whole=len(known.drugs), prices=await _prices(handle, drugs), shown=money.shown, own=bool(known.edition))


async def _prices(handle: Handle, drugs: Sequence[Drug]) -> dict[str, int]:
    async with handle.connection() as connection:
        return await prices_of(connection, handle.actor.institution or "", {one.code: one for one in drugs})


async def shown(request: Request) -> Response:
    """Show everything that is known of a drug."""
    handle = request.state.handle
    known = await catalogue(handle)
    drug = known.drugs.get(request.path_params["code"])
    if drug is None:
        raise refuse(404, "not-found", "drugs.unknown")
    prices = await _prices(handle, [drug])
    return web.render(
        request, "drugs/drug.html", drug=drug, form=forms()[drug.form], frequency=frequencies().get(drug.dose.frequency, {}), price=prices[drug.code],
        shown=money.shown, pairs=pairs_of(known, drug), decoction=decoctions().get(drug.decoction))


def pairs_of(known: Knowledge, drug: Drug) -> list[dict[str, Any]]:
    """The interactions of a drug, the gravest first: with what, level, effect, advice, certainty."""
    own, order = known.terms[drug.code], {"stop": 0, "confirm": 1, "advise": 2}
    told: list[dict[str, Any]] = []
    for pair in known.pairs:
        sides = {name: words(pair[name]) for name in ("a", "b")}
        for name, other in (("a", "b"), ("b", "a")):
            if own & {*sides[name]} and not (name == "b" and own & {*sides["a"]}):
                told.append({**pair, "with": _names(known, sides[other])})
    return sorted(told, key=lambda pair: order[pair["level"]])


def _names(known: Knowledge, terms: Sequence[str]) -> list[Drug]:
    """Some drugs that terms mean, so that people read names and no codes."""
    return [drug for drug in known.drugs.values() if known.terms[drug.code] & {*terms}]


def routes() -> list[BaseRoute]:
    """The routes of the catalogue."""
    return [web.route(_PATH, listed, permission=_READ), web.route(f"{_PATH}/{{code}}", shown, permission=_READ)]


def menu() -> list[web.MenuEntry]:
    """The catalogue's entry."""
    return [web.MenuEntry("drugs.catalogue.menu", _PATH, icon="pill", order=46, about="drugs.catalogue.about")]
