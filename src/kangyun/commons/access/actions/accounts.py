"""Staff: invited by an institution, given roles and losing them, locked and let in again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.commons.access.actions import failures, passwords, seconds
from kangyun.commons.access.actions.parts import Parts, note
from kangyun.commons.access.decisions.accounts import clashing, invitation_hours, kind_of_role, normal_login
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account, Membership, StaffRow, sql


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody is to be: a role at an institution (id of an Organization, '' for the whole platform), as which Practitioner."""

    role: str
    institution: str = ""
    practitioner: str | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that is open: kind join (a role for somebody) or password (the account's holder chooses one)."""

    id: str
    kind: str
    account: str | None
    institution: str
    role: str
    practitioner: str | None


async def invite(parts: Parts, actor: Actor, post: Post, account: Account | None = None, kind: str = "join") -> str:
    """Make an invitation, good once and for some days; returns its token. Raises Problem 422 for what is no role of staff."""
    if kind == "join":
        _check(post)
    token, now = secrets.token_urlsafe(32), clock.now()
    whose = account.id if account else None
    async with parts.database.transaction() as connection:
        if whose:
            await connection.execute(sql.end_invitations, whose, now, kind)
        await connection.execute(
            sql.put_invitation, _hash(token), secrets.token_hex(12), kind, whose, post.institution, post.role,
            post.practitioner, actor.name, now, now + timedelta(hours=invitation_hours()))
    await note(parts, actor, "invite", more=f"{kind} {post.role}".strip())
    return token


async def add(parts: Parts, actor: Actor, name: str, post: Post) -> str:
    """Make an account with a user name and a role, and an invitation to choose its password; returns the token.

    Raises Problem 422 for a name or a role that cannot be, 409 for a name that is taken.
    """
    account = await make(parts, name, "invited")
    await grant(parts, actor, account, post)
    return await invite(parts, actor, Post("", post.institution), account, "password")


async def establish(
    parts: Parts, actor: Actor, name: str, post: Post, *, password: str, totp: str | None = None,
) -> Account:
    """Make an account that can log in at once, for scripts; `totp` is the secret of its authenticator app.

    Raises Problem 422 for a name, a role or a password that cannot be, 409 for a name that is taken.
    """
    kept = await passwords.checked(parts, None, name, password)
    account = await make(parts, name, "active")
    async with parts.database.transaction() as connection:
        await passwords.keep(connection, account.id, kept)
    if totp:
        await seconds.put(parts, account.id, totp)
    await grant(parts, actor, account, post)
    return account


async def make(parts: Parts, name: str, state: str) -> Account:
    """An account of staff that may do nothing yet. Raises Problem 422 for what is no user name, 409 for one that is taken."""
    async with parts.database.connection() as connection:
        return await make_in(connection, name, state)


async def make_in(connection: Connection, name: str, state: str) -> Account:
    """As `make`, inside the caller's transaction."""
    login = normal_login(name)
    if login is None:
        raise refuse(422, "value", "access.no-login-name")
    made = await connection.fetchval(
        sql.put_account, secrets.token_hex(12), "staff", login, None, None, None, None, state, clock.now())
    if made is None:
        raise refuse(409, "conflict", "access.login-taken")
    return Account(made, "staff", login, None, None, state)


async def grant(parts: Parts, actor: Actor, account: Account, post: Post) -> None:
    """Give a role at an institution. Raises Problem 422 for what is no role of staff, 409 for one that must be another's."""
    _check(post)
    held = [one.role for one in await accounts.memberships(parts.database, account.id)]
    if clashing(post.role, held):
        raise refuse(409, "conflict", "access.separate-persons")
    async with parts.database.connection() as connection:
        await connection.fetchval(
            sql.put_membership, secrets.token_hex(12), account.id, post.institution, post.role, post.practitioner,
            clock.now(), None)
        if post.practitioner:
            await connection.execute(sql.set_practitioner, account.id, post.practitioner)
    await note(parts, actor, "grant", more=post.role, resources=_named(account))


def _check(post: Post) -> None:
    if kind_of_role(post.role) != "staff":
        raise refuse(422, "value", "access.no-role")


async def withdraw(parts: Parts, actor: Actor, account: Account, institution: str | None, role: str | None = None) -> int:
    """Take roles back, all of an institution or all; sessions in them end at once. Returns how many there were."""
    async with parts.database.connection() as connection:
        rows = await connection.fetch(sql.end_memberships, account.id, clock.now(), institution, role)
    for one in await parts.entries.of_account(account.id):
        if institution in (None, one.actor.institution or "") and role in (None, one.actor.role):
            await parts.entries.revoke(id_=one.id)
    await note(parts, actor, "withdraw", more=role or "", resources=_named(account))
    return len(rows)


async def lock(parts: Parts, actor: Actor, account: Account) -> None:
    """Lock an account: nobody gets in, and who is in is out at once."""
    await _state(parts, actor, account, "locked", "lock")
    await parts.entries.revoke(account=account.id)


async def unlock(parts: Parts, actor: Actor, account: Account) -> None:
    """Open an account again, and forget its failures."""
    if account.state == "locked":
        made = await accounts.password_made(parts.database, account.id)
        await _state(parts, actor, account, "active" if made or account.kind == "resident" else "invited", "unlock")
    for subject in (f"name/{account.login}", f"second/{account.id}"):
        await failures.open_again(parts, subject)


async def _state(parts: Parts, actor: Actor, account: Account, state: str, action: str) -> None:
    async with parts.database.connection() as connection:
        await connection.fetchval(sql.set_state, account.id, state)
    await note(parts, actor, action, resources=_named(account))


async def reset(parts: Parts, actor: Actor, account: Account, *, second: bool) -> str:
    """Help somebody who lost the password, or with `second` the phone too; returns the token of an invitation.

    All sessions end. Where the second factor goes, the password goes with it: who comes next has the invitation.
    """
    if second:
        async with parts.database.transaction() as connection:
            await connection.execute(sql.remove_seconds, account.id)
            await connection.execute(sql.end_passwords, account.id, clock.now())
    await parts.entries.revoke(account=account.id)
    await note(parts, actor, "reset", more="second" if second else "password", resources=_named(account))
    return await invite(parts, actor, Post(""), account, "password")


async def administer(parts: Parts, actor: Actor, row: StaffRow, deed: str) -> str:
    """What an institution's administrator does with somebody of its staff: withdraw, lock, unlock or reset.

    Returns the token of an invitation after a reset, else "". Raises Problem 409 for oneself, and for the login of somebody who
    works elsewhere too, which only that role's end is the business of; 422 for a deed that is none.
    """
    account = await accounts.account(parts.database, row.id)
    if account is None or account.id == actor.account:
        raise refuse(409, "conflict", "access.not-oneself")
    if deed == "withdraw":
        await withdraw(parts, actor, account, row.institution, row.role)
        return ""
    if any(one.institution != row.institution for one in await accounts.memberships(parts.database, account.id)):
        raise refuse(409, "conflict", "access.works-elsewhere")
    if deed == "reset":
        return await reset(parts, actor, account, second=True)
    if deed not in {"lock", "unlock"}:
        raise refuse(422, "value", "access.no-deed")
    await (lock if deed == "lock" else unlock)(parts, actor, account)
    return ""


def _named(account: Account) -> tuple[str, ...]:
    return (f"account/{account.id}",)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


async def invitation(parts: Parts, token: str) -> Invitation | None:
    """The open invitation of a token; None when it is unknown, used or over."""
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.invitation, _hash(token), clock.now())
    return Invitation(**row) if row else None


async def use(connection: Connection, token: str) -> None:
    """Use an invitation up, inside of the transaction that does what it is for. Raises Problem 410 when it is over."""
    if await connection.fetchval(sql.use_invitation, _hash(token), clock.now()) is None:
        raise refuse(410, "expired", "access.invitation-over")


def post_of(found: Invitation | Membership) -> Post:
    """What an invitation or a membership makes of somebody."""
    return Post(found.role, found.institution, found.practitioner)
