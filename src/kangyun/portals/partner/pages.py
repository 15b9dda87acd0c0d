"""A small pharmacy's counter and a courier's phone; what happens is done by `support/drugs`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
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
_SHELF = 100
_LISTED = ("circulated", "locked", "partly", "dispensed", "returning")
_UNDER_WAY = ("packed", "picked-up")

_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,6})?", re.ASCII)

Deed = Callable[[Handle, str, FormData], Awaitable[object]]


def _said(form: FormData, field: str, longest: int = 200) -> str:
    value = form.get(field, "")
    return value.strip()[:longest] if isinstance(value, str) else ""


def _number(text: str, field: str) -> Decimal:
    """A number as people type it. Raises Problem 422, which names the field."""
    if _NUMBER.fullmatch(text.strip()) is None:
        raise refuse(422, "value", f"partner.no-{field}", field)
    return Decimal(text.strip())


def _told(request: Request, problem: Problem) -> str:
    return " ".join(errors.text(one, request.state.language) for one in problem.issues)


async def counter(request: Request, *, told: str = "", status: int = 200, typed: str = "") -> Response:
    """Show what this pharmacy has to do; `?part=work` answers with the lists alone."""
    handle = request.state.handle
    found = await drugs.at_pharmacy(handle, handle.actor.institution or "", _LISTED)
    block = "work" if request.query_params.get("part") == "work" else None
    groups = {state: [one for one in found if one.state == state] for state in _LISTED}
    return web.render(request, "partner/counter.html", block=block, groups=groups, told=told, status=status, typed=typed)


async def scan(request: Request) -> Response:
    """Open the prescription whose number was scanned or typed."""
    form = await web.posted(request)
    number = "".join(sign for sign in _said(form, "number") if sign.isdigit())
    try:
        await drugs.at_counter(request.state.handle, number)
    except Problem as problem:
        return await counter(request, told=_told(request, problem), status=problem.status, typed=_said(form, "number"))
    return RedirectResponse(f"{_PHARMACY}/{number}", status_code=303)


async def prescription(request: Request, *, told: str = "", status: int = 200, form: FormData | None = None) -> Response:
    """Show one prescription of this pharmacy and what may be done now; a refused form stands there as it was typed."""
    seen = await drugs.at_counter(request.state.handle, request.path_params["number"])
    return web.render(
        request, "partner/prescription.html", seen=seen, one=seen.held, told=told, status=status, key=uuid4().hex, typed=_amounts(form) if form else {})


async def _lock(handle: Handle, number: str, form: FormData) -> object:
    return await drugs.lock(handle, number, _said(form, "key"))


async def _unlock(handle: Handle, number: str, _form: FormData) -> object:
    return await drugs.unlock(handle, number)


async def _dispense(handle: Handle, number: str, form: FormData) -> object:
    """Give what stands in the fields of the lines; a form without such fields means all that is left."""
    typed = _amounts(form)
    parts = {int(line): amount for line, text in typed.items() if text and (amount := _number(text, "amount"))}
    if typed and not parts:
        raise refuse(422, "required", "partner.nothing-given", "amount")
    return await drugs.dispense(handle, number, drugs.Giving(_said(form, "key"), parts or None))


def _amounts(form: FormData) -> dict[str, str]:
    """What was typed into the field of each line, by the line's place."""
    found = {name.removeprefix("amount-"): _said(form, name) for name in form if name.startswith("amount-")}
    return {line: text for line, text in found.items() if len(line) < 4 and line.isascii() and line.isdigit()}


async def _offer(handle: Handle, number: str, form: FormData) -> object:
    return await drugs.offer(handle, number, int(_number(_said(form, "line"), "amount")), _said(form, "code"))


async def _close(handle: Handle, number: str, _form: FormData) -> object:
    return await drugs.close(handle, number)


async def _hand_over(handle: Handle, number: str, form: FormData) -> object:
    return await drugs.hand_over(handle, number, _said(form, "code"))


async def _take_back(handle: Handle, number: str, form: FormData) -> object:
    return await drugs.take_back(handle, f"{number}-parcel", restock=bool(_said(form, "restock")))


async def _pick_up(handle: Handle, parcel: str, _form: FormData) -> object:
    return await drugs.pick_up(handle, parcel)


async def _temperature(handle: Handle, parcel: str, form: FormData) -> object:
    return await drugs.log_temperature(handle, parcel, _number(_said(form, "celsius"), "celsius"))


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
            return await self.page(request, told=_told(request, problem), status=problem.status, form=form)
        return RedirectResponse(f"{self.path}/{of}", status_code=303)


_COUNTER = _Desk({
    "lock": _lock, "unlock": _unlock, "dispense": _dispense, "offer": _offer, "close": _close, "hand-over": _hand_over, "take-back": _take_back,
}, _PHARMACY, prescription, "number")


async def shelf(request: Request, *, told: str = "", status: int = 200, form: FormData | None = None) -> Response:
    """Show the shelf, or what of it fits `?q=`, and the form to count a drug."""
    typed_name = request.query_params.get("q", "").strip()[:60]
    rows = await drugs.shelf_at(request.state.handle, typed_name)
    typed = {name: _said(form, name) if form else "" for name in ("code", "amount", "batch", "expires")}
    return web.render(request, "partner/shelf.html", rows=rows[:_SHELF], total=len(rows), q=typed_name, told=told, status=status, typed=typed)


async def count(request: Request) -> Response:
    """Keep what was counted."""
    form = await web.posted(request)
    try:
        counted = drugs.shelf(_said(form, "code"), _number(_said(form, "amount"), "amount"), _said(form, "batch"), _said(form, "expires"))
        await drugs.count(request.state.handle, [counted])
    except Problem as problem:
        return await shelf(request, told=_told(request, problem), status=problem.status, form=form)
    return RedirectResponse(f"{_PHARMACY}/stock", status_code=303)


async def errands(request: Request) -> Response:
    """Show the parcels to pick up and to deliver; `?part=work` answers with the lists alone."""
    handle = request.state.handle
    found = await drugs.of_courier(handle, handle.actor.institution or "", _UNDER_WAY)
    mine = [one for one in found if one.state == "packed" or one.carrier == (handle.actor.practitioner or "")]
    pharmacies: dict[str, Any] = await drugs.places_of(handle, [one.pharmacy for one in mine])
    block = "work" if request.query_params.get("part") == "work" else None
    return web.render(request, "partner/errands.html", block=block, pharmacies=pharmacies, groups={state: [one for one in mine if one.state == state] for state in _UNDER_WAY})


async def parcel(request: Request, *, told: str = "", status: int = 200, form: FormData | None = None) -> Response:
    """Show one parcel: whom and where, and what may be done now."""
    seen = await drugs.at_door(request.state.handle, request.path_params["parcel"])
    return web.render(
        request, "partner/parcel.html", seen=seen, one=seen.parcel, told=told, status=status, celsius=_said(form, "celsius") if form else "")


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
