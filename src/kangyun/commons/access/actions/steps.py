"""Where a login stands between its first step and its last: kept sealed in the database, the browser has only a secret.

Each step gives a new secret and ends the one before, so that what somebody planted in a browser leads nowhere.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec

from kangyun.base import clock, jobs
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions.accounts import step_seconds
from kangyun.commons.access.queries.accounts import sql

_PURPOSE = "login-step"


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a login so far.

    kind: code (a code was sent to `phone`), move (the same, to take `account` there), staff (an account has passed some factors), passkey (a challenge is out),
    outside (somebody was sent to a directory). institution: only what the account may be there counts.
    """

    kind: str
    account: str | None = None
    passed: tuple[str, ...] = ()
    next: str = "/"
    institution: str | None = None
    phone: str = ""
    code: str = ""
    challenge: str = ""
    provider: str = ""
    nonce: str = ""
    verifier: str = ""


async def begin(parts: Parts, step: Step) -> str:
    """Keep a step; returns the secret for the browser."""
    secret = secrets.token_urlsafe(32)
    hashed = _hash(secret)
    sealed = parts.keys.seal(_PURPOSE, msgspec.json.encode(step), hashed)
    async with parts.database.connection() as connection:
        await connection.execute(sql.put_step, hashed, sealed, clock.now() + timedelta(seconds=step_seconds()))
    return secret


async def standing(parts: Parts, secret: str, *kinds: str) -> Step | None:
    """The step of a secret, if it is of one of the kinds and its time is not over."""
    hashed = _hash(secret)
    async with parts.database.connection() as connection:
        sealed = await connection.fetchval(sql.step, hashed, clock.now())
    return _opened(parts, hashed, sealed, kinds)


async def take(parts: Parts, secret: str, *kinds: str) -> Step | None:
    """As `standing`, and the secret is good no more."""
    hashed = _hash(secret)
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.take_step, hashed)
    return _opened(parts, hashed, row["content"], kinds) if row and row["ends"] > clock.now() else None


def _opened(parts: Parts, hashed: bytes, sealed: bytes | None, kinds: tuple[str, ...]) -> Step | None:
    if sealed is None:
        return None
    step = msgspec.json.decode(parts.keys.open(_PURPOSE, sealed, hashed), type=Step)
    return step if step.kind in kinds else None


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


@jobs.every("access.trim_logins", seconds=900)
async def trim(services: Any, _payload: dict[str, Any]) -> None:
    """Forget logins that were never finished, codes and failures that count no more."""
    now = clock.now()
    async with services.database.connection() as connection:
        await connection.execute(sql.trim_steps, now)
        await connection.execute(sql.trim_codes, now - timedelta(days=2))
        await connection.execute(sql.trim_failures, now - timedelta(days=2))
