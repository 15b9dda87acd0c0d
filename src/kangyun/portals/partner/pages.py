"""A small pharmacy's counter and a courier's phone; what happens is done by `support/drugs`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle
from kangyun.support import drugs

_DISPENSE = "drugs.dispense"
_DELIVER = "drugs.deliver"
_PHARMACY = "/pharmacy"
_COURIER = "/courier"
_LISTED = ("circulated", "locked", "partly", "dispensed", "returning")
_UNDER_WAY = ("packed", "picked-up")

Deed = Callable[[Handle, str, FormData], Awaitable[object]]


def _said(form: FormData, field: str, longest: int = 200) -> str:
    value = form.get(field, "")
    return value.strip()[:longest] if isinstance(value, str) else ""


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise refuse(422, "value", "partner.no-number") from None


def _told(request: Request, problem: Problem) -> str:
    return " ".join(errors.text(one, request.state.language) for one in problem.issues)


async def counter(request: Request, *, told: str = "", status: int = 200) -> Response:
    """Show what this pharmacy has to do; `?part=work` answers with the lists alone."""
    handle = request.state.handle
    found = await drugs.at_pharmacy(handle, handle.actor.institution or "", _LISTED)
    block = "work" if request.query_params.get("part") == "work" else None
    groups = {state: [one for one in found if one.state == state] for state in _LISTED}
    return web.render(request, "partner/counter.html", block=block, groups=groups, told=told, status=status)


async def scan(request: Request) -> Response:
    """Open the prescription whose number was scanned or typed."""
    form = await web.posted(request)
    number = "".join(sign for sign in _said(form, "number") if sign.isdigit())
    try:
        await drugs.at_counter(request.state.handle, number)
    except Problem as problem:
        return await counter(request, told=_told(request, problem), status=problem.status)
    return RedirectResponse(f"{_PHARMACY}/{number}", status_code=303)


async def prescription(request: Request, *, told: str = "", status: int = 200) -> Response:
    """Show one prescription of this pharmacy and what may be done now."""
    seen = await drugs.at_counter(request.state.handle, request.path_params["number"])
    return web.render(request, "partner/prescription.html", seen=seen, one=seen.held, told=told, status=status, key=uuid4().hex)


async def _lock(handle: Handle, number: str, form: FormData) -> object:
    return await drugs.lock(handle, number, _said(form, "key"))


async def _unlock(handle: Handle, number: str, _form: FormData) -> object:
    return await drugs.unlock(handle, number)


async def _dispense(handle: Handle, number: str, form: FormData) -> object:
    parts = {int(name.removeprefix("amount-")): _number(str(value)) for name, value in form.items() if name.startswith("amount-") and str(value).strip()}
    return await drugs.dispense(handle, number, drugs.Giving(_said(form, "key"), {line: amount for line, amount in parts.items() if amount} or None))


async def _offer(handle: Handle, number: str, form: FormData) -> object:
    return await drugs.offer(handle, number, int(_number(_said(form, "line"))), _said(form, "code"))


async def _close(handle: Handle, number: str, _form: FormData) -> object:
    return await drugs.close(handle, number)


async def _hand_over(handle: Handle, number: str, form: FormData) -> object:
    return await drugs.hand_over(handle, number, _said(form, "code"))


async def _take_back(handle: Handle, number: str, form: FormData) -> object:
    return await drugs.take_back(handle, f"{number}-parcel", restock=bool(_said(form, "restock")))


async def _pick_up(handle: Handle, parcel: str, _form: FormData) -> object:
    return await drugs.pick_up(handle, parcel)


async def _temperature(handle: Handle, parcel: str, form: FormData) -> object:
    return await drugs.log_temperature(handle, parcel, _number(_said(form, "celsius")))


async def _deliver(handle: Handle, parcel: str, form: FormData) -> object:
    return await drugs.deliver(handle, parcel, _said(form, "code"))


async def _fail(handle: Handle, parcel: str, _form: FormData) -> object:
    return await drugs.fail(handle, parcel)


@dataclass(frozen=True, slots=True)
class _Desk:
    """A page whose forms are deeds: what they are, where one is afterwards, and the page that tells why one was refused."""

    deeds: dict[str, Deed]
    path: str
    page: Callable[..., Awaitable[Response]]
    name: str

    async def act(self, request: Request) -> Response:
        """Do what the pressed button says."""
        form, of = await web.posted(request), request.path_params[self.name]
        deed = self.deeds.get(_said(form, "deed"))
        if deed is None:
            raise refuse(404, "not-found", "partner.no-deed")
        try:
            await deed(request.state.handle, of, form)
        except Problem as problem:
            if problem.status == 404:
                raise
            return await self.page(request, told=_told(request, problem), status=problem.status)
        return RedirectResponse(f"{self.path}/{of}", status_code=303)


_COUNTER = _Desk({
    "lock": _lock, "unlock": _unlock, "dispense": _dispense, "offer": _offer, "close": _close, "hand-over": _hand_over, "take-back": _take_back,
}, _PHARMACY, prescription, "number")


async def shelf(request: Request, *, told: str = "", status: int = 200) -> Response:
    """Show the shelf and the form to count a drug."""
    rows = await drugs.shelf_at(request.state.handle)
    return web.render(request, "partner/shelf.html", rows=rows, told=told, status=status)


async def count(request: Request) -> Response:
    """Keep what was counted."""
    form = await web.posted(request)
    try:
        counted = drugs.shelf(_said(form, "code"), _number(_said(form, "amount")), _said(form, "batch"), _said(form, "expires"))
        await drugs.count(request.state.handle, [counted])
    except Problem as problem:
        return await shelf(request, told=_told(request, problem), status=problem.status)
    return RedirectResponse(f"{_PHARMACY}/stock", status_code=303)


async def errands(request: Request) -> Response:
    """Show the parcels to pick up and to deliver; `?part=work` answers with the lists alone."""
    handle = request.state.handle
    found = await drugs.of_courier(handle, handle.actor.institution or "", _UNDER_WAY)
    mine = [one for one in found if one.state == "packed" or one.carrier == (handle.actor.practitioner or "")]
    pharmacies: dict[str, Any] = await drugs.places_of(handle, [one.pharmacy for one in mine])
    block = "work" if request.query_params.get("part") == "work" else None
    return web.render(request, "partner/errands.html", block=block, pharmacies=pharmacies, groups={state: [one for one in mine if one.state == state] for state in _UNDER_WAY})


async def parcel(request: Request, *, told: str = "", status: int = 200) -> Response:
    """Show one parcel: whom and where, and what may be done now."""
    seen = await drugs.at_door(request.state.handle, request.path_params["parcel"])
    return web.render(request, "partner/parcel.html", seen=seen, one=seen.parcel, told=told, status=status)


_DOOR = _Desk({"pick-up": _pick_up, "temperature": _temperature, "deliver": _deliver, "fail": _fail}, _COURIER, parcel, "parcel")


def routes() -> list[BaseRoute]:
    """The routes of the counter and of the courier."""
    return [
        web.route(_PHARMACY, counter, permission=_DISPENSE),
        web.route(f"{_PHARMACY}/scan", scan, permission=_DISPENSE, methods=["POST"]),
        web.route(f"{_PHARMACY}/stock", shelf, permission=_DISPENSE),
        web.route(f"{_PHARMACY}/stock/count", count, permission=_DISPENSE, methods=["POST"]),
        web.route(f"{_PHARMACY}/{{number}}", prescription, permission=_DISPENSE),
        web.route(f"{_PHARMACY}/{{number}}/act", _COUNTER.act, permission=_DISPENSE, methods=["POST"]),
        web.route(_COURIER, errands, permission=_DELIVER),
        web.route(f"{_COURIER}/{{parcel}}", parcel, permission=_DELIVER),
        web.route(f"{_COURIER}/{{parcel}}/act", _DOOR.act, permission=_DELIVER, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The entries of pharmacies and couriers."""
    return [
        web.MenuEntry("partner.menu.pharmacy", _PHARMACY, icon="pill", order=26, about="partner.menu.pharmacy.about"),
        web.MenuEntry("partner.menu.stock", f"{_PHARMACY}/stock", icon="flask", order=27, about="partner.menu.stock.about"),
        web.MenuEntry("partner.menu.courier", _COURIER, icon="tag", order=28, about="partner.menu.courier.about"),
    ]
