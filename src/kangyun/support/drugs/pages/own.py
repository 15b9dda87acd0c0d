"""The resident's own prescriptions and parcels on a phone: what was prescribed, how it comes, the code that takes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, money, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons import population
from kangyun.commons.access import Handle
from kangyun.support.drugs.actions import circulation, delivery_codes
from kangyun.support.drugs.decisions.circulation import lifecycle
from kangyun.support.drugs.decisions.herbs import decoctions
from kangyun.support.drugs.decisions.lines import frequencies
from kangyun.support.drugs.model.circulation import Amount, Choice, Held
from kangyun.support.drugs.pages import reading
from kangyun.support.drugs.queries import parcels, people, places
from kangyun.support.drugs.queries import prescriptions as kept
from kangyun.support.drugs.queries.known import catalogue, drugs_of
from kangyun.support.drugs.queries.priced import lines_with_prices

_USE = "resident.use"
_PATH = "/resident/prescriptions"
_SHOWN = {"dispensed", "partly", "sent"}
_NEAREST = 8

Deed = Callable[[Handle, str], Awaitable[Held]]
_DEEDS: dict[str, Deed] = {"decline": circulation.decline, "agree": circulation.agree, "new-code": delivery_codes.new_code}


async def _patients(handle: Handle) -> list[str]:
    person = await handle.read("Person", handle.actor.person) if handle.actor.person else None
    return population.patients_of(person) if person else []


async def listed(request: Request) -> Response:
    """Show the prescriptions of oneself or of the ward, newest first."""
    handle = request.state.handle
    found = await kept.of_patients(handle, await _patients(handle))
    names = await people.called(_own(request), "Organization", [one.institution for one in found])
    return web.render(request, "drugs/own_list.html", found=found, names=names)


def _own(request: Request) -> Handle:
    return request.app.state.services.gate.system("drugs.own")


async def show(request: Request, *, told: str = "", status: int = 200) -> Response:
    """Show one: what it is, what is next, the code, the parcel."""
    handle, number = request.state.handle, request.path_params["number"]
    one, own = await circulation.of_ones_own(handle, number), _own(request)
    names = await people.called(own, "Organization", [one.institution, one.pharmacy, one.courier])
    who = await people.called(own, "Practitioner", [one.practitioner])
    prices = await lines_with_prices(own, number)
    return web.render(
        request, "drugs/own.html", status=status, one=one, said=await kept.content_of(handle, one), known=(await catalogue(handle)).drugs,
        frequencies=frequencies(), decoctions=decoctions(), names=names, doctor=who.get(one.practitioner, ""), told=told,
        may=lifecycle().may(one.state, "resident"), code=delivery_codes.code_of(one) if one.state in _SHOWN else "",
        parcel=await parcels.of_number(own, number), steps=await kept.steps(handle, number), offers=await _offers(own, one),
        total=money.shown(sum(line.amount for line in prices)), address=circulation.address_of(one))


async def _offers(own: Handle, one: Held) -> list[tuple[str, str]]:
    """What the pharmacy offers instead and waits for: (prescribed, offered) by name."""
    async with own.connection() as connection:
        waiting: list[Amount] = [entry for entry in await kept.amounts(connection, one.number) if entry.other and entry.agreed is None]
    drugs = await drugs_of(own, [code for entry in waiting for code in (entry.code, entry.other)])
    return [(drugs[entry.code].packed, drugs[entry.other].packed) for entry in waiting if {entry.code, entry.other} <= drugs.keys()]


async def ways(request: Request, *, told: str = "", status: int = 200, typed: Choice | None = None) -> Response:
    """Show the ways, the pharmacies near home that have everything first, and the form of a courier with what is known already."""
    handle, number = request.state.handle, request.path_params["number"]
    one, own = await circulation.of_ones_own(handle, number), _own(request)
    async with own.connection() as connection:
        wanted: dict[str, Decimal] = {entry.code: entry.wanted for entry in await kept.amounts(connection, number)}
    near = await places.pharmacies(own, wanted, await places.home_of(own, one.patient))
    couriers = await places.of_kind(own, "delivery")
    names = await people.called(own, "Organization", [one.institution])
    return web.render(
        request, "drugs/own_ways.html", status=status, one=one, near=near[:_NEAREST], couriers=couriers, hospital=names.get(one.institution, ""), told=told,
        recipient=_typed(typed) if typed else await _known(handle) | circulation.address_of(one))


def _typed(wish: Choice) -> dict[str, str]:
    return {"name": wish.name, "phone": wish.phone, "address": wish.address, "pharmacy": wish.pharmacy, "courier": wish.courier}


async def _known(handle: Handle) -> dict[str, str]:
    """Name, telephone and address as they stand in one's own record: nobody types twice what is known."""
    person = await handle.read("Person", handle.actor.person) or {} if handle.actor.person else {}
    phone = next((str(one.get("value", "")) for one in person.get("telecom", ()) if one.get("system") == "phone"), "")
    address = next((str(one["text"]) for one in person.get("address", ()) if one.get("text")), "")
    return {"name": population.legal_name(person) if person else "", "phone": phone, "address": address}


async def choose(request: Request) -> Response:
    """Choose a way."""
    form, number = await web.posted(request), request.path_params["number"]
    wish = Choice(*(reading.said(form, name) for name in ("way", "pharmacy", "courier", "name", "address", "phone")))
    try:
        await circulation.choose(request.state.handle, number, wish)
    except Problem as problem:
        if problem.status == 404:
            raise
        return await ways(request, told=_words(request, problem), status=problem.status, typed=wish)
    return RedirectResponse(f"{_PATH}/{number}", status_code=303)


def _words(request: Request, problem: Problem) -> str:
    return " ".join(errors.text(one, request.state.language) for one in problem.issues)


async def act(request: Request) -> Response:
    """Decline, agree to a substitute, or ask for a new code."""
    form, number = await web.posted(request), request.path_params["number"]
    deed = _DEEDS.get(reading.said(form, "deed"))
    if deed is None:
        raise refuse(404, "not-found", "drugs.no-prescription")
    try:
        await deed(request.state.handle, number)
    except Problem as problem:
        if problem.status == 404:
            raise
        return await show(request, told=_words(request, problem), status=problem.status)
    return RedirectResponse(f"{_PATH}/{number}", status_code=303)


async def parcels_page(request: Request) -> Response:
    """Show what is on its way, with the code of each."""
    handle = request.state.handle
    found = [one for one in await kept.of_patients(handle, await _patients(handle)) if one.way == "courier" and one.state in {"dispensed", "sent", "delivered", "settled", "returning", "taken_back"}]
    return web.render(request, "drugs/own_parcels.html", found=found, code=lambda one: delivery_codes.code_of(one) if one.state in _SHOWN else "")  # pyright: ignore[reportUnknownLambdaType] - called by the template


def routes() -> list[BaseRoute]:
    """The routes of a resident's prescriptions."""
    return [
        web.route(_PATH, listed, permission=_USE),
        web.route("/resident/parcels", parcels_page, permission=_USE),
        web.route(f"{_PATH}/{{number}}", show, permission=_USE),
        web.route(f"{_PATH}/{{number}}/ways", ways, permission=_USE),
        web.route(f"{_PATH}/{{number}}/choose", choose, permission=_USE, methods=["POST"]),
        web.route(f"{_PATH}/{{number}}/act", act, permission=_USE, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The resident's entries."""
    return [
        web.MenuEntry("drugs.menu.own", _PATH, icon="pill", order=34, about="drugs.menu.own.about"),
        web.MenuEntry("drugs.menu.parcels", "/resident/parcels", icon="tag", order=35, about="drugs.menu.parcels.about"),
    ]
