"""Real names: an account of a resident is bound to the person whose name and ID number somebody knows."""

from __future__ import annotations

from datetime import date
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.settings import Settings, offset
from kangyun.commons.access.actions import failures, sessions
from kangyun.commons.access.actions.codes import close
from kangyun.commons.access.actions.login import Entered
from kangyun.commons.access.actions.parts import Parts, Visitor, note
from kangyun.commons.access.actions.people import normal_number, person_by, residents
from kangyun.commons.access.decisions.accounts import binding_limit
from kangyun.commons.access.decisions.guardians import born_of, may_alone
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts, guardians
from kangyun.commons.access.queries.accounts import sql


async def bind(parts: Parts, actor: Actor, name: str, number: str, visitor: Visitor) -> Entered:
    """Bind the account to a person, for good; the session gets a new secret with the rights of that resident.

    Raises Problem 422 when name and number do not belong together, which looks the same as a number that nobody has,
    429 after too many tries, 403 for a child without a guardian, 409 when another account is bound to the person.
    """
    account = await sessions.account_of(parts, actor)
    if account.kind != "resident" or account.person:
        raise refuse(409, "conflict", "access.already-bound")
    found = await proved_person(parts, actor, name, number)
    await _may_have_own(parts, found)
    async with parts.database.connection() as connection:
        if await accounts.of_person(parts.database, found["id"]) is not None:
            raise refuse(409, "conflict", "access.bound-elsewhere")
        await connection.fetchval(sql.bind, account.id, found["id"])
    await note(parts, actor, "bind", resources=(f"Person/{found['id']}",), residents=residents(found))
    return await sessions.refresh(parts, actor, visitor)


async def proved_person(parts: Parts, actor: Actor, name: str, number: str) -> dict[str, Any]:
    """The Person of a name and an ID number, with the tries counted for the account and for the number.

    Raises Problem 422 when they do not belong together, 429 after too many tries.
    """
    plain = normal_number(number)
    tries = [await failures.begin(parts, subject, binding_limit()) for subject in (f"bind/{actor.account}", f"number/{plain}")]
    found = await person_by(parts, name, plain)
    if found is None:
        await note(parts, actor, "bind", outcome="failed")
        raise refuse(422, "value", "access.no-match")
    for one in tries:
        await failures.forget(parts, one)
    return found


async def _may_have_own(parts: Parts, person: dict[str, Any]) -> None:
    if may_alone(born_of(person), today(parts.settings)) or await guardians.guardians_of(parts.database, person["id"]):
        return
    raise refuse(403, "forbidden", "access.child-needs-guardian")


def today(settings: Settings) -> date:
    """The day it is in the region."""
    return clock.now().astimezone(offset(settings.time_zone)).date()


async def release(parts: Parts, actor: Actor, name: str, number: str) -> None:
    """End the account that is bound to a person, at a counter that has seen the identity card: a phone was lost or sold.

    Its sessions end at once; guardianships stay the person's. Raises Problem 422 when name and number do not belong
    together, 404 when no account is bound, 429 after too many tries.
    """
    found = await proved_person(parts, actor, name, number)
    account = await accounts.of_person(parts.database, found["id"])
    if account is None:
        raise refuse(404, "not-found", "access.no-account")
    await close(parts, account)
    await note(parts, actor, "bind", more="released", resources=(f"Person/{found['id']}", f"account/{account.id}"), residents=residents(found))
