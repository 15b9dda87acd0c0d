"""Registering programs, giving them new secrets, shutting them out. A client is usable, and unusable, from the commit on."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.outside import Unfetchable, allowances
from kangyun.base.outside import check as check_address
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions import clients as judging
from kangyun.commons.access.decisions.clients import Registration
from kangyun.commons.access.decisions.tokens import hashed
from kangyun.commons.access.model import Actor, Event
from kangyun.commons.access.queries import clients as reading
from kangyun.commons.access.queries.clients import Client, sql


@dataclass(frozen=True, slots=True)
class Added:
    """A new client; `secret` is told this once, and None where it proves itself by a key or not at all."""

    id: str
    secret: str | None = field(repr=False)


async def add(parts: Parts, by: Actor, told: Registration) -> Added:
    """Register a program; raises Problem 422 for what it cannot be."""
    judging.check(told)
    await _check_keys_address(parts, told.jwks_uri)
    id_ = secrets.token_hex(10)
    keyed = told.jwks is not None or told.jwks_uri is not None
    secret = None if told.kind == "public" or keyed else secrets.token_urlsafe(32)
    async with parts.database.connection() as connection:
        await connection.execute(
            sql.put, id_, told.name_zh.strip(), told.name_en.strip(), told.kind, hashed(secret) if secret else None,
            list(told.redirects), told.jwks, told.jwks_uri, told.launch, list(told.abilities), told.scopes, told.role,
            told.institution, clock.now(), by.name)
    await note(parts, by, "client-add", client=id_)
    return Added(id_, secret)


async def _check_keys_address(parts: Parts, address: str | None) -> None:
    if address is None:
        return
    try:
        await check_address(address, allowances(parts.settings.outside_allow))
    except Unfetchable:
        raise refuse(422, "value", "access.client-keys") from None


async def rotate(parts: Parts, by: Actor, id_: str) -> str:
    """A new secret in place of the old one, whose tokens end; raises Problem 404, and 409 for a client that has none."""
    client = await known(parts, id_)
    if client.secret is None:
        raise refuse(409, "conflict", "access.client-no-secret")
    secret = secrets.token_urlsafe(32)
    async with parts.database.transaction() as connection:
        await connection.fetchval(sql.set_secret, id_, hashed(secret))
        # Whoever knew the old secret may hold tokens that were made with it.
        await parts.entries.revoke_in(connection, client=id_)
    await note(parts, by, "client-rotate", client=id_)
    return secret


async def revoke(parts: Parts, by: Actor, id_: str) -> None:
    """Shut a program out: its tokens end at once, and nobody's consent to it counts any more; raises Problem 404."""
    await known(parts, id_)
    async with parts.database.transaction() as connection:
        await connection.fetchval(sql.end, id_)
        await parts.entries.revoke_in(connection, client=id_)
    await note(parts, by, "client-revoke", client=id_)


async def known(parts: Parts, id_: str) -> Client:
    """The client of an id that is active; raises Problem 404."""
    found = await reading.client(parts.database, id_)
    if found is None or not found.active:
        raise refuse(404, "not-found", "access.client-unknown")
    return found


async def note(parts: Parts, actor: Actor, action: str, *, client: str, outcome: str = "ok", more: str = "") -> None:
    """Write what a program or its keeper did into the audit trail; it is kept when this returns."""
    parts.trail.note(Event(
        clock.now(), actor.name, actor.role, action, institution=actor.institution, account=actor.account,
        session=actor.session, permission="access.clients", resources=[f"client/{client}"], purpose="login", outcome=outcome,
        address=actor.address, more=more,
    ))
    await parts.trail.settled()
