"""What somebody who is logged in proves himself with from now on: passkeys, apps, recovery codes."""

from __future__ import annotations

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.commons.access.actions import codes, passkeys, seconds, sessions
from kangyun.commons.access.actions.parts import Parts, note
from kangyun.commons.access.actions.passkeys import Site
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account, sql

_TOLD = web.message("access.sms.passkey")


async def confirmed(parts: Parts, actor: Actor, password: str) -> Account:
    """The account, once more sure that its holder is here: staff say the password. Raises Problem 401 and 429."""
    account = await sessions.account_of(parts, actor)
    if account.kind == "staff":
        await sessions.confirm(parts, actor, account, password)
    return account


async def offer_passkey(parts: Parts, actor: Actor, password: str, label: str, site: Site) -> tuple[str, str]:
    """A challenge for a new passkey: the step's secret and the options for the browser as JSON."""
    account = await confirmed(parts, actor, password)
    return await passkeys.prepare(parts, account, account.login or label, site)


async def add_passkey(parts: Parts, actor: Actor, secret: str, credential: str, *, site: Site, title: str) -> None:
    """Keep a new passkey; a resident is told of it by text message. Problems as `passkeys.add`."""
    account = await sessions.account_of(parts, actor)
    await passkeys.add(parts, account, secret, credential, site=site, title=title)
    await note(parts, actor, "second", more="passkey")
    phone = await codes.phone_of_account(parts, account.id)
    if phone:
        await codes.tell(parts, account.id, phone, _TOLD)


async def add_app(parts: Parts, actor: Actor, password: str, secret: str, code: str) -> None:
    """Keep another authenticator app of staff. Raises Problem 401 and 429 for the password, 422 for the code."""
    account = await confirmed(parts, actor, password)
    await seconds.enrol(parts, account.id, secret, code)
    await note(parts, actor, "second", more="totp")


async def remove(parts: Parts, actor: Actor, credential: str) -> None:
    """Remove a passkey or an app. Raises Problem 409 for the last second factor of staff, 404 for one that is not there."""
    account = await sessions.account_of(parts, actor)
    held = await accounts.seconds(parts.database, account.id)
    if account.kind == "staff" and [one.id for one in held] == [credential]:
        raise refuse(409, "conflict", "access.last-second")
    async with parts.database.connection() as connection:
        kind = await connection.fetchval(sql.remove_credential, account.id, credential)
    if kind is None:
        raise refuse(404, "not-found", "base.not-found")
    await note(parts, actor, "second", more=f"{kind} removed")


async def renew_recovery(parts: Parts, actor: Actor, password: str) -> list[str]:
    """New recovery codes, shown once; the old ones end. Raises Problem 401 and 429."""
    account = await confirmed(parts, actor, password)
    codes = await seconds.new_recovery_codes(parts, account.id)
    await note(parts, actor, "second", more="recovery")
    return codes
