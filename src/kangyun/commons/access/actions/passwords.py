"""Passwords: argon2id in threads, since one takes a tenth of a second and 64 MiB; a few at a time."""

from __future__ import annotations

import asyncio
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import Issue, Problem
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions.passwords import faults, password_terms
from kangyun.commons.access.queries.accounts import Account, sql

_AT_ONCE = 4
_LONGEST = 1000


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys() -> str:
    """A hash that nothing fits: to look at a password of nobody takes as long as to look at somebody's."""
    return _hasher().hash(secrets.token_urlsafe(32))


class _Threads:
    """A limit on the hashes that are worked out at the same time, for the event loop that asks."""

    def __init__(self) -> None:
        self._doors: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

    def door(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if loop not in self._doors:
            self._doors = {loop: asyncio.Semaphore(_AT_ONCE)}
        return self._doors[loop]


_threads = _Threads()


async def hashed(password: str) -> bytes:
    """What is kept of a password."""
    async with _threads.door():
        return (await asyncio.to_thread(_hasher().hash, password)).encode()


async def fits(password: str, kept: bytes | None) -> bool:
    """Whether it is the password; None (nobody's, or none) takes as long and is never right."""
    async with _threads.door():
        return await asyncio.to_thread(_fits, password[:_LONGEST], kept)


def _fits(password: str, kept: bytes | None) -> bool:
    try:
        return _hasher().verify(kept.decode() if kept else _nobodys(), password) and kept is not None
    except (Argon2Error, InvalidHashError):
        return False


async def is_right(parts: Parts, account: Account | None, password: str) -> bool:
    """Whether it is the password of an account, which may be None."""
    kept = None
    if account is not None:
        async with parts.database.connection() as connection:
            row = await connection.fetchrow(sql.password, account.id)
        kept = row["content"] if row else None
    return await fits(password, kept)


async def checked(parts: Parts, account: str | None, login: str, password: str) -> bytes:
    """What is kept of a new password. Raises Problem 422 with every fault: the rule's, and one that was used before."""
    terms = password_terms()
    params = {"least": str(terms.least), "most": str(terms.most), "classes": str(terms.classes), "n": str(terms.remembered)}
    found = [Issue("value", f"access.password-{fault}", params) for fault in faults(password, login)]
    if not found and account and await _was_used(parts, account, password):
        found = [Issue("value", "access.password-used", params)]
    if found:
        raise Problem(422, *found)
    return await hashed(password)


async def _was_used(parts: Parts, account: str, password: str) -> bool:
    async with parts.database.connection() as connection:
        rows = await connection.fetch(sql.former_passwords, account, password_terms().remembered)
    for row in rows:
        if await fits(password, row["content"]):
            return True
    return False


async def keep(connection: Connection, account: str, kept: bytes) -> None:
    """Make a password the one in use; the former ones stay as long as they may not come back."""
    now = clock.now()
    await connection.execute(sql.end_passwords, account, now)
    await connection.execute(sql.put_credential, secrets.token_hex(12), account, "password", None, kept, 0, "", now)
    await connection.execute(sql.forget_passwords, account, password_terms().remembered)
