"""Access tokens that are given out without a person's browser: to services, in exchange, and their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.commons.access.actions.clients import note
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions import scopes as scoping
from kangyun.commons.access.decisions.tokens import ACCESS_TOKEN, EXCHANGE, Refused, times
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries.clients import Client
from kangyun.commons.access.queries.grants import grant_of_refresh, sql, token


def demand(client: Client, ability: str) -> None:
    """Raise Refused unless the client may use a grant."""
    if ability not in client.abilities:
        raise Refused("unauthorized_client", "the client may not use this grant")


def granted(asked: str, most: str) -> str:
    """What is granted of the asked scopes; all there is when none are asked; raises Refused when nothing is left."""
    kept = scoping.narrowed(asked.strip() or most, most)
    if not kept:
        raise Refused("invalid_scope", "none of the scopes can be granted to this client")
    return kept


async def for_service(parts: Parts, client: Client, asked: str, address: str) -> dict[str, Any]:
    """A token for the client itself (client_credentials): it acts in its own role, within its scopes."""
    demand(client, "client_credentials")
    scopes = granted(asked, scoping.for_services(client.scopes))
    actor = Actor(f"client/{client.id}", client.role, client.institution, scopes=scopes, purpose="care", address=address)
    lasts = times().service
    async with parts.database.transaction() as connection:
        await hold(connection, client)
        secret = await parts.entries.issue_in(connection, actor, kind="token", lasts=lasts, client=client.id, device=client.name_zh)
    await note(parts, actor, "token", client=client.id, more="client_credentials")
    return answer(secret, lasts, scopes)


async def hold(connection: Connection, client: Client) -> None:
    """Keep a client from being shut out until the transaction ends; raises Refused when it was since it proved itself."""
    if not await connection.fetchval(sql.hold_client, client.id, client.secret):
        raise Refused("invalid_client", "the client is unknown, or its proof is wrong", 401)


def answer(secret: str, lasts: int, scopes: str) -> dict[str, Any]:
    """A token as RFC 6749 section 5.1 tells it."""
    return {"access_token": secret, "token_type": "Bearer", "expires_in": lasts, "scope": scopes}


async def exchanged(parts: Parts, client: Client, form: Mapping[str, str], address: str) -> dict[str, Any]:
    """A narrower token in exchange for one that a caller showed to a service (RFC 8693); it ends with that one."""
    demand(client, EXCHANGE)
    if form.get("subject_token_type") != ACCESS_TOKEN or form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise Refused("invalid_request", "only access tokens are exchanged for access tokens")
    subject = await token(parts.database, form.get("subject_token", ""))
    if subject is None or subject.actor.scopes is None:
        raise Refused("invalid_grant", "the subject token is not good")
    # Neither more than the user let the first app do, nor more than this service may ever do.
    scopes = granted(form.get("scope", ""), scoping.narrowed(subject.actor.scopes, client.scopes))
    lasts = min(times().exchanged, int((subject.ends - clock.now()).total_seconds()))
    # Whoever revokes the first token, or the app's family of tokens, ends this one too.
    family = subject.family or subject.id
    actor = replace(subject.actor, scopes=scopes, address=address)
    async with parts.database.transaction() as connection:
        await hold(connection, client)
        if not await connection.fetchval(sql.hold_token, subject.id):
            raise Refused("invalid_grant", "the subject token is not good")
        secret = await parts.entries.issue_in(
            connection, actor, kind="token", lasts=lasts, client=client.id, device=client.name_zh, family=family)
    await note(parts, actor, "token", client=client.id, more="token_exchange")
    return answer(secret, lasts, scopes) | {"issued_token_type": ACCESS_TOKEN}


async def revoke(parts: Parts, client: Client, secret: str, address: str) -> None:
    """End a token of the client; with a refresh token all that it could renew. What is no token of it changes nothing (RFC 7009)."""
    known = await token(parts.database, secret)
    grant = None if known else await grant_of_refresh(parts.database, secret)
    if known and known.client == client.id:
        await parts.entries.revoke(secret=secret)
    elif grant and grant.client == client.id:
        await parts.entries.revoke(family=grant.id)
    else:
        return
    await note(parts, Actor(f"client/{client.id}", client.role, address=address), "token-revoke", client=client.id)


async def introspected(parts: Parts, client: Client, secret: str) -> dict[str, Any]:
    """What a token is good for (RFC 7662); a service that exchanges its callers' tokens may ask about them, others about their own."""
    demand(client, "introspection")
    known = await token(parts.database, secret)
    if known is None or (known.client != client.id and EXCHANGE not in client.abilities):
        return {"active": False}
    actor = known.actor
    told = {
        "active": True, "token_type": "Bearer", "client_id": known.client, "sub": actor.account or actor.name, "scope": actor.scopes or "",
        "iat": int(known.made.timestamp()), "exp": int(known.ends.timestamp()),
    }
    return told | ({"patient": actor.patient} if actor.patient else {})
