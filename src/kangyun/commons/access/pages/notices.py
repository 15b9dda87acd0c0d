"""My notices: what was booked, stopped, sent or answered, newest first, as the text messages said it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.commons.access.actions.notices import CATEGORY, said

_PATH = "/resident/notices"
_USE = "resident.use"
_AT_ONCE = 50


async def show(request: Request) -> Response:
    """Show the notices of oneself or of the ward; `?before=` goes on with earlier ones."""
    search = [("category", f"{CATEGORY}|"), ("_sort", "-sent"), ("_count", str(_AT_ONCE))]
    before = request.query_params.get("before", "")[:40]
    if before:
        search.append(("sent", f"lt{before}"))
    found: list[dict[str, Any]] = (await request.state.handle.search("Communication", search)).resources
    return web.render(
        request, "access/notices.html", notices=[said(one, request.state.language) for one in found],
        older=str(found[-1]["sent"]) if len(found) == _AT_ONCE else "",
    )


def routes() -> list[BaseRoute]:
    """The address of the page."""
    return [web.route(_PATH, show, permission=_USE)]


def menu() -> list[web.MenuEntry]:
    """The page's place in the menu."""
    return [web.MenuEntry("access.notices.menu", _PATH, icon="messages", order=63, about="access.notices.about")]
