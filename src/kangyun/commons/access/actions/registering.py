"""A Patient's official numbers and keeper are changed by those only whose work it is (rules/registering.yaml)."""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.commons.access.actions.caller import Caller, forbidden
from kangyun.commons.access.decisions import registering
from kangyun.commons.records import StoreSession, Write, hash64


def concerns(role: str, writes: Sequence[Write]) -> bool:
    """Whether `guard` must look at writes."""
    return any(one.type == "Patient" and one.method == "update" for one in writes) and registering.is_bound(role)


async def guard(session: StoreSession, connection: Connection, caller: Caller, writes: Sequence[Write]) -> None:
    """Raise Problem 403 for a change of a number or a keeper that is not the caller's to make, before it is written.

    Which Patient a condition means is known only when it is written: people name the one that they change.
    """
    changed = [one for one in writes if one.type == "Patient" and one.method == "update"]
    if any(one.condition is not None for one in changed):
        raise forbidden()
    house = (await caller.facts(connection)).institutions
    kept = await session.fetch_all([("Patient", one.id) for one in changed if one.id])
    for one in changed:
        before = kept.get(("Patient", one.id or ""))
        if before is None or before.deleted:
            continue
        wrong = registering.fault(caller.actor.role, before.resource, one.resource or {}, lambda name: hash64(name) in house)
        if wrong:
            raise refuse(403, "forbidden", wrong)
