"""The endpoints of the OAuth 2.1 server that apps and services call themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.commons.access.actions import grants, proving, tokens
from kangyun.commons.access.actions.clients import note
from kangyun.commons.access.actions.grants import Redeemed
from kangyun.commons.access.actions.identity import about, public_keys
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions.tokens import EXCHANGE, Refused, proof_of
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries.clients import Client

_UNSTORED = {"cache-control": "no-store", "pragma": "no-cache"}
_MOST_FIELDS = 40

Form = Mapping[str, str]
Grant = Callable[[Request, Client, Form], Awaitable[dict[str, Any]]]


def base_of(request: Request) -> str:
    """The address of this platform as its callers know it, without a slash at the end."""
    public = request.app.state.settings.public_url
    return (public or str(request.base_url)).rstrip("/")


def parts_of(request: Request) -> Parts:
    """The running platform."""
    return request.app.state.services


def address_of(request: Request) -> str:
    """Where the caller is."""
    return request.state.handle.actor.address


async def token(request: Request) -> Response:
    """Exchange a grant for tokens."""
    return await _answered(request, _token)


async def _token(request: Request, client: Client, form: Form) -> dict[str, Any]:
    grant = _GRANTS.get(form.get("grant_type", ""))
    if grant is None:
        raise Refused("unsupported_grant_type" if form.get("grant_type") else "invalid_request", "grant_type is missing or unknown")
    return await grant(request, client, form)


async def _for_service(request: Request, client: Client, form: Form) -> dict[str, Any]:
    return await tokens.for_service(parts_of(request), client, form.get("scope", ""), address_of(request))


async def _exchange(request: Request, client: Client, form: Form) -> dict[str, Any]:
    return await tokens.exchanged(parts_of(request), client, form, address_of(request))


async def _redeem(request: Request, client: Client, form: Form) -> dict[str, Any]:
    shown = Redeemed(form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier", ""), base_of(request))
    return await grants.redeem(parts_of(request), client, shown, address_of(request))


async def _refresh(request: Request, client: Client, form: Form) -> dict[str, Any]:
    return await grants.refresh(parts_of(request), client, form.get("refresh_token", ""), form.get("scope", ""), address_of(request))


_GRANTS: dict[str, Grant] = {
    "authorization_code": _redeem,
    "refresh_token": _refresh,
    "client_credentials": _for_service,
    EXCHANGE: _exchange,
}


async def revoke(request: Request) -> Response:
    """End a token (RFC 7009)."""
    return await _answered(request, _revoke)


async def _revoke(request: Request, client: Client, form: Form) -> dict[str, Any]:
    await tokens.revoke(parts_of(request), client, form.get("token", ""), address_of(request))
    return {}


async def introspect(request: Request) -> Response:
    """What a token is good for (RFC 7662)."""
    return await _answered(request, _introspect)


async def _introspect(request: Request, client: Client, form: Form) -> dict[str, Any]:
    return await tokens.introspected(parts_of(request), client, form.get("token", ""))


async def userinfo(request: Request) -> Response:
    """Who the person behind an access token is, as far as its scopes tell (OpenID Connect Core 5.3)."""
    actor = request.state.handle.actor
    if "openid" not in (actor.scopes or "").split():
        challenge = {"www-authenticate": 'Bearer error="insufficient_scope", scope="openid"'}
        return JSONResponse({"error": "insufficient_scope"}, 403, headers=_UNSTORED | challenge)
    return JSONResponse(await about(parts_of(request), base_of(request), actor, actor.scopes), headers=_UNSTORED)


async def jwks(request: Request) -> Response:
    """The keys that check our id_tokens."""
    return JSONResponse(public_keys(parts_of(request)), headers={"cache-control": "public, max-age=300"})


async def _answered(request: Request, work: Grant) -> Response:
    """What a proven client is answered; a refusal is told as RFC 6749 section 5.2 and noted."""
    named = "-"
    try:
        form = await _form(request)
        proof = proof_of(form, request.headers.get("authorization", ""))
        named = proof.client[:40] or named
        client = await proving.proven(parts_of(request), proof, audiences(request))
        named = client.id
        return JSONResponse(await work(request, client, form), headers=_UNSTORED)
    except Refused as refused:
        actor = Actor("anonymous", "anonymous", address=address_of(request))
        await note(parts_of(request), actor, "token", client=_plain(named), outcome="refused", more=refused.error)
        return refusal(refused)


def audiences(request: Request) -> tuple[str, ...]:
    """As whom an assertion may address us: the token endpoint, or the issuer."""
    base = base_of(request)
    return f"{base}/oauth/token", base


def refusal(refused: Refused) -> Response:
    """A refusal as RFC 6749 section 5.2 tells it."""
    told = {"error": refused.error} | ({"error_description": refused.description} if refused.description else {})
    headers = _UNSTORED | ({"www-authenticate": 'Basic realm="kangyun"'} if refused.status == 401 else {})
    return JSONResponse(told, refused.status, headers=headers)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a posted form, each at most once (RFC 6749 section 3.2); an empty one is as good as absent."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refused("invalid_request", "the body must be application/x-www-form-urlencoded")
    try:
        form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    except HTTPException:
        raise Refused("invalid_request", "the body cannot be read") from None
    if len({name for name, _ in form.multi_items()}) != len(form.multi_items()):
        raise Refused("invalid_request", "a parameter stands twice")
    return {name: value for name, value in form.items() if isinstance(value, str) and value}


def _plain(text: str) -> str:
    return text if text.isascii() and text.isalnum() else "-"


def routes() -> list[BaseRoute]:
    """The addresses; the proof is in what is posted."""
    posts = {"token": token, "revoke": revoke, "introspect": introspect}
    return [
        *(web.route(f"/oauth/{name}", act, permission=web.PUBLIC, methods=["POST"], limit="token") for name, act in posts.items()),
        web.route("/oauth/userinfo", userinfo, permission=web.PUBLIC, methods=["GET", "POST"]),
        web.route("/oauth/jwks", jwks, permission=web.PUBLIC),
    ]
