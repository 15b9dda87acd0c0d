"""Passkeys (W3C Web Authentication level 3): a key in the device, opened by PIN, finger or face, is both factors at once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access.actions import failures, login, seconds, steps
from kangyun.commons.access.actions.login import Entered, let_in
from kangyun.commons.access.actions.parts import Parts, Visitor, nobody, note
from kangyun.commons.access.actions.steps import Step
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account, sql

_MOST = 20


@dataclass(frozen=True, slots=True)
class Site:
    """Where browsers see us: origin https://cloud.example and its host name, to which passkeys are bound."""

    origin: str
    host: str
    name: str


async def offer(parts: Parts, site: Site, target: str = "/") -> tuple[str, str]:
    """A challenge for anybody's passkey: the step's secret, and the options for the browser as JSON."""
    from kangyun.commons.access.decisions import ceremony  # noqa: PLC0415 - 14 MB that few need

    asked = ceremony.ask(site.host)
    return await steps.begin(parts, Step("passkey", challenge=asked.challenge, next=target)), asked.options


async def answer(parts: Parts, secret: str, credential: str, site: Site, visitor: Visitor) -> tuple[Account, Step]:
    """Whose passkey answered the challenge. Raises Problem 401 for a wrong one, 410 when the challenge is over, 403, 429."""
    at = await failures.begin_at(parts, visitor.address)
    step = await steps.take(parts, secret, "passkey")
    if step is None:
        raise refuse(410, "expired", "access.step-over")
    account = await _holder(parts, step, credential, site)
    if account is None:
        await note(parts, nobody(visitor), "login", outcome="failed", more="passkey")
        raise refuse(401, "login", "access.wrong-passkey")
    await failures.forgive(parts, at)
    if account.state != "active":
        await note(parts, nobody(visitor), "login", outcome="refused", more="account-locked")
        raise refuse(403, "forbidden", "access.account-locked")
    return account, step


async def _holder(parts: Parts, step: Step, credential: str, site: Site) -> Account | None:
    from kangyun.commons.access.decisions import ceremony  # noqa: PLC0415 - 14 MB that few need

    handle = ceremony.handle_of(credential)
    if handle is None:
        return None
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.passkey, handle)
    if row is None:
        return None
    count = ceremony.proved(credential, step.challenge, (site.origin, site.host), ceremony.Passkey(handle, row["content"], row["count"]))
    right = count is not None and await seconds.count_up(parts, row["id"], count)
    return await accounts.account(parts.database, row["account"]) if right else None


async def offer_again(parts: Parts, account: Account, site: Site) -> tuple[str, str]:
    """A challenge for a passkey of somebody who is logged in already: the step's secret, and the options as JSON."""
    from kangyun.commons.access.decisions import ceremony  # noqa: PLC0415 - 14 MB that few need

    asked = ceremony.ask(site.host, await _handles(parts, account))
    return await steps.begin(parts, Step("presence", account.id, challenge=asked.challenge)), asked.options


async def again(parts: Parts, account: Account, told: tuple[str, str], site: Site) -> bool:
    """Whether a passkey of the account answered its challenge; `told`: the step's secret and the answer as JSON."""
    step = await steps.take(parts, told[0], "presence")
    holder = await _holder(parts, step, told[1], site) if step and step.account == account.id else None
    return holder is not None and holder.id == account.id


async def come_in(parts: Parts, account: Account, step: Step, visitor: Visitor) -> Entered | str:
    """A session for a resident, or the secret of the next step for staff, which may have to choose an institution."""
    if account.kind == "resident":
        return await let_in(parts, await login.resident_actor(parts, account, visitor), visitor, step.next, ("key",))
    return await steps.begin(parts, Step("staff", account.id, ("key",), step.next))


async def prepare(parts: Parts, account: Account, label: str, site: Site) -> tuple[str, str]:
    """A challenge for a new passkey of an account; `label` is what the device shows beside it."""
    from kangyun.commons.access.decisions import ceremony  # noqa: PLC0415 - 14 MB that few need

    asked = ceremony.ask_new(site.host, site.name, (account.id.encode(), label), await _handles(parts, account))
    return await steps.begin(parts, Step("new-passkey", account.id, challenge=asked.challenge)), asked.options


async def _handles(parts: Parts, account: Account) -> list[bytes]:
    return [one.handle for one in await accounts.seconds(parts.database, account.id) if one.handle]


async def add(parts: Parts, account: Account, secret: str, credential: str, *, site: Site, title: str) -> None:
    """Keep a new passkey. Raises Problem 410 when the challenge is over, 422 when the answer is not right."""
    from kangyun.commons.access.decisions import ceremony  # noqa: PLC0415 - 14 MB that few need

    step = await steps.take(parts, secret, "new-passkey")
    if step is None or step.account != account.id:
        raise refuse(410, "expired", "access.step-over")
    if len(await accounts.seconds(parts.database, account.id)) >= _MOST:
        raise refuse(422, "too-many", "access.too-many-passkeys")
    made = ceremony.made(credential, step.challenge, (site.origin, site.host))
    if made is None:
        raise refuse(422, "value", "access.wrong-passkey")
    async with parts.database.connection() as connection:
        await connection.execute(sql.put_credential, secrets.token_hex(12), account.id, "passkey", *made, title[:60], clock.now())
