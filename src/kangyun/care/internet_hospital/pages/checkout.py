"""The resident's one figure: what a consultation or a prescription comes to, who pays which part, and how far it is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import errors, money, web
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.care.internet_hospital.actions import checkout, quoting
from kangyun.care.internet_hospital.actions.quoting import Shown, acting

_HERE = "/consult/pay/{kind}/{about}"
_KINDS = {checkout.VISIT, checkout.MEDICINE}
_OPEN = {"cancelled", "refunded"}
_STEPS = ("unpaid", "paid", "settled", "dispatched", "closed")
_AT = {"settling": "paid"}


async def show(request: Request) -> Response:
    """Show the figure and its parts."""
    return await _page(request, await _shown(request))


async def _shown(request: Request) -> Shown:
    kind, about = request.path_params["kind"], request.path_params["about"]
    if kind not in _KINDS:
        raise refuse(404, "not-found", "internet_hospital.no-checkout")
    if kind == checkout.VISIT:
        return await quoting.visit(request.state.handle, about)
    return await quoting.medicine(request.app.state.services, request.state.handle, about)


async def _page(request: Request, shown: Shown, wrong: Problem | None = None) -> Response:
    kept = shown.checkout
    state = kept.state if kept else ""
    told = " ".join(errors.text(one, request.state.language) for one in wrong.issues) if wrong else ""
    why = errors.text(Issue("informational", kept.reason), request.state.language) if kept and kept.reason else ""
    return web.render(
        request, "internet_hospital/checkout.html", status=wrong.status if wrong else 200, wish=shown.wish, quote=shown.wish.quote, kept=kept,
        state=state, steps=_STEPS, reached=_STEPS.index(_AT.get(state, state)) if _AT.get(state, state) in _STEPS else -1, why=why, wrong=told,
        fen=money.shown, is_new=(kept is None or state in _OPEN) and shown.wrong is None, may_give_up="cancel" in checkout.judging.lifecycle().may(state, "resident"))


async def confirm(request: Request) -> Response:
    """Confirm the figure, and go on to where it is paid."""
    form, shown = await web.posted(request), await _shown(request)
    try:
        made = await quoting.confirm(request.state.handle, shown, str(form.get("seal", "")))
    except Problem as problem:
        if problem.status != 409:
            raise
        return await _page(request, await _shown(request), problem)
    paid = f"/payments/orders/{made.order_id}" if made.cash and made.state == "unpaid" else request.url.path
    return RedirectResponse(paid, 303)


async def give_up(request: Request) -> Response:
    """Give it up; what was paid goes back."""
    await web.posted(request)
    shown = await _shown(request)
    if shown.checkout is None:
        raise refuse(404, "not-found", "internet_hospital.no-checkout")
    try:
        await checkout.cancel(request.app.state.services, acting(request.state.handle), shown.checkout, "resident", "internet_hospital.given-up")
    except Problem as problem:
        if problem.status != 409:
            raise
        return await _page(request, shown, problem)
    return RedirectResponse(request.url.path.removesuffix("/give-up"), 303)


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    return [
        web.route(_HERE, show, permission=quoting.PAY),
        web.route(_HERE, confirm, permission=quoting.PAY, methods=["POST"]),
        web.route(f"{_HERE}/give-up", give_up, permission=quoting.PAY, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """It has no place of its own: prescriptions and consultations lead here."""
    return []
