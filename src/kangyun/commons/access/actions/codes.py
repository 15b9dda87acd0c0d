"""Logging in by phone: a one-time code is sent, and whoever knows it has the account of that phone."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace
from datetime import timedelta

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.base.web import message
from kangyun.commons.access.actions import failures, steps
from kangyun.commons.access.actions.parts import Parts, Visitor, nobody, note
from kangyun.commons.access.actions.steps import Step
from kangyun.commons.access.decisions.accounts import Limit, network_of, normal_phone, phone_days
from kangyun.commons.access.decisions.one_time import code_terms, must_wait, written
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account, sql

_TEXTS = {"code": message("access.sms.login"), "move": message("access.sms.move")}


def phone_index(parts: Parts, phone: str) -> bytes:
    """The keyed hash under which a phone is found."""
    return parts.keys.mac("account-phone", phone.encode())


def sealed_phone(parts: Parts, account: str, phone: str) -> bytes:
    """A phone as its account keeps it."""
    return parts.keys.seal("account-phone", phone.encode(), account.encode())


async def phone_of_account(parts: Parts, account: str) -> str:
    """The phone of an account; '' when it has none."""
    async with parts.database.connection() as connection:
        sealed = await connection.fetchval(sql.phone_of, account)
    return parts.keys.open("account-phone", sealed, account.encode()).decode() if sealed else ""


async def tell(parts: Parts, account: str, phone: str, text: str) -> None:
    """Tell a phone what has been done to its account; it is done whether or not the gateway is there."""
    try:
        await parts.sms.send(phone, text)
    except Problem:
        await note(parts, Actor("access.sms", "system", account=account), "tell", outcome="failed")


async def send(parts: Parts, typed: str, visitor: Visitor, language: str, step: Step) -> str:
    """Send a code to a phone, known or not; returns the secret of the step that waits for it.

    Raises Problem 422 for what is no phone, 429 when another one was sent just now or too many, 503 without a gateway.
    """
    phone = normal_phone(typed)
    if phone is None:
        raise refuse(422, "value", "access.no-phone")
    terms = code_terms()
    # A code that is asked for counts like a failure: one address does not send messages to a whole town.
    await failures.begin(parts, f"sms/{network_of(visitor.address)}", Limit(terms.address_per_hour, 3600, 3600))
    id_, code = secrets.token_hex(12), written(secrets.randbelow(10**terms.digits))
    async with parts.database.transaction() as connection:
        await _put(connection, parts, phone, id_, code)
    try:
        await parts.sms.send(phone, _TEXTS[step.kind], language, code=code, minutes=terms.minutes)
    except Problem:
        await _end(parts, id_)
        raise
    return await steps.begin(parts, replace(step, phone=phone, code=id_))


async def _put(connection: Connection, parts: Parts, phone: str, id_: str, code: str) -> None:
    index, now, terms = phone_index(parts, phone), clock.now(), code_terms()
    # Two that ask for the same phone at once wait for each other, so that the count is true.
    await connection.execute(sql.one_phone_at_a_time, int.from_bytes(index[:4], signed=True))
    sent = [row["made"] for row in await connection.fetch(sql.sent_codes, index, now - timedelta(days=1))]
    wait = must_wait(sent, now)
    if wait:
        raise refuse(429, "throttled", "access.code-wait", seconds=str(wait))
    await connection.execute(
        sql.put_code, id_, index, _hash(parts, id_, code), now, now + timedelta(minutes=terms.minutes))


async def _end(parts: Parts, id_: str) -> None:
    async with parts.database.connection() as connection:
        await connection.execute(sql.end_code, id_, clock.now())


def _hash(parts: Parts, id_: str, code: str) -> bytes:
    return parts.keys.mac("login-code", f"{id_}/{code}".encode())


async def account_by_code(parts: Parts, secret: str, code: str, visitor: Visitor) -> tuple[Account, Step]:
    """The account of the phone that the code was sent to, made when it is the first time.

    Raises Problem 401 for a wrong code, 410 when it is over or was tried too often, 403 when the account is locked.
    """
    step = await steps.standing(parts, secret, "code")
    if step is None:
        raise refuse(410, "expired", "access.step-over")
    await check(parts, step, code, visitor)
    await steps.take(parts, secret, "code")
    account = await _account(parts, step.phone)
    if account.state != "active":
        await note(parts, nobody(visitor), "login", outcome="refused", more="account-locked")
        raise refuse(403, "forbidden", "access.account-locked")
    return account, step


async def check(parts: Parts, step: Step, typed: str, visitor: Visitor) -> None:
    """Use up the code of a step. Raises Problem 401 for a wrong one, 410 when it is over or was tried too often."""
    now, code = clock.now(), "".join(typed.split())
    if not code:
        raise refuse(422, "required", "access.no-code")
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.try_code, step.code, code_terms().tries, now)
        if row is None:
            raise refuse(410, "expired", "access.step-over")
        right = hmac.compare_digest(row["hash"], _hash(parts, step.code, code))
        right = right and await connection.fetchval(sql.use_code, step.code, now) is not None
    if not right:
        await note(parts, nobody(visitor), "login", outcome="failed", more="code")
        raise refuse(401, "login", "access.wrong-code")


async def _account(parts: Parts, phone: str) -> Account:
    index = phone_index(parts, phone)
    found = await accounts.by_phone(parts.database, index)
    if found is not None and not await is_dormant(parts, found):
        return found
    if found is not None:
        # Whoever has the number now begins anew; the person proves the name again and has everything back.
        await close(parts, found)
    id_ = secrets.token_hex(12)
    sealed = sealed_phone(parts, id_, phone)
    async with parts.database.connection() as connection:
        await connection.fetchval(
            sql.put_account, id_, "resident", None, sealed, index, None, None, "active", clock.now())
    found = await accounts.by_phone(parts.database, index)
    assert found is not None, "it was there or has just been made"
    return found


async def is_dormant(parts: Parts, account: Account) -> bool:
    """Whether an account with a person was left so long that its number may be somebody else's."""
    since = clock.now() - timedelta(days=phone_days())
    async with parts.database.connection() as connection:
        return await connection.fetchval(sql.not_seen_since, account.id, since) is not None


async def close(parts: Parts, account: Account) -> None:
    """End an account of a resident for good: its phone and its person are free for another one, its sessions and passkeys end."""
    async with parts.database.transaction() as connection:
        await connection.fetchval(sql.close_account, account.id)
        await connection.execute(sql.remove_credentials, account.id)
        await parts.entries.revoke_in(connection, account=account.id)
