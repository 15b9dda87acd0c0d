"""What a person's yes becomes: a code, tokens for it, new tokens for a refresh token, and the end of all of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from kangyun.base import clock, jobs
from kangyun.base.database import Connection
from kangyun.commons.access.actions.clients import note
from kangyun.commons.access.actions.identity import id_token
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.actions.tokens import answer, demand, granted, hold
from kangyun.commons.access.decisions.authorizing import Asked
from kangyun.commons.access.decisions.tokens import Refused, answers, hashed, renewal_seconds, times
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts, guardians
from kangyun.commons.access.queries import grants as reading
from kangyun.commons.access.queries.clients import Client
from kangyun.commons.access.queries.grants import Grant, sql

_NOT_GOOD = "the code or token is not good: unknown, used, expired, or of another client"


@dataclass(frozen=True, slots=True)
class Allowed:
    """A yes: as what the app acts, for which resident and visit."""

    actor: Actor
    patient: str | None = None
    encounter: str | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What an app shows for its tokens, and whom it shows it to (`issuer`, our own address)."""

    code: str
    redirect: str
    verifier: str
    issuer: str


async def allow(parts: Parts, client: Client, asked: Asked, allowed: Allowed) -> str:
    """Let an app in; returns the authorization code."""
    now, code, id_ = clock.now(), secrets.token_urlsafe(32), secrets.token_hex(12)
    actor = replace(allowed.actor, session=None, address="", scopes=asked.scopes, patient=allowed.patient)
    renewed = renewal_seconds(actor.role, asked.scopes)
    renews = now + timedelta(seconds=renewed) if renewed else None
    ends = renews or now + timedelta(seconds=times().code + times().token)
    async with parts.database.transaction() as connection:
        logged_in = await connection.fetchval(sql.session_made, allowed.actor.session) or now
        await connection.execute(
            sql.put_grant, id_, client.id, actor.account, actor.person, msgspec.json.encode(actor).decode(), asked.scopes,
            allowed.patient, allowed.encounter, now, ends, renews)
        await connection.execute(
            sql.put_code, hashed(code), id_, asked.redirect, asked.challenge, asked.nonce, logged_in,
            now + timedelta(seconds=times().code))
    await note(parts, allowed.actor, "app-allow", client=client.id)
    return code


async def redeem(parts: Parts, client: Client, shown: Redeemed, address: str) -> dict[str, Any]:
    """Tokens for a code, which is good once: a second use ends the tokens of the first."""
    demand(client, "authorization_code")
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.use_code, hashed(shown.code), clock.now())
        known = row or await connection.fetchrow(sql.used_code, hashed(shown.code))
        grant = await reading.grant(connection, known["grant_id"]) if known else None
    if row is None or grant is None:
        if grant is not None:
            await _stolen(parts, client, grant, address)
        raise Refused("invalid_grant", _NOT_GOOD)
    right = grant.client == client.id and row["redirect"] == shown.redirect and answers(shown.verifier, row["challenge"])
    if not right or row["ends"] < clock.now():
        raise Refused("invalid_grant", _NOT_GOOD)
    told = await _tokens(parts, client, grant, replace(grant.actor, scopes=grant.scopes, address=address))
    if "openid" in grant.scopes.split():
        told["id_token"] = await id_token(parts, shown.issuer, grant, row["nonce"], row["logged_in"])
    return told | _context(grant)


async def refresh(parts: Parts, client: Client, secret: str, asked: str, address: str) -> dict[str, Any]:
    """New tokens for a refresh token, perhaps for fewer scopes; an old one that comes again ends the family."""
    demand(client, "refresh_token")
    grant = await reading.grant_of_refresh(parts.database, secret)
    if grant is None or grant.client != client.id or grant.renews is None or grant.renews < clock.now():
        raise Refused("invalid_grant", _NOT_GOOD)
    actor = replace(grant.actor, scopes=granted(asked, grant.scopes), address=address)
    return await _tokens(parts, client, grant, actor, secret) | _context(grant)


async def _tokens(parts: Parts, client: Client, grant: Grant, actor: Actor, old: str | None = None) -> dict[str, Any]:
    until = await _stands_until(parts, grant)
    if until is None:
        await parts.entries.revoke(family=grant.id)
        raise Refused("invalid_grant", "the person may no longer do what was allowed")
    lasts = min(times().token, int((until - clock.now()).total_seconds()))
    told: dict[str, Any] | None = None
    async with parts.database.transaction() as connection:
        used = old is None or await connection.fetchval(sql.use_refresh, hashed(old), clock.now())
        held = await reading.grant_to_use(connection, grant.id, clock.now() + timedelta(seconds=lasts)) if used else None
        if held:
            await hold(connection, client)
            secret = await parts.entries.issue_in(
                connection, actor, kind="token", lasts=lasts, device=client.name_zh, client=client.id, family=held.id)
            told = answer(secret, lasts, actor.scopes or "") | await _renewal(connection, client, held)
    if not used:
        await _stolen(parts, client, grant, actor.address)
    if told is None:
        raise Refused("invalid_grant", _NOT_GOOD)
    await note(parts, actor, "token", client=client.id, more="refresh_token" if old else "authorization_code")
    return told


async def _renewal(connection: Connection, client: Client, grant: Grant) -> dict[str, Any]:
    if grant.renews is None or "refresh_token" not in client.abilities:
        return {}
    secret = secrets.token_urlsafe(32)
    await connection.execute(sql.put_refresh, hashed(secret), grant.id, clock.now())
    return {"refresh_token": secret}


async def _stolen(parts: Parts, client: Client, grant: Grant, address: str) -> None:
    """A code or refresh token came a second time: one of the two who have it stole it, so nobody keeps anything."""
    await parts.entries.revoke(family=grant.id)
    actor = replace(grant.actor, address=address)
    await note(parts, actor, "token-reuse", client=client.id, outcome="refused", more="family_revoked")


async def _stands_until(parts: Parts, grant: Grant) -> datetime | None:
    """Until when the person is still what the app acts as; None: no longer."""
    actor, far = grant.actor, clock.now() + timedelta(days=3650)
    account = await accounts.account(parts.database, grant.account)
    if account is None or account.state != "active":
        return None
    if actor.role == "guardian":
        held = await guardians.in_force(parts.database, grant.account, actor.person or "")
        return held.ends if held else None
    if account.kind == "resident":
        return far if account.person == actor.person else None
    offered = await accounts.memberships(parts.database, grant.account)
    return far if any((one.role, one.institution or None) == (actor.role, actor.institution) for one in offered) else None


def _context(grant: Grant) -> dict[str, Any]:
    """What a launch tells the app beside its tokens (SMART App Launch 2.2, launch context)."""
    if grant.patient is None:
        return {}
    told: dict[str, Any] = {"patient": grant.patient, "need_patient_banner": True}
    return told | ({"encounter": grant.encounter} if grant.encounter else {})


async def end(parts: Parts, actor: Actor, grant: Grant) -> None:
    """Shut an app out again: all its tokens of this yes end at once."""
    await parts.entries.revoke(family=grant.id)
    await note(parts, actor, "app-revoke", client=grant.client)


@jobs.every("access.trim_grants", seconds=900)
async def trim(services: Any, _payload: dict[str, Any]) -> None:
    """Forget what has ended, and codes and refresh tokens of it."""
    async with services.database.connection() as connection:
        await connection.execute(sql.trim, clock.now())
        await connection.execute(sql.trim_codes)
        await connection.execute(sql.trim_refreshes)
