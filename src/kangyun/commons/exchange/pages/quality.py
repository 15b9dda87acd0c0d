"""Data quality by sender and month: scores as the maturity assessment asks for them, as a page, on paper and as CSV."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import clock, web
from kangyun.base.web.display import CHINA
from kangyun.base.web.texts import translate
from kangyun.commons.exchange.actions import registering
from kangyun.commons.exchange.decisions import quality
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.pages.senders import address_of, counts_of
from kangyun.commons.exchange.queries import senders

_PAGE = "/exchange/quality"
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
_FORMULA = ("=", "+", "-", "@", "\t")


@dataclass(frozen=True, slots=True)
class Row:
    """One sender in one month; `shares` in the order of quality.DIMENSIONS, None where nothing can be judged."""

    sender: str
    name: str
    address: str
    received: int
    shares: tuple[float | None, ...]
    score: float | None
    tone: str


def _month(request: Request) -> tuple[int, int]:
    match = _MONTH.fullmatch(request.query_params.get("month", ""))
    now = clock.now().astimezone(CHINA)
    return (int(match[1]), int(match[2])) if match else (now.year, now.month)


def _bounds(month: tuple[int, int]) -> tuple[datetime, datetime]:
    return datetime(*month, 1, tzinfo=CHINA), datetime(*_moved(month, 1), 1, tzinfo=CHINA)


def _moved(month: tuple[int, int], by: int) -> tuple[int, int]:
    number = month[0] * 12 + month[1] - 1 + by
    return number // 12, number % 12 + 1


def _written(month: tuple[int, int]) -> str:
    return f"{month[0]}-{month[1]:02d}"


async def _rows(request: Request, month: tuple[int, int]) -> list[Row]:
    await registering.learn_programs(request.app.state.services.database)
    async with request.app.state.services.database.connection() as connection:
        totals = await senders.totals(connection, *_bounds(month))
    rows = [_row(total, request.state.language) for total in totals]
    return sorted(rows, key=lambda row: (row.score is None, row.score or 0.0, row.sender))


def _row(total: senders.Total, language: str) -> Row:
    found = quality.scores(counts_of(total))
    shares = tuple(found.shares.get(name) for name in quality.DIMENSIONS)
    # From a handful of messages nothing follows.
    score = found.score if total.received >= quality.rule().value["fewest"] else None
    return Row(total.sender, sender_of(total.sender).called(language), address_of(total.sender), total.received, shares, score, quality.tone(score))


async def report(request: Request) -> Response:
    """Show the scores of all senders in a month, the lowest first."""
    month = _month(request)
    rows = await _rows(request, month)
    judged = [(row.score, row.received) for row in rows if row.score is not None]
    weight = sum(number for _, number in judged)
    return web.render(
        request, "exchange/quality.html", rows=rows, month=_written(month), before=_written(_moved(month, -1)),
        after=_written(_moved(month, 1)) if _bounds(month)[1] <= clock.now() else None, dimensions=quality.DIMENSIONS,
        overall=sum(score * number for score, number in judged) / weight if weight else None, tone=quality.tone,
        weights=[(str(row["dimension"]), row["weight"]) for row in quality.rule().table], rule=quality.rule(),
    )


async def download(request: Request) -> Response:
    """The same as CSV, readable by spreadsheet programs: UTF-8 with a byte order mark."""
    month, language = _month(request), request.state.language
    file = io.StringIO()
    writer = csv.writer(file)
    names = ("month", "sender", "name", "received", *quality.DIMENSIONS, "score")
    writer.writerow([translate(language, f"exchange.quality.{name}") for name in names])
    for row in await _rows(request, month):
        shares = ["" if share is None else f"{100 * share:.1f}" for share in row.shares]
        score = "" if row.score is None else f"{row.score:.1f}"
        writer.writerow([_written(month), _plain(row.sender), _plain(row.name), row.received, *shares, score])
    headers = {"content-disposition": f'attachment; filename="quality-{_written(month)}.csv"', "cache-control": "no-store"}
    return Response("\ufeff" + file.getvalue(), headers=headers, media_type="text/csv; charset=utf-8")


def _plain(text: str) -> str:
    """A name that a spreadsheet program would take for a formula becomes a text."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def routes() -> list[BaseRoute]:
    """The addresses of this part for people."""
    routes: list[Any] = [
        web.route(_PAGE, report, permission="exchange.read"),
        web.route(f"{_PAGE}/report.csv", download, permission="exchange.read"),
    ]
    return routes


def menu() -> list[web.MenuEntry]:
    """Nothing of its own: it is reached from the senders."""
    return []
