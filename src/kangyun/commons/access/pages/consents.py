"""Who may see my record: what residents have decided, a new decision in three steps, who looked in an emergency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access.actions import deciding
from kangyun.commons.access.actions.gate import Handle
from kangyun.commons.access.decisions import emergency, sensitive, wishes
from kangyun.commons.access.decisions.wishes import Wish
from kangyun.commons.access.pages.entrance import parts_of, to, told
from kangyun.commons.access.queries import emergency as glasses

_USE = "resident.use"
_PATH = "/resident/consents"
_DONE = {"yes": web.message("access.consents.done"), "withdrawn": web.message("access.consents.withdrawn")}
_LAST = 3


@dataclass(frozen=True, slots=True)
class _Draft:
    """A decision on its way through the steps: what was posted so far."""

    wish: Wish
    months: int | None
    q: str = ""
    sure: bool = False


async def show(request: Request) -> Response:
    """Show what holds now, what is past, and who looked in an emergency."""
    parts, handle = parts_of(request), _handle(request)
    mine = await deciding.patients_of(parts, handle, _chosen(request))
    found = await deciding.decided(handle, mine)
    seen = await glasses.of_patients(parts.database, mine, clock.now() - emergency.shown())
    ids = {id_ for one in found if one.wish for id_ in one.wish.institutions} | {one.institution for one in seen if one.institution}
    names = dict(await deciding.institutions_named(handle, ids))
    return web.render(
        request, "access/consents.html", holding=[one for one in found if not one.over], past=[one for one in found if one.over],
        seen=seen, names=names, reasons={one.code: one.title for one in emergency.reasons()}, starts=wishes.KINDS, now=clock.now(),
        instant=clock.instant, done=_DONE.get(request.query_params.get("done", ""), ""),
    )


async def begin(request: Request) -> Response:
    """The first step of a new decision."""
    kind = request.query_params.get("wish", "")
    if kind not in wishes.KINDS:
        return to(_PATH)
    every = () if kind == "sensitive" else wishes.kinds()
    return await _step(request, 1, _Draft(Wish(kind, wishes.WHO[kind][0], kinds=every, purpose=wishes.purposes(kind)[0]), None))


async def go_on(request: Request) -> Response:
    """Take a step: on, back, or a search for another institution; after the last one it is decided."""
    form = await web.posted(request)
    draft, step, go = _draft(form), _number(form.get("step"), 1), str(form.get("go", "on"))
    if go == "find":
        return await _step(request, 1, draft)
    if go == "back":
        return await _step(request, step - 1, draft)
    wrong = _wrong(draft, step)
    if wrong:
        return await _step(request, step, draft, wrong)
    if step < _LAST:
        return await _step(request, step + 1, draft)
    return await _decide(request, draft)


async def _decide(request: Request, draft: _Draft) -> Response:
    handle = _handle(request)
    mine = await deciding.patients_of(parts_of(request), handle, _chosen(request))
    try:
        await deciding.decide(handle, mine, draft.wish)
    except Problem as problem:
        return await _step(request, _LAST, draft, told(request, problem), problem.status)
    return to(f"{_PATH}?done=yes")


async def withdraw(request: Request) -> Response:
    """Take a decision back."""
    form = await web.posted(request)
    handle = _handle(request)
    mine = await deciding.patients_of(parts_of(request), handle, _chosen(request))
    await deciding.withdraw(handle, mine, str(form.get("consent", "")))
    return to(f"{_PATH}?done=withdrawn")


def _wrong(draft: _Draft, step: int) -> str:
    """The key of what a step lacks, '' when nothing."""
    lacking = wishes.faults(draft.wish)
    if step == 1:
        return "access.consent-who" if "access.consent-who" in lacking else ""
    empty = not (draft.wish.classes if draft.wish.kind == "sensitive" else draft.wish.kinds)
    if lacking or empty:
        return lacking[0] if lacking else "access.consent-what"
    if step == _LAST and draft.months not in wishes.terms():
        return "access.consent-term"
    return "access.consent-sure" if step == _LAST and draft.wish.kind != "close" and not draft.sure else ""


async def _step(request: Request, step: int, draft: _Draft, wrong: str = "", status: int = 200) -> Response:
    handle = _handle(request)
    mine = await deciding.patients_of(parts_of(request), handle, _chosen(request))
    offered = dict(await deciding.institutions_near(handle, mine)) | dict(await deciding.institutions_called(handle, draft.q))
    offered |= dict(await deciding.institutions_named(handle, draft.wish.institutions))
    shown = told(request, refuse(422, "required", wrong)) if wrong.startswith("access.") else wrong
    return web.render(
        request, "access/consent_step.html", status=status if not wrong or status != 200 else 422, step=max(1, min(step, _LAST)),
        draft=draft, wish=draft.wish, offered=offered, names=offered, wrong=shown, kinds=wishes.kinds(), classes=sensitive.classes(),
        terms=wishes.terms(), purposes=wishes.purposes(draft.wish.kind), whos=wishes.WHO[draft.wish.kind],
    )


def _draft(form: FormData) -> _Draft:
    """Read what was posted; anything that no page of ours offers is left out, and what lacks is refused by its step."""
    kind, who, purpose = (str(form.get(name, "")) for name in ("wish", "who", "purpose"))
    if kind not in wishes.KINDS:
        raise refuse(422, "value", "access.consent-what")
    wish = Wish(
        kind, who if who in wishes.WHO[kind] else wishes.WHO[kind][0], tuple(dict.fromkeys(_several(form, "institution"))),
        tuple(one for one in wishes.kinds() if one in _several(form, "kind")),
        tuple(one for one in sensitive.classes() if one in _several(form, "class")),
        purpose if purpose in wishes.purposes(kind) else wishes.purposes(kind)[0],
    )
    if wish.who == "everybody":
        wish = replace(wish, institutions=())
    months = _number(form.get("months"), -1)
    if months in wishes.terms():
        wish = replace(wish, until=wishes.until(months, wishes.today(clock.now())))
    return _Draft(wish, months, str(form.get("q", "")).strip()[:40], form.get("sure") == "yes")


def _several(form: FormData, name: str) -> list[str]:
    return [str(one) for one in form.getlist(name)][:200]


def _number(text: Any, otherwise: int) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 4 else otherwise


def _handle(request: Request) -> Handle:
    return request.state.handle


def _chosen(request: Request) -> str:
    """The resident chosen on this machine, where there is no login (portals/resident)."""
    return request.cookies.get("resident", "")


def routes() -> list[BaseRoute]:
    """The addresses of a resident's decisions."""
    return [
        web.route(_PATH, show, permission=_USE),
        web.route(f"{_PATH}/new", begin, permission=_USE),
        web.route(f"{_PATH}/new", go_on, permission=_USE, methods=["POST"]),
        web.route(f"{_PATH}/withdraw", withdraw, permission=_USE, methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The place of these pages in the menu."""
    return [web.MenuEntry("access.consents.menu", _PATH, icon="lock", order=62, about="access.consents.about")]
