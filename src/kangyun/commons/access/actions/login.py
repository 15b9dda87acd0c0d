"""Logging in: what somebody has proved becomes a session, one role at one institution, with a secret of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kangyun.base import clock
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access.actions import failures, passwords, seconds, steps
from kangyun.commons.access.actions.codes import account_by_code
from kangyun.commons.access.actions.parts import Parts, Visitor, known, nobody, note
from kangyun.commons.access.actions.people import follow
from kangyun.commons.access.actions.steps import Step
from kangyun.commons.access.decisions.accounts import Stage, account_limit, next_stage, normal_login, session_limits
from kangyun.commons.access.decisions.passwords import expired
from kangyun.commons.access.decisions.policy import role_start
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account, Membership, sql

UNBOUND = "unbound"
"""The role of a resident who has not said yet who he is; it sees nothing but its own account."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A session: the secret for the browser, how long the browser keeps it, and where to go."""

    secret: str
    lasts: int
    next: str


async def with_password(parts: Parts, typed: str, password: str, visitor: Visitor, target: str = "/") -> str:
    """The first step of staff; returns the secret of the next one.

    Raises Problem 401 for a wrong name or password, which look the same and take the same time, 429 while locked, 403
    when an administrator has locked the account.
    """
    login = normal_login(typed) or typed.strip()[:80]
    at = await failures.begin_at(parts, visitor.address)
    tried = await failures.begin(parts, f"name/{login}", account_limit())
    account = await accounts.by_login(parts.database, login)
    if not await passwords.is_right(parts, account, password) or account is None:
        await _failed(parts, account, visitor, tried)
        raise refuse(401, "login", "access.wrong-login")
    await failures.forgive(parts, at)
    await failures.forget(parts, tried)
    await _must_be_active(parts, account, visitor)
    return await steps.begin(parts, Step("staff", account.id, ("password",), target))


async def _failed(parts: Parts, account: Account | None, visitor: Visitor, tried: failures.Try, more: str = "password") -> None:
    who = known(account.id, visitor) if account else nobody(visitor)
    await note(parts, who, "login", outcome="failed", more=more)
    if tried.last:
        await note(parts, who, "lock", more=more)


async def _must_be_active(parts: Parts, account: Account, visitor: Visitor) -> None:
    if account.state != "active":
        await note(parts, known(account.id, visitor), "login", outcome="refused", more="account-locked")
        raise refuse(403, "forbidden", "access.account-locked")


async def stage(parts: Parts, step: Step) -> Stage:
    """What a login of staff still lacks."""
    assert step.account is not None
    made = await accounts.password_made(parts.database, step.account)
    return next_stage(
        step.passed, has_second=bool(await accounts.seconds(parts.database, step.account)),
        password_expired=made is not None and expired(made, clock.now()), memberships=len(await choices(parts, step)),
    )


async def choices(parts: Parts, step: Step) -> list[Membership]:
    """What an account may come in as: everything it may be, or only what it may be where a directory vouched for it."""
    assert step.account is not None
    found = await accounts.memberships(parts.database, step.account)
    return [one for one in found if step.institution is None or one.institution == step.institution]


async def must_stand(parts: Parts, secret: str) -> Step:
    """The login of staff that is under way. Raises Problem 410 when it is over."""
    step = await steps.standing(parts, secret, "staff")
    if step is None:
        raise over()
    return step


def over() -> Problem:
    """The refusal for a login whose time is over, or that somebody tries to shorten."""
    return refuse(410, "expired", "access.step-over")


async def noted(parts: Parts, account: Account, visitor: Visitor, action: str) -> None:
    """Write down what somebody did on the way in."""
    await note(parts, known(account.id, visitor), action)


async def with_second(parts: Parts, secret: str, code: str, visitor: Visitor) -> str:
    """The second step of staff, by the code of an app or a recovery code; returns the secret of the next one.

    Raises Problem 401 for a wrong code, 429 while locked, 410 when the login is over.
    """
    step = await must_stand(parts, secret)
    assert step.account is not None
    tried = await failures.begin(parts, f"second/{step.account}", account_limit())
    factor = await _factor(parts, step.account, code)
    if factor is None:
        await _failed(parts, await accounts.account(parts.database, step.account), visitor, tried, "second")
        raise refuse(401, "login", "access.wrong-code")
    await failures.forget(parts, tried)
    return await passed(parts, secret, factor)


async def _factor(parts: Parts, account: str, code: str) -> str | None:
    if await seconds.code_fits(parts, account, code):
        return "totp"
    return "recovery" if await seconds.use_recovery_code(parts, account, code) else None


async def passed(parts: Parts, secret: str, factor: str) -> str:
    """Note a factor that was proved; the step gets a new secret. Raises Problem 410 when the login is over."""
    step = await steps.take(parts, secret, "staff")
    if step is None:
        raise over()
    return await steps.begin(parts, replace(step, passed=(*step.passed, factor)))


async def enter(parts: Parts, secret: str, visitor: Visitor, membership: str | None = None) -> Entered:
    """The last step of staff. Raises Problem 403 when something is lacking or the membership is not the account's."""
    step = await must_stand(parts, secret)
    assert step.account is not None
    account = await accounts.account(parts.database, step.account)
    offered = await choices(parts, step)
    chosen = next((one for one in offered if membership in (None, one.id)), None)
    if account is None or chosen is None or await stage(parts, step) not in {"enter", "choose"}:
        raise refuse(403, "forbidden", "base.forbidden")
    await _must_be_active(parts, account, visitor)
    await steps.take(parts, secret, "staff")
    return await let_in(parts, staff_actor(account, chosen, visitor), visitor, step.next, step.passed)


async def with_code(parts: Parts, secret: str, code: str, visitor: Visitor) -> Entered:
    """A resident comes in by the code that was sent to the phone; Problems as `account_by_code`."""
    account, step = await account_by_code(parts, secret, code, visitor)
    return await let_in(parts, await resident_actor(parts, account, visitor), visitor, step.next, ("code",))


async def let_in(
    parts: Parts, actor: Actor, visitor: Visitor, target: str, factors: Sequence[str] = (), *, action: str = "login",
    longest: int | None = None,
) -> Entered:
    """Issue a session, at most `longest` seconds, and write it into the audit trail."""
    limits = session_limits(actor.role)
    lasts = min(limits.lasts, longest) if longest is not None else limits.lasts
    secret = await parts.entries.issue(actor, kind="session", lasts=lasts, idle=min(limits.idle, lasts), device=visitor.device)
    async with parts.database.connection() as connection:
        await connection.execute(sql.seen, actor.account, clock.now())
    await note(parts, await parts.entries.actor(secret) or actor, action, more=" ".join(factors))
    return Entered(secret, lasts, role_start(actor.role) if target == "/" else target)


def staff_actor(account: Account, membership: Membership, visitor: Visitor) -> Actor:
    """A member of staff in one role at one institution."""
    return Actor(
        f"user/{account.id}", membership.role, institution=membership.institution or None,
        practitioner=membership.practitioner or account.practitioner, account=account.id, address=visitor.address,
    )


async def resident_actor(parts: Parts, account: Account, visitor: Visitor) -> Actor:
    """A resident as oneself, or as nobody yet."""
    person = await follow(parts, account.person) if account.person else None
    role = "resident" if person else UNBOUND
    return Actor(f"user/{account.id}", role, person=person, account=account.id, address=visitor.address)
