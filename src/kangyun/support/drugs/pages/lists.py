"""Loading a region's own list."""

from __future__ import annotations

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Problem, refuse
from kangyun.support.drugs.actions.listing import CATALOGUE, load
from kangyun.support.drugs.queries.known import loadings

_PATH = "/drugs/list"


async def shown(request: Request) -> Response:
    """Show what was loaded, and the form."""
    return await _page(request)


async def _page(request: Request, taken: int = 0, problem: Problem | None = None) -> Response:
    told = " ".join(errors.text(one, request.state.language) for one in problem.issues) if problem else ""
    status = problem.status if problem else 200
    return web.render(request, "drugs/lists.html", status=status, taken=taken, told=told, history=await loadings(request.state.handle))


async def take(request: Request) -> Response:
    """Take a file as the list."""
    form = await web.posted(request)
    file = form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise refuse(422, "required", "drugs.no-file")
        body = await file.read()
        await file.close()
        taken = await load(request.state.handle, body, file.filename)
    except Problem as problem:
        return await _page(request, problem=problem)
    return await _page(request, taken)


def routes() -> list[BaseRoute]:
    """The routes of the list."""
    return [web.route(_PATH, shown, permission=CATALOGUE), web.route(_PATH, take, permission=CATALOGUE, methods=["POST"])]


def menu() -> list[web.MenuEntry]:
    """The entry of the list."""
    return [web.MenuEntry("drugs.list.menu", _PATH, icon="file", order=48, about="drugs.list.about")]
