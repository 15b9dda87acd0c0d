"""What machines may ask: HL7 v2 over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.commons.exchange.actions import ORIGIN, Intake
from kangyun.commons.exchange.decisions.acknowledge import peek
from kangyun.commons.exchange.decisions.registrations import key_fits
from kangyun.commons.exchange.model import Fault, Origin

_STATUS = {"AA": 200, "AE": 422, "AR": 400}
_TYPES = {"text/plain", "application/hl7-v2", "application/hl7-v2+er7", "x-application/hl7-v2+er7", "application/octet-stream", ""}


async def receive(request: Request) -> Response:
    """Take one HL7 v2 message, framed or not, and answer with its acknowledgement.

    200 for AA, 422 for AE, 400 for AR, 503 for what may be sent again, 415 for another content type, 401 where the
    sender's registration has a key and this one does not fit.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        return Response(status_code=415)
    services = request.app.state.services
    intake = Intake(services.database, services.gate, services.keys)
    ORIGIN.set(Origin("http", request.client.host if request.client else ""))
    limit = services.settings.mllp_max_bytes
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            fault = Fault("exchange.too-large", "MSH", {"bytes": f">{limit}", "limit": str(limit)}, unreadable=True)
            return Response(await intake.refuse(bytes(body[:65_536]), len(body), fault), 413, media_type=kind or None)
    message = bytes(body).strip(b"\x0b\x1c")
    if not key_fits(peek(message).sender, _key(request)):
        return Response(status_code=401, headers={"www-authenticate": "Bearer"})
    receipt = await intake.take(message)
    status = 503 if receipt.outcome.retry else _STATUS[receipt.outcome.acknowledgement]
    return Response(receipt.answer, status, headers={"content-type": kind or "application/hl7-v2"})


def _key(request: Request) -> str:
    """The sender's key, as a bearer token or in a header of its own."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")


def routes() -> list[BaseRoute]:
    """The routes of this room for machines."""
    return [web.route("/exchange/hl7v2", receive, permission="exchange.receive", methods=["POST"])]
