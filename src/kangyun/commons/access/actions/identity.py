"""Who somebody is, told to an app in words that it can check: id_tokens (OpenID Connect Core 2) and userinfo."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from kangyun.base import clock
from kangyun.base.keys import base64url
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.actions.people import called
from kangyun.commons.access.decisions.tokens import SIGNING_KEY, times
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.grants import Grant


async def id_token(parts: Parts, issuer: str, grant: Grant, nonce: str, logged_in: datetime) -> str:
    """A signed statement about the person who let the app in."""
    now = int(clock.now().timestamp())
    claims = {"iss": issuer, "aud": grant.client, "iat": now, "exp": now + times().token, "auth_time": int(logged_in.timestamp())}
    return signed(parts, claims | ({"nonce": nonce} if nonce else {}) | await about(parts, issuer, grant.actor, grant.scopes))


async def about(parts: Parts, issuer: str, actor: Actor, scopes: str) -> dict[str, Any]:
    """sub; with the scope fhirUser the address of the person's own resource, with profile the name."""
    words = set(scopes.split())
    told: dict[str, Any] = {"sub": actor.account or actor.name}
    named = await _resource(parts, actor) if words & {"fhirUser", "profile"} else None
    if named is None:
        return told
    type_, id_ = named
    if "fhirUser" in words:
        told["fhirUser"] = f"{issuer}/fhir/{type_}/{id_}"
    if "profile" in words:
        name = called(await parts.gate.system("access.identity").read(type_, id_) or {})
        told |= {"name": name} if name else {}
    return told


async def _resource(parts: Parts, actor: Actor) -> tuple[str, str] | None:
    """The Practitioner or the Person that an account is, not the ward for whom it acts."""
    if actor.practitioner:
        return "Practitioner", actor.practitioner
    account = await accounts.account(parts.database, actor.account) if actor.account else None
    return ("Person", account.person) if account and account.person else None


def signed(parts: Parts, claims: dict[str, Any]) -> str:
    """A JSON Web Token with the current key of the platform (RFC 7515, ES256)."""
    key_id = parts.keys.public(SIGNING_KEY)[0].id
    head = base64url(json.dumps({"alg": "ES256", "typ": "JWT", "kid": key_id}).encode())
    body = base64url(json.dumps(claims, ensure_ascii=False).encode())
    signature = parts.keys.sign(SIGNING_KEY, f"{head}.{body}".encode(), key_id)
    return f"{head}.{body}.{base64url(signature)}"


def public_keys(parts: Parts) -> dict[str, Any]:
    """The keys that check our signatures, former ones too (RFC 7517)."""
    return {"keys": [key.jwk for key in parts.keys.public(SIGNING_KEY)]}
