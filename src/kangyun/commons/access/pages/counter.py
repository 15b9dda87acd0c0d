"""The counter where papers are shown: a clerk compares them with what a guardian asked for, and attests or refuses."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import binding, guardians
from kangyun.commons.access.actions.people import called
from kangyun.commons.access.decisions.guardians import documents
from kangyun.commons.access.pages.entrance import actor_of, parts_of, told

_PATH = "/access/guardians"


async def show(request: Request) -> Response:
    """Ask for the number that the guardian says, and show what was asked for under it."""
    number, form = "", await web.posted(request) if request.method == "POST" else None
    found, wrong, status = None, "", 200
    if form is not None:
        number = str(form.get("number", "")).strip()
        try:
            found = await guardians.show(parts_of(request), actor_of(request), number)
        except Problem as problem:
            wrong, status = told(request, problem), problem.status
    return web.render(
        request, "access/counter.html", status=status, number=number, found=found, wrong=wrong, done="", called=called,
        proofs=documents(), instant=clock.instant,
    )


async def decide(request: Request) -> Response:
    """Attest or refuse."""
    form = await web.posted(request)
    right = form.get("verdict") == "attest"
    await guardians.decide(parts_of(request), actor_of(request), str(form.get("number", "")), right=right)
    return web.render(
        request, "access/counter.html", number="", found=None, wrong="", done="attested" if right else "refused", called=called,
        proofs=documents(), instant=clock.instant,
    )


async def release(request: Request) -> Response:
    """Free a person from an account whose phone was lost."""
    form = await web.posted(request)
    wrong, done, status = "", "released", 200
    try:
        await binding.release(parts_of(request), actor_of(request), str(form.get("name", "")), str(form.get("id", "")))
    except Problem as problem:
        wrong, done, status = told(request, problem), "", problem.status
    return web.render(
        request, "access/counter.html", status=status, number="", found=None, wrong=wrong, done=done, called=called,
        proofs=documents(), instant=clock.instant,
    )


def routes() -> list[BaseRoute]:
    """The addresses of the counter."""
    return [
        web.route(_PATH, show, permission="access.attest", methods=["GET", "POST"]),
        web.route(f"{_PATH}/release", release, permission="access.attest", methods=["POST"]),
        web.route(f"{_PATH}/decide", decide, permission="access.attest", methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The counter's place in the menu."""
    return [web.MenuEntry("access.counter.menu", _PATH, icon="people", order=70, about="access.counter.about")]
