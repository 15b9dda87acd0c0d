"""Presence: somebody who is logged in proves once more who sits there, for one thing such as a consultation.

A code of an authenticator app, the password or a passkey; failures count and lock as those of a login do. An app that
acts for somebody can only hand on a code, which is good once: a password is not for programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kangyun.base import clock, jobs
from kangyun.base.database import queries
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access.actions import failures, passkeys, passwords, seconds
from kangyun.commons.access.actions.parts import Parts, note
from kangyun.commons.access.actions.passkeys import Site
from kangyun.commons.access.decisions.accounts import account_limit
from kangyun.commons.access.decisions.presence import holds
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account

sql = queries("kangyun.commons.access", "queries/presence.sql")


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody shows: `means` totp, password or passkey; `step` is the secret of a passkey's challenge."""

    means: str
    text: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """That somebody was there: by which means, and when."""

    means: str
    at: datetime


async def prove_presence(parts: Parts, actor: Actor, about: str, proof: Proof, site: Site | None = None) -> Presence:
    """Note that the actor is there for `about`. Raises Problem 401 for a wrong proof, 422 for an unknown one, 429 while locked."""
    account = await _account(parts, actor)
    tried = await failures.begin(parts, f"name/{account.login}", account_limit())
    if not await _right(parts, actor, account, proof, site):
        await note(parts, actor, "presence", outcome="failed", more=proof.means)
        raise refuse(401, "login", "access.not-present")
    await failures.forget(parts, tried)
    now = clock.now()
    async with parts.database.connection() as connection:
        await connection.execute(sql.put, actor.session, about, account.id, proof.means, now, now + holds())
    await note(parts, actor, "presence", more=proof.means, resources=(about,))
    return Presence(proof.means, now)


async def _right(parts: Parts, actor: Actor, account: Account, proof: Proof, site: Site | None) -> bool:
    if proof.means == "totp":
        return await seconds.code_fits(parts, account.id, proof.text)
    if proof.means == "password" and actor.scopes is None:
        return await passwords.is_right(parts, account, proof.text)
    if proof.means == "passkey" and site is not None:
        return await passkeys.again(parts, account, (proof.step, proof.text), site)
    raise refuse(422, "value", "access.no-such-proof")


async def offer_presence(parts: Parts, actor: Actor, site: Site) -> tuple[str, str]:
    """A challenge for the actor's own passkey: the step's secret and the options for the browser as JSON."""
    return await passkeys.offer_again(parts, await _account(parts, actor), site)


async def presence_of(parts: Parts, actor: Actor, about: str) -> Presence | None:
    """The proof that the actor gave in this session for `about`; None when there is none or it is too old."""
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.standing, actor.session or "", about, clock.now())
    return Presence(row["means"], row["at"]) if row else None


async def _account(parts: Parts, actor: Actor) -> Account:
    found = await accounts.account(parts.database, actor.account) if actor.account and actor.session else None
    if found is None:
        raise _nobody()
    return found


def _nobody() -> Problem:
    return refuse(401, "login", "base.unauthenticated")


@jobs.every("access.trim_presence", seconds=3600)
async def trim(services: Any, _payload: dict[str, Any]) -> None:
    """Forget proofs that hold no more."""
    async with services.database.connection() as connection:
        await connection.execute(sql.trim, clock.now())
