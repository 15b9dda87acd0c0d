"""The part of a page that tells who has signed something and whether that still holds; other rooms' pages fetch it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.commons.access.actions.signing import verify_signature
from kangyun.commons.access.pages.entrance import parts_of


async def show(request: Request) -> Response:
    """Show the signatures of a resource to whoever may read it."""
    found = await verify_signature(request.state.handle, request.path_params["type"], request.path_params["id"])
    names = {one.practitioner: await _name(request, one.practitioner) for one in found}
    return web.render(request, "access/signatures.html", block="verdicts", found=found, names=names, instant=clock.instant)


async def _name(request: Request, practitioner: str) -> str:
    found = await parts_of(request).gate.system("access.signatures").read("Practitioner", practitioner)
    names = (found or {}).get("name", ())
    return str(names[0].get("text") or "".join((names[0].get("family", ""), *names[0].get("given", ())))) if names else ""


def routes() -> list[BaseRoute]:
    """The route of this part."""
    return [web.route("/signatures/{type}/{id}", show, permission="records.read")]
