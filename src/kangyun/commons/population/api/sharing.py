"""The address behind a SMART Health Link: a manifest for those who know the passcode, or the file itself."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.keys import KeyStore
from kangyun.commons.access import Handle
from kangyun.commons.population.actions.sharing import WrongPasscode, opened

# A viewer is a page of somebody else's; what it gets is encrypted, so any page may ask.
_OPEN = {"access-control-allow-origin": "*", "access-control-allow-headers": "content-type", "cache-control": "no-store"}
_LARGEST = 10_000
_JWE = "application/jose"


async def manifest(request: Request) -> Response:
    """POST {recipient, passcode?}: {files: [{contentType, embedded}]}; 401 {remainingAttempts} for a wrong passcode."""
    asked = await _body(request)
    recipient, passcode = asked.get("recipient"), asked.get("passcode")
    if not isinstance(recipient, str) or not recipient.strip() or not isinstance(passcode, str | None):
        raise refuse(400, "required", "population.share-recipient")
    try:
        content = await opened(*_means(request), request.path_params["id"], recipient, passcode)
    except WrongPasscode as wrong:
        return JSONResponse({"remainingAttempts": wrong.remaining}, 401, headers=_OPEN)
    return JSONResponse({"files": [{"contentType": "application/fhir+json", "embedded": content}]}, headers=_OPEN)


async def file(request: Request) -> Response:
    """GET ?recipient=: the encrypted document of a link without a passcode; 401 where one is needed."""
    recipient = request.query_params.get("recipient", "")
    if not recipient.strip():
        raise refuse(400, "required", "population.share-recipient")
    try:
        content = await opened(*_means(request), request.path_params["id"], recipient, None)
    except WrongPasscode as wrong:
        return JSONResponse({"remainingAttempts": wrong.remaining}, 401, headers=_OPEN)
    return Response(content, media_type=_JWE, headers=_OPEN)


async def preflight(_request: Request) -> Response:
    """Let a viewer's browser ask."""
    return Response(status_code=204, headers=_OPEN | {"access-control-allow-methods": "GET, POST"})


def _means(request: Request) -> tuple[Handle, KeyStore]:
    # The holder of a link is nobody to us; the link itself is the permission, and it reaches one encrypted file.
    services = request.app.state.services
    return services.gate.system("population.share"), services.keys


async def _body(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(_LARGEST))
    return fhir_json.loads(bytes(body))


def routes() -> list[BaseRoute]:
    """The routes behind links."""
    return [
        web.route("/shl/{id}", manifest, permission=web.PUBLIC, methods=["POST"]),
        web.route("/shl/{id}", file, permission=web.PUBLIC, methods=["GET"]),
        web.route("/shl/{id}", preflight, permission=web.PUBLIC, methods=["OPTIONS"]),
    ]
