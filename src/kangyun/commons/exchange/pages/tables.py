"""What became of a spreadsheet: its sheets, the rows that wait, and a list of them to mend and send again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import errors, web
from kangyun.base.errors import Issue, refuse
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions.tables import FORM, kind_of
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.decisions.tables import grids_of
from kangyun.commons.exchange.decisions.tables.grids import place
from kangyun.commons.exchange.decisions.tables.reports import report
from kangyun.commons.exchange.model import Reason
from kangyun.commons.exchange.pages.messages import opened
from kangyun.commons.exchange.queries.tables import held_rows, sheets

_PAGE = "/exchange/tables"
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One row that waits: its place, the column's header, what is wrong. No cell is shown."""

    place: str
    label: str
    reason: str


async def table(request: Request) -> Response:
    """Show what became of a spreadsheet."""
    found = await _found(request)
    language = request.state.language
    async with request.app.state.services.database.connection() as connection:
        results = await sheets(connection, found.id)
        held = await held_rows(connection, found.id, _SHOWN)
    return web.render(
        request,
        "exchange/table.html",
        number=found.id,
        sender=sender_of(found.sender).called(language),
        sheets=results,
        rows=[Row(one.reason.place or place(one.sheet, one.row, one.col), one.label, _told(one.reason, language)) for one in held],
        more=sum(one.held for one in results) > len(held),
        may_download=bool(held) and found.body is not None and request.state.handle.may("exchange.raw"),
    )


async def download(request: Request) -> Response:
    """Give the rows that wait, in the columns of the file, each with its place and reason."""
    found = await _found(request)
    body = opened(request, found)
    if body is None:
        raise refuse(404, "not-found", "exchange.no-such-message")
    async with request.app.state.services.database.connection() as connection:
        held = await held_rows(connection, found.id)
    language = request.state.language
    rows = {(one.sheet, one.row): (one.col, _told(one.reason, language)) for one in held}
    words = {"zh": ("位置", "原因"), "en": ("place", "reason")}[language]
    content = report(grids_of(body), kind_of(found.kind), rows, words)
    headers = {"content-disposition": f'attachment; filename="held-{found.id}.csv"', "cache-control": "no-store"}
    return Response(content, headers=headers, media_type="text/csv; charset=utf-8")


def _told(reason: Reason, language: str) -> str:
    return errors.text(Issue("processing", reason.key, reason.params), language)


async def _found(request: Request) -> queries.Kept:
    async with request.app.state.services.database.connection() as connection:
        found = await queries.one(connection, request.path_params["id"])
    if found is None or found.form != FORM:
        raise refuse(404, "not-found", "exchange.no-such-message")
    return found


def routes() -> list[BaseRoute]:
    """The addresses of a spreadsheet's result."""
    return [
        web.route(f"{_PAGE}/{{id:int}}", table, permission="exchange.read"),
        web.route(f"{_PAGE}/{{id:int}}/held.csv", download, permission="exchange.raw"),
    ]


def menu() -> list[Any]:
    """No place of its own in the menu: a spreadsheet is a message."""
    return []
