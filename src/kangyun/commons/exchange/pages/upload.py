"""What people see of the upload to the province: what waits, what went up with which receipt, what is in the way and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import clock, errors, web
from kangyun.commons.exchange.actions import upload
from kangyun.commons.exchange.decisions.cda.sheet import documents
from kangyun.commons.exchange.decisions.cda.uploads import province_url
from kangyun.commons.exchange.queries.upload import STATES, Queued, counts, latest, pause

_PAGE = "/exchange/upload"
_TONES = {"accepted": "green", "waiting": "plain", "sending": "amber", "refused": "red", "incomplete": "red", "unchanged": "plain", "replaced": "plain"}
_MOST = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One version of one document as the list shows it; times are FHIR instants."""

    id: int
    created: str
    patient: str
    document: str
    title: str
    state: str
    tone: str
    tries: int
    receipt: str
    reason: str
    may_again: bool


async def queue(request: Request) -> Response:
    """Show the queue; `?part=live` answers with what changes while one watches."""
    block = "live" if request.query_params.get("part") == "live" else None
    return web.render(request, "exchange/upload.html", block=block, **await _live(request))


async def _live(request: Request) -> dict[str, Any]:
    state = request.query_params.get("state")
    state = state if state in STATES else None
    before = request.query_params.get("before", "")
    number = int(before) if before.isdecimal() and len(before) < 19 else None
    async with request.app.state.services.database.connection() as connection:
        found = await latest(connection, state=state, before=number, limit=_MOST)
        numbers = await counts(connection)
        stopped = await pause(connection)
    language = request.state.language
    return {
        "rows": [_row(one, language) for one in found], "state": state, "before": before, "total": sum(numbers.values()),
        "counts": [(name, numbers.get(name, 0)) for name in STATES if numbers.get(name)], "url": province_url(),
        "stopped": clock.instant(stopped.since) if stopped else "", "older": found[-1].id if len(found) == _MOST else None,
        "may": request.state.handle.may("exchange.upload"),
    }  # fmt: skip


def _row(one: Queued, language: str) -> Row:
    rule = documents().get(one.document)
    reason = one.reason if one.state in {"waiting", "sending", "refused", "incomplete"} else None
    return Row(
        id=one.id, created=clock.instant(one.created), patient=one.patient, document=one.document,
        title=rule.title[language] if rule else one.document, state=one.state, tone=_TONES[one.state], tries=one.tries,
        receipt=one.receipt or "", reason=errors.text(reason, language) if reason else "", may_again=one.state in {"refused", "incomplete"},
    )  # fmt: skip


async def switch(request: Request) -> Response:
    """Stop the upload, or let it go on."""
    form = await web.posted(request)
    async with request.app.state.services.database.connection() as connection:
        if form.get("to") == "stop":
            await upload.stop(connection, request.state.handle.actor.name)
        else:
            await upload.resume(connection)
    return RedirectResponse(_PAGE, status_code=303)


async def again(request: Request) -> Response:
    """Build and send a document anew."""
    await web.posted(request)
    async with request.app.state.services.database.connection() as connection:
        await upload.again(connection, request.path_params["id"])
    return RedirectResponse(_PAGE, status_code=303)


def routes() -> list[BaseRoute]:
    """The addresses of the upload for people."""
    return [
        web.route(_PAGE, queue, permission="exchange.read"),
        web.route(f"{_PAGE}/switch", switch, permission="exchange.upload", methods=["POST"]),
        web.route(f"{_PAGE}/{{id:int}}/again", again, permission="exchange.upload", methods=["POST"]),
    ]


def menu() -> list[web.MenuEntry]:
    """The place of the upload in the menu."""
    return [web.MenuEntry("exchange.upload.menu", _PAGE, icon="up", order=36, about="exchange.upload.about")]
