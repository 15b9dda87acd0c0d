"""What the supervisor's systems fetch: data sets and alerts as NDJSON, one object a line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.care.internet_hospital.actions import regulating
from kangyun.care.internet_hospital.actions.asking import today
from kangyun.care.internet_hospital.actions.regulating import Days

_REGULATE = "consult.regulate"
_BASE = "/api/internet_hospital/regulator"
_WEEK = 6


def days_of(request: Request) -> Days:
    """`?from=2026-11-01&to=2026-11-22&institution=<id>&after=<cursor>`; without days the last seven. Raises Problem 422."""
    said, last = request.query_params, today()
    try:
        until = date.fromisoformat(said["to"]) if said.get("to") else last
        first = date.fromisoformat(said["from"]) if said.get("from") else until - timedelta(days=_WEEK)
    except ValueError:
        raise refuse(422, "value", "internet_hospital.wrong-span", "from") from None
    return Days(first, until, said.get("institution", "")[:64], said.get("after", "")[:2000])


async def dataset(request: Request) -> Response:
    """GET a data set by its name, of the days from and to; the header link names the next page."""
    days = days_of(request)
    rows, following = await regulating.dataset(request.state.handle, request.path_params["name"], days)
    return _lines(request, rows, days, following)


async def alerts(request: Request) -> Response:
    """GET the consultations that broke a rule, with the rules; `?rule=` only that one."""
    days = days_of(request)
    found, following = await regulating.judged(request.state.handle, days, code=request.query_params.get("rule", "")[:40])
    rows = [
        {"session": one.session.id, "institution": one.session.institution, "department": one.session.clinic, "doctor": one.session.practitioner,
         "kind": one.session.kind, "asked": one.session.asked, "alerts": [{"code": each.code, "level": each.level, "clause": each.clause} for each in one.alerts]}
        for one in found if one.alerts
    ]
    return _lines(request, rows, days, following)


def _lines(request: Request, rows: Iterable[dict[str, Any]], days: Days, following: str) -> Response:
    headers = {"cache-control": "no-store"}
    if following:
        query = urlencode({"from": days.first, "to": days.last, "institution": days.institution, "after": following})
        headers["link"] = f'<{request.url.path}?{query}>; rel="next"'
    return Response(b"".join(orjson.dumps(one) + b"\n" for one in rows), headers=headers, media_type="application/x-ndjson")


def routes() -> list[BaseRoute]:
    """The addresses of this part."""
    return [
        web.route(f"{_BASE}/alerts", alerts, permission=_REGULATE),
        web.route(f"{_BASE}/{{name}}", dataset, permission=_REGULATE),
    ]
