"""Break-glass where a doctor meets what is withheld, and its review by an auditor."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import deciding
from kangyun.commons.access.actions.emergency import Whom, break_glass, review, said
from kangyun.commons.access.actions.who import callers_named
from kangyun.commons.access.decisions.emergency import lasts, many, reasons
from kangyun.commons.access.decisions.trail_words import role_title
from kangyun.commons.access.pages.entrance import actor_of, is_form, parts_of, to, told
from kangyun.commons.access.queries import emergency as glasses
from kangyun.commons.access.queries.emergency import Emergency

_PATH = "/access/emergency"
_LIST = "/access/emergencies"
_JUDGED = ["accepted", "abuse"]


@dataclass(frozen=True, slots=True)
class _Line:
    """A broken glass as an auditor reads it: who, where, why in words."""

    glass: Emergency
    called: str
    institution: str
    words: str
    remark: str
    often: bool


async def show(request: Request) -> Response:
    """Ask whose record is needed and why; whoever comes from a record names nobody again.

    The Patient is posted, because an address would stay in histories and logs.
    """
    form = await web.posted(request) if request.method == "POST" else None
    patient = str(form.get("patient", ""))[:64] if form is not None else ""
    return _page(request, Whom(patient))


async def do(request: Request) -> Response:
    """Break the glass, and lead to the record."""
    form = await web.posted(request)
    whom = Whom(*(str(form.get(name, "")).strip()[:64] for name in ("patient", "name", "number")))
    reason, words = str(form.get("reason", "")), str(form.get("words", ""))
    try:
        made = await break_glass(parts_of(request), actor_of(request), whom, reason, words)
    except Problem as problem:
        if not is_form(problem) and problem.status != 404:
            raise
        return _page(request, whom, (reason, words), told(request, problem), problem.status)
    record = f"/clinician/residents/{made.patient}" if request.state.handle.may("clinician.read") else "/"
    return web.render(request, "access/emergency_open.html", made=made, record=record, instant=clock.instant)


def _page(request: Request, whom: Whom, why: tuple[str, str] = ("", ""), wrong: str = "", status: int = 200) -> Response:
    return web.render(
        request, "access/emergency.html", status=status, whom=whom, reason=why[0], words=why[1], wrong=wrong, reasons=reasons(),
        hours=int(lasts().total_seconds() // 3600),
    )


async def listed(request: Request) -> Response:
    """Show what waits for a review, and what was judged; who may judge has the buttons."""
    return await _list(request)


async def _list(request: Request, wrong: str = "", status: int = 200) -> Response:
    database = parts_of(request).database
    may_judge = request.state.handle.may("access.review")
    waiting = await glasses.waiting(database) if may_judge else []
    judged = await glasses.judged(database, _JUDGED if may_judge else ["abuse"])
    return web.render(
        request, "access/emergencies.html", status=status, waiting=await _lines(request, waiting), judged=await _lines(request, judged),
        reasons={one.code: one.title for one in reasons()}, may_judge=may_judge, wrong=wrong, instant=clock.instant, role_title=role_title,
    )


async def _lines(request: Request, found: list[Emergency]) -> list[_Line]:
    parts = parts_of(request)
    names = await callers_named(parts, [f"user/{one.account}" for one in found], request.state.language)
    system = parts.gate.system("access.emergencies")
    named = dict(await deciding.institutions_named(system, [one.institution for one in found if one.institution]))
    return [
        _Line(one, names.get(f"user/{one.account}") or one.account, named.get(one.institution or "", ""), *said(parts, one), one.nth >= many())
        for one in found
    ]


async def judge(request: Request) -> Response:
    """Accept one, or call it an abuse."""
    form = await web.posted(request)
    id_, verdict, remark = (str(form.get(name, "")) for name in ("emergency", "verdict", "remark"))
    try:
        await review(parts_of(request), actor_of(request), id_, verdict, remark)
    except Problem as problem:
        return await _list(request, told(request, problem), problem.status)
    return to(_LIST)


def routes() -> list[BaseRoute]:
    """The addresses of break-glass and of its review."""
    return [
        web.route(_PATH, show, permission="access.emergency", methods=["GET", "POST"]),
        web.route(f"{_PATH}/open", do, permission="access.emergency", methods=["POST"]),
        web.route(_LIST, listed, permission="access.emergencies"),
        web.route(f"{_LIST}/judge", judge, permission="access.review", methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The places of these pages in the menu."""
    return [
        web.MenuEntry("access.emergency.menu", _PATH, icon="alert", order=22, about="access.emergency.about"),
        web.MenuEntry("access.emergencies.menu", _LIST, icon="scan", order=82, about="access.emergencies.about"),
    ]
