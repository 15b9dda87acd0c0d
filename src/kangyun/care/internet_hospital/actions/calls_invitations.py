"""Third parties: invited by a link that opens once, or as somebody of the platform who logs in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.care.internet_hospital.actions.calls import Means, changed
from kangyun.care.internet_hospital.actions.calls_post import post_to
from kangyun.care.internet_hospital.decisions.calls import call_of, may, participant, roles_for, terms
from kangyun.care.internet_hospital.model.calls import Call, Invited, Seat
from kangyun.care.internet_hospital.queries.calls import (
    hashed,
    invitation_of_link,
    invitations,
    over,
    sealed,
    sql,
)
from kangyun.commons.access import Handle, Write

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom somebody wants in the call: specialist, interpreter or family, called how; practitioner: id of one who logs in."""

    role: str
    name: str
    practitioner: str = ""


async def invite(means: Means, handle: Handle, call: Call, seat: Seat, asked: Asked) -> str:
    """Invite a third party; returns the secret of the link, '' for a practitioner, who comes in by the own login.

    Either way the Encounter names the third party. Raises Problem 403 when the seat may not invite, 409 when the
    consultation is over or too many were invited, 422 for a role or a name that cannot be.
    """
    if not may("invite", seat.kind):
        raise refuse(403, "forbidden", "base.not-yours-to-do")
    if asked.role not in roles_for(seat.kind):
        raise refuse(422, "value", "internet_hospital.call-role")
    if not 0 < len(asked.name) <= _LONGEST_NAME:
        raise refuse(422, "value", "internet_hospital.call-name")
    if not call.is_open:
        raise refuse(409, "conflict", "internet_hospital.call-closed")
    await _named(handle, call, asked)
    return "" if asked.practitioner else await _link(means, call, asked)


async def _named(handle: Handle, call: Call, asked: Asked) -> None:
    """Write the third party into the Encounter: a practitioner sees the record by it, whoever comes by a link does not."""
    acting = handle.acting("consult.call", "consult.invite", writes="Encounter")
    if asked.practitioner and await acting.read("Practitioner", asked.practitioner) is None:
        raise refuse(422, "not-found", "internet_hospital.call-no-practitioner")
    stored = await acting.fetch("Encounter", call.encounter)
    if stored is None or stored.deleted:
        raise refuse(404, "not-found", "records.not-found", type="Encounter")
    known = call_of(stored.resource)
    if known and asked.practitioner in dict(known.guests):
        return
    if known and asked.practitioner in known.doctors:
        raise refuse(409, "conflict", "internet_hospital.call-is-doctor")
    encounter = {**stored.resource, "participant": [
        *stored.resource.get("participant", ()), participant(asked.role, asked.name, asked.practitioner)]}
    await acting.commit([Write("update", "Encounter", encounter, call.encounter, if_match=stored.version)])


async def _link(means: Means, call: Call, asked: Asked) -> str:
    secret, id_, now = secrets.token_urlsafe(24), str(uuid4()), clock.now()
    async with means.database.transaction() as connection:
        await connection.fetchval(sql.lock, call.resident, call.encounter)
        if await connection.fetchval(invitations.count, call.resident, call.encounter) >= int(terms()["invitations"]):
            raise refuse(409, "conflict", "internet_hospital.call-invitations", most=str(terms()["invitations"]))
        await connection.execute(
            invitations.put, call.resident, id_, call.encounter, call.patient, asked.role, sealed(asked.name, f"invitation/{id_}"),
            hashed(secret), now, now + timedelta(minutes=int(terms()["invitation_minutes"])))
    return secret


async def open_link(means: Means, secret: str) -> str:
    """Open an invitation's link, once; returns what this browser keeps to prove it. Raises Problem 403 when it is over or was opened."""
    found = await invitation_of_link(means.database, secret)
    device = secrets.token_urlsafe(24)
    if found is None or over(found) or found.opened:
        raise refuse(403, "forbidden", "internet_hospital.call-invitation-over")
    async with means.database.connection() as connection:
        if not await connection.fetchval(invitations.open, found.resident, found.id, hashed(device)):
            raise refuse(403, "forbidden", "internet_hospital.call-invitation-over")
    return device


async def take_back(means: Means, call: Call, seat: Seat, invitation: str) -> None:
    """End an invitation; whoever came by it is out at once."""
    if not may("remove", seat.kind):
        raise refuse(403, "forbidden", "base.not-yours-to-do")
    now = clock.now()
    async with means.database.transaction() as connection:
        await connection.fetchval(sql.lock, call.resident, call.encounter)
        await connection.execute(invitations.end, call.resident, call.encounter, invitation, now)
        gone = await connection.fetchval(sql.remove, call.resident, call.encounter, f"invitation/{invitation}", now)
        if gone:
            await post_to(connection, call.resident, gone, {"kind": "removed"})
            await changed(connection, call)


async def call_of_guest(means: Means, one: Invited) -> Call:
    """The call that an invitation leads to. Nobody is known who could read the consultation; the link is the permission."""
    encounter = await means.gate.system("internet_hospital.calls").read("Encounter", one.encounter)
    found = call_of(encounter) if encounter else None
    if found is None:
        raise refuse(403, "forbidden", "internet_hospital.call-invitation-over")
    return found
