"""The page of the system administrator on which programs are registered, get a new secret, and are shut out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import clients
from kangyun.commons.access.actions.clients import Added
from kangyun.commons.access.decisions.clients import KINDS, Registration, service_roles
from kangyun.commons.access.pages.entrance import actor_of, is_form, parts_of, to, told
from kangyun.commons.access.queries import clients as reading

_HERE = "/clients"
_USE = "access.clients"


async def show(request: Request) -> Response:
    """All programs, and the form for a new one."""
    return await _page(request)


async def _page(request: Request, *, status: int = 200, **more: Any) -> Response:
    said: dict[str, Any] = {"wrong": "", "given": {}, "added": None, "added_name": ""} | more
    page = web.render(
        request, "access/clients.html", status=status, clients=await reading.clients(parts_of(request).database), kinds=KINDS,
        roles=service_roles(), instant=clock.instant, **said)
    page.headers["cache-control"] = "no-store"
    return page


async def add(request: Request) -> Response:
    """Register a program; its secret is on the answer and nowhere else."""
    form = {name: str(value).strip() for name, value in (await web.posted(request)).items()}
    try:
        added = await clients.add(parts_of(request), actor_of(request), _registration(form))
    except Problem as problem:
        if not is_form(problem):
            raise
        return await _page(request, status=problem.status, wrong=told(request, problem), given=form)
    return await _page(request, added=added, added_name=form.get("name_zh", ""))


def _registration(form: Mapping[str, str]) -> Registration:
    kind = form.get("kind", "")
    return Registration(
        form.get("name_zh", ""), form.get("name_en") or form.get("name_zh", ""), form.get("scopes", ""), kind,
        tuple(form.get("redirects", "").split()) if kind != "backend" else (), None, form.get("jwks_uri") or None,
        form.get("launch") or None, form.get("role") or "integration", form.get("institution") or None)


async def rotate(request: Request) -> Response:
    """A new secret."""
    form = await web.posted(request)
    id_ = str(form.get("client", ""))
    client = await clients.known(parts_of(request), id_)
    secret = await clients.rotate(parts_of(request), actor_of(request), id_)
    return await _page(request, added=Added(id_, secret), added_name=client.name(request.state.language))


async def revoke(request: Request) -> Response:
    """Shut a program out."""
    form = await web.posted(request)
    await clients.revoke(parts_of(request), actor_of(request), str(form.get("client", "")))
    return to(_HERE)


def routes() -> list[BaseRoute]:
    """The addresses."""
    posts = {"add": add, "rotate": rotate, "revoke": revoke}
    return [
        web.route(_HERE, show, permission=_USE),
        *(web.route(f"{_HERE}/{name}", act, permission=_USE, methods=["POST"]) for name, act in posts.items()),
    ]


def menu() -> list[web.MenuEntry]:
    """The page's place in the menu."""
    return [web.MenuEntry("access.clients.menu", _HERE, icon="link", order=90, about="access.clients.about")]
