"""What somebody who is logged in does with the session: another role, another person, out here, out everywhere."""

from __future__ import annotations

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access.actions import failures, login, passwords
from kangyun.commons.access.actions.login import Entered, let_in
from kangyun.commons.access.actions.parts import Parts, Visitor, note
from kangyun.commons.access.actions.people import follow
from kangyun.commons.access.decisions.accounts import account_limit
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts, guardians
from kangyun.commons.access.queries.accounts import Account


async def account_of(parts: Parts, actor: Actor) -> Account:
    """The account of somebody logged in. Raises Problem 401 for anybody else."""
    found = await accounts.account(parts.database, actor.account) if actor.account else None
    if found is None or actor.session is None or actor.scopes is not None:
        # An app acts for somebody; it is not somebody, and changes nothing about logging in.
        raise refuse(401, "login", "base.unauthenticated")
    return found


async def switch(parts: Parts, actor: Actor, membership: str, visitor: Visitor) -> Entered:
    """Go on in another role or at another institution, with a new secret; the old session ends.

    Raises Problem 403 when the membership is not one of the account's.
    """
    account = await account_of(parts, actor)
    offered = await accounts.memberships(parts.database, account.id)
    chosen = next((one for one in offered if one.id == membership), None)
    if chosen is None or account.state != "active":
        raise refuse(403, "forbidden", "base.forbidden")
    return await _instead(parts, actor, login.staff_actor(account, chosen, visitor), visitor)


async def act_for(parts: Parts, actor: Actor, ward: str, visitor: Visitor) -> Entered:
    """Go on as the guardian of a ward, or as oneself again (''). Raises Problem 403 without a guardianship in force."""
    account = await account_of(parts, actor)
    if account.kind != "resident" or account.state != "active":
        raise refuse(403, "forbidden", "base.forbidden")
    if not ward:
        return await _instead(parts, actor, await login.resident_actor(parts, account, visitor), visitor)
    ward = await follow(parts, ward)
    held = await guardians.in_force(parts.database, account.id, ward)
    if held is None or account.person is None:
        raise refuse(403, "forbidden", "access.no-guardianship")
    left = int((held.ends - clock.now()).total_seconds())
    guardian = Actor(actor.name, "guardian", person=ward, account=account.id, address=visitor.address)
    return await _instead(parts, actor, guardian, visitor, longest=left)


async def _instead(parts: Parts, before: Actor, after: Actor, visitor: Visitor, longest: int | None = None) -> Entered:
    entered = await let_in(parts, after, visitor, "/", action="switch", longest=longest)
    await parts.entries.revoke(id_=before.session)
    return entered


async def refresh(parts: Parts, actor: Actor, visitor: Visitor, target: str = "/account") -> Entered:
    """The same rights with a new secret, after something about them has changed; the old session ends."""
    account = await account_of(parts, actor)
    after = await login.resident_actor(parts, account, visitor) if account.kind == "resident" else actor
    entered = await let_in(parts, after, visitor, target, action="renew")
    await parts.entries.revoke(id_=actor.session)
    return entered


async def log_out(parts: Parts, actor: Actor) -> None:
    """End this session."""
    if actor.session:
        await parts.entries.revoke(id_=actor.session)
        await note(parts, actor, "logout")


async def log_out_everywhere(parts: Parts, actor: Actor) -> None:
    """End all sessions of the account and all tokens that apps have of it, this session too."""
    if actor.account:
        await parts.entries.revoke(account=actor.account)
        await note(parts, actor, "logout", more="everywhere")


async def end_device(parts: Parts, actor: Actor, entry: str) -> None:
    """End one of one's own sessions or apps. Raises Problem 404 for one that is somebody else's."""
    account = await account_of(parts, actor)
    if all(one.id != entry for one in await parts.entries.of_account(account.id)):
        raise refuse(404, "not-found", "base.not-found")
    await parts.entries.revoke(id_=entry)
    await note(parts, actor, "logout", more="device")


async def change_password(parts: Parts, actor: Actor, old: str, new: str) -> None:
    """Choose another password; other devices are logged out.

    Raises Problem 401 when the old one is wrong, 422 with the faults of the new one, 429 while locked.
    """
    account = await account_of(parts, actor)
    await confirm(parts, actor, account, old)
    kept = await passwords.checked(parts, account.id, account.login or "", new)
    async with parts.database.transaction() as connection:
        await passwords.keep(connection, account.id, kept)
    await parts.entries.revoke(account=account.id, but=actor.session)
    await note(parts, actor, "password")


async def confirm(parts: Parts, actor: Actor, account: Account, password: str) -> None:
    """Whoever sits at an open session must know the password for what outlasts it. Raises Problem 401 and 429."""
    tried = await failures.begin(parts, f"name/{account.login}", account_limit())
    if not await passwords.is_right(parts, account, password):
        await note(parts, actor, "password", outcome="failed")
        raise refuse(401, "login", "access.wrong-password")
    await failures.forget(parts, tried)


async def end_acting(parts: Parts, account: str, ward: str) -> None:
    """End the sessions and tokens in which an account acts for a ward."""
    for one in await parts.entries.of_account(account):
        if one.actor.role == "guardian" and one.actor.person == ward:
            await parts.entries.revoke(id_=one.id)
