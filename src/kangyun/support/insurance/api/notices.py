"""What the insurer tells by itself: results that its answer did not bring, perhaps twice. Its signature is the permission."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import Problem, refuse
from kangyun.support.insurance.actions.sending import take_answer
from kangyun.support.insurance.decisions.messages import transaction

_LARGEST = 200_000


async def told(request: Request) -> Response:
    """POST /insurance/notices {infno, msgid, input: {setlinfo}}, signed by the insurer; the same again changes nothing."""
    services, body = request.app.state.services, bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(_LARGEST))
    if not services.insurer.is_theirs(request.headers, bytes(body)):
        raise refuse(401, "login", "insurance.unsigned")
    try:
        said = orjson.loads(bytes(body))
        message, kind, info = str(said["msgid"]), str(said["infno"]), dict(said["input"]["setlinfo"])
    except (ValueError, KeyError, TypeError) as error:
        raise refuse(422, "invalid", "insurance.wrong-notice") from error
    if kind != transaction("told"):
        raise refuse(422, "invalid", "insurance.wrong-notice")
    return JSONResponse({"infcode": await _taken(request, info), "inf_refmsgid": message})


async def _taken(request: Request, info: dict[str, object]) -> int:
    """0 when it was taken; a settlement of which we know nothing is no fault of the insurer's to repeat."""
    try:
        await take_answer(request.app.state.services.gate, info)
    except Problem as problem:
        if problem.status != 404:
            raise
        return -1
    return 0


def routes() -> list[BaseRoute]:
    """The address for the insurer."""
    return [web.route("/insurance/notices", told, permission=web.PUBLIC, methods=["POST"])]
