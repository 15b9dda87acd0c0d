"""My record: how I am by numbers, how they went, and my papers as pictures."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.portals.resident import queries
from kangyun.portals.resident.decisions import papers, results
from kangyun.portals.resident.decisions.life import entries
from kangyun.portals.resident.pages.whose import USE, Me, address, cards_of, holder, must

_KINDS = {"DocumentReference", "DiagnosticReport"}


async def record(request: Request) -> Response:
    """Show what all institutions hold of the resident: results with their trends, papers, and what happened when."""
    me, who = await _whose(request)
    found = await queries.whole(request.state.handle, who.id)
    return web.render(
        request, "resident/record.html", me=me, who=who, entries=entries(one for one in found if one["resourceType"] != "Observation"),
        courses=results.courses(_of(found, {"Observation"}), request.state.language), papers=papers.papers(_of(found, _KINDS)))


def _of(found: list[dict[str, Any]], types: set[str]) -> list[dict[str, Any]]:
    return [one for one in found if one["resourceType"] in types]


async def _whose(request: Request) -> tuple[Me, Me]:
    me = await must(request)
    return me, await holder(request, cards_of(request), me)


async def result(request: Request) -> Response:
    """Show all numbers of one kind: the picture large, and the table."""
    me, who = await _whose(request)
    found = await queries.observations(request.state.handle, who.id)
    code = request.query_params.get("code", "")
    course = next((one for one in results.courses(found, request.state.language) if one.latest.code == code), None)
    if course is None:
        raise refuse(404, "not-found", "resident.no-result")
    return web.render(request, "resident/result.html", back=address("/resident/record", me, who), course=course)


async def paper(request: Request) -> Response:
    """Show one document: its pictures, or what it says."""
    me, who = await _whose(request)
    found = papers.paper(await _found(request, who))
    plain = [(await _content(request, one)).decode("utf-8", "replace") for one in found.files if one.media_type == "text/plain"]
    of = "" if me.id == who.id else f"?of={who.id}"
    return web.render(
        request, "resident/paper.html", back=address("/resident/record", me, who), of=of, paper=found, plain=plain, opened=papers.OPENED)


async def _found(request: Request, who: Me) -> dict[str, Any]:
    kind = request.path_params["kind"]
    found = await request.state.handle.read(kind, request.path_params["id"]) if kind in _KINDS else None
    own = await queries.ids(request.state.handle, who.id)
    if found is None or str(found.get("subject", {}).get("reference", "")).removeprefix("Patient/") not in own:
        raise refuse(404, "not-found", "resident.no-paper")
    return found


async def _content(request: Request, one: papers.File) -> bytes:
    node = one.node
    if "data" not in node:
        kind, _, id_ = str(node.get("url", "")).partition("/")
        node = (await request.state.handle.read("Binary", id_) if kind == "Binary" and id_ else None) or {}
    try:
        return base64.b64decode(node.get("data", ""))
    except binascii.Error:
        return b""


async def file(request: Request) -> Response:
    """Send one file of a document; what a browser should not show is sent as a download."""
    _, who = await _whose(request)
    found, number = papers.paper(await _found(request, who)), request.path_params["number"]
    if number >= len(found.files):
        raise refuse(404, "not-found", "resident.no-paper")
    one = found.files[number]
    shown = one.media_type in papers.OPENED
    headers = {
        "content-disposition": "inline" if shown else "attachment", "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
    return Response(await _content(request, one), headers=headers, media_type=one.media_type if shown else "application/octet-stream")


def routes() -> list[BaseRoute]:
    """The addresses of the record."""
    return [
        web.route("/resident/record", record, permission=USE),
        web.route("/resident/record/result", result, permission=USE),
        web.route("/resident/record/papers/{kind}/{id}", paper, permission=USE),
        web.route("/resident/record/papers/{kind}/{id}/{number:int}", file, permission=USE),
    ]
