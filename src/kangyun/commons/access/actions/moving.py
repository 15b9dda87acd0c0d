"""Another phone: a resident who is logged in takes the account to another number, which the code sent there proves."""

from __future__ import annotations

import asyncpg

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.commons.access.actions import codes, sessions, steps
from kangyun.commons.access.actions.binding import proved_person
from kangyun.commons.access.actions.login import Entered
from kangyun.commons.access.actions.parts import Parts, Visitor, note
from kangyun.commons.access.actions.steps import Step
from kangyun.commons.access.decisions.accounts import normal_phone
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account, sql

_TOLD = web.message("access.sms.moved")


async def ask(parts: Parts, actor: Actor, typed: str, *, claim: tuple[str, str], visitor: Visitor, language: str) -> str:
    """Send a code to the new phone; returns the secret of the step. `claim`: name and ID number, needed once real names are known.

    Whoever finds an open phone must not take the account away: he does not know the number of the identity card. Raises
    Problem 403 for staff, 422 when name and number are not the holder's, or the phone is none or the same, and as `codes.send`.
    """
    account = await _account(parts, actor)
    if account.person and (await proved_person(parts, actor, *claim))["id"] != account.person:
        await note(parts, actor, "bind", outcome="failed")
        raise refuse(422, "value", "access.no-match")
    phone = normal_phone(typed)
    if phone is not None and phone == await codes.phone_of_account(parts, account.id):
        raise refuse(422, "value", "access.same-phone")
    return await codes.send(parts, typed, visitor, language, Step("move", account=account.id))


async def standing(parts: Parts, actor: Actor, secret: str) -> Step | None:
    """The move that waits for its code, if it is of this account and not over."""
    step = await steps.standing(parts, secret, "move")
    return step if step is not None and step.account == actor.account else None


async def move(parts: Parts, actor: Actor, secret: str, code: str, visitor: Visitor) -> Entered:
    """Take the account to the phone whose code is right; other devices and apps are logged out, the former phone is told.

    Raises Problem 401 for a wrong code, 410 when it is over or was tried too often, 409 when the number is another resident's.
    """
    account, step = await _account(parts, actor), await standing(parts, actor, secret)
    if step is None:
        raise refuse(410, "expired", "access.step-over")
    await codes.check(parts, step, code, visitor)
    await steps.take(parts, secret, "move")
    former = await codes.phone_of_account(parts, account.id)
    await _take(parts, account, step.phone)
    await parts.entries.revoke(account=account.id, but=actor.session)
    await note(parts, actor, "bind", more="moved", resources=(f"account/{account.id}",))
    await codes.tell(parts, account.id, former, _TOLD)
    return await sessions.refresh(parts, actor, visitor)


async def _account(parts: Parts, actor: Actor) -> Account:
    account = await sessions.account_of(parts, actor)
    if account.kind != "resident":
        raise refuse(403, "forbidden", "base.forbidden")
    return account


async def _take(parts: Parts, account: Account, phone: str) -> None:
    index = codes.phone_index(parts, phone)
    holder = await accounts.by_phone(parts.database, index)
    if holder is not None:
        if holder.person and not await codes.is_dormant(parts, holder):
            raise refuse(409, "conflict", "access.phone-taken")
        # Nobody is known by it, or not for long: whoever has the number now says that it is this account's.
        await codes.close(parts, holder)
    try:
        async with parts.database.connection() as connection:
            await connection.fetchval(sql.move_phone, account.id, codes.sealed_phone(parts, account.id, phone), index)
    except asyncpg.UniqueViolationError:
        raise refuse(409, "conflict", "access.phone-taken") from None
