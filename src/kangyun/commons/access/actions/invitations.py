"""Taking an invitation up: with a new user name and password, for an account that is there, or with the one logged in."""

from __future__ import annotations

from kangyun.base.errors import refuse
from kangyun.commons.access.actions import accounts as staff
from kangyun.commons.access.actions import passwords, sessions, steps
from kangyun.commons.access.actions.accounts import Invitation, post_of
from kangyun.commons.access.actions.parts import Parts, Visitor, known, note
from kangyun.commons.access.actions.steps import Step
from kangyun.commons.access.decisions.accounts import normal_login
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account, sql


async def must_be_open(parts: Parts, token: str) -> Invitation:
    """The invitation of a token. Raises Problem 410 when it is unknown, used or over: these look the same."""
    found = await staff.invitation(parts, token)
    if found is None:
        raise refuse(410, "expired", "access.invitation-over")
    return found


async def accept_new(parts: Parts, token: str, name: str, password: str, visitor: Visitor) -> str:
    """Become a member of staff with a new account; returns the secret of the login that goes on with the second factor.

    Raises Problem 410 for an invitation that is over, 422 for a name or password that cannot be, 409 for a taken name.
    """
    invitation = await must_be_open(parts, token)
    if invitation.kind != "join":
        raise refuse(410, "expired", "access.invitation-over")
    login = normal_login(name)
    if login is None:
        raise refuse(422, "value", "access.no-login-name")
    if await accounts.by_login(parts.database, login) is not None:
        raise refuse(409, "conflict", "access.login-taken")
    kept = await passwords.checked(parts, None, login, password)
    async with parts.database.transaction() as connection:
        await staff.use(connection, token)
        account = await staff.make_in(connection, login, "active")
        await passwords.keep(connection, account.id, kept)
    return await _joined(parts, account, invitation, visitor)


async def _joined(parts: Parts, account: Account, invitation: Invitation, visitor: Visitor) -> str:
    who = known(account.id, visitor)
    await staff.grant(parts, who, account, post_of(invitation))
    await note(parts, who, "join", more=invitation.role)
    return await steps.begin(parts, Step("staff", account.id, ("password",)))


async def accept_password(parts: Parts, token: str, password: str, visitor: Visitor) -> str:
    """Choose the password of the account that the invitation is for; returns the secret of the login that goes on.

    Raises Problem 410 for an invitation that is over, 422 with the faults of the password, 403 for a locked account.
    """
    invitation = await must_be_open(parts, token)
    account = await accounts.account(parts.database, invitation.account) if invitation.account else None
    if invitation.kind != "password" or account is None:
        raise refuse(410, "expired", "access.invitation-over")
    if account.state not in {"invited", "active"}:
        raise refuse(403, "forbidden", "access.account-locked")
    kept = await passwords.checked(parts, account.id, account.login or "", password)
    async with parts.database.transaction() as connection:
        await staff.use(connection, token)
        await passwords.keep(connection, account.id, kept)
        await connection.fetchval(sql.set_state, account.id, "active")
    await parts.entries.revoke(account=account.id)
    await note(parts, known(account.id, visitor), "password", more="invitation")
    return await steps.begin(parts, Step("staff", account.id, ("password",)))


async def accept_logged_in(parts: Parts, actor: Actor, token: str) -> None:
    """Add what the invitation offers to the account that is logged in; the switcher then shows it.

    Raises Problem 410 for an invitation that is over, 403 for an account of a resident.
    """
    account = await sessions.account_of(parts, actor)
    invitation = await must_be_open(parts, token)
    if account.kind != "staff" or invitation.kind != "join":
        raise refuse(403, "forbidden", "base.forbidden")
    await staff.grant(parts, actor, account, post_of(invitation))
    async with parts.database.transaction() as connection:
        await staff.use(connection, token)
    await note(parts, actor, "join", more=invitation.role)
