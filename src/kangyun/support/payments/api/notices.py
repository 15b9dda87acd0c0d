"""Where channels send their notices: open to the world, since the signature is the permission."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.support.payments.actions import take

# A notice of any channel has less than a tenth of it.
_LARGEST = 64 * 1024


async def notice(request: Request) -> Response:
    """POST: a channel tells that something was paid or given back; answered in its own words."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise refuse(413, "too-long", "payments.wrong-notice")
    answer = await take(request.app.state.services, request.path_params["channel"], request.headers, bytes(body))
    return Response(answer.body, answer.status, media_type=answer.media_type)


def routes() -> list[BaseRoute]:
    """The address that each channel is told."""
    return [web.route("/payments/notices/{channel}", notice, permission=web.PUBLIC, methods=["POST"], limit="notice")]
