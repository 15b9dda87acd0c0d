"""Reads of calls: whose consultation it is, who sits in the call, what waits for a browser."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection, Database, queries
from kangyun.base.errors import refuse
from kangyun.base.keys import Unopenable, vault
from kangyun.care.internet_hospital.decisions.calls import call_of, seat_kind, terms
from kangyun.care.internet_hospital.model.calls import PURPOSE, Call, Invited, Peer, Seat
from kangyun.commons.access import Handle
from kangyun.commons.population import legal_name

sql = queries("kangyun.care.internet_hospital", "queries/calls.sql")
invitations = queries("kangyun.care.internet_hospital", "queries/calls_invitations.sql")
recordings = queries("kangyun.care.internet_hospital", "queries/calls_recordings.sql")

_MOST_SIGNS = 40


async def call(handle: Handle, encounter_id: str) -> Call:
    """The call of a consultation that the caller sees; raises Problem 404."""
    encounter = await handle.read("Encounter", encounter_id)
    found = call_of(encounter) if encounter else None
    if found is None:
        raise refuse(404, "not-found", "records.not-found", type="Encounter")
    return found


async def seat(handle: Handle, found: Call) -> Seat:
    """The caller's seat; raises Problem 403 for whoever sees the consultation and has none."""
    actor, kind = handle.actor, seat_kind(found, handle.actor)
    if kind is None or actor.account is None:
        raise refuse(403, "forbidden", "internet_hospital.call-not-yours")
    return Seat(f"account/{actor.account}", *kind, await _name(handle, found))


async def _name(handle: Handle, found: Call) -> str:
    if handle.actor.practitioner:
        practitioner = await handle.read("Practitioner", handle.actor.practitioner)
        return _called(practitioner)
    patient = await handle.read("Patient", found.patient)
    return legal_name(patient)[:_MOST_SIGNS] if patient else ""


def _called(one: dict[str, Any] | None) -> str:
    name = next(iter((one or {}).get("name", ())), {})
    return str(name.get("text") or f"{name.get('family', '')}{''.join(name.get('given', ()))}")[:_MOST_SIGNS]


async def peers(connection: Connection, found: Call) -> list[Peer]:
    """Everybody in a call, those included who were not heard of lately."""
    lately = clock.now() - timedelta(seconds=int(terms()["away_seconds"]))
    return [_peer(row, lately) for row in await connection.fetch(sql.peers, found.resident, found.encounter)]


def _peer(row: Any, lately: datetime) -> Peer:
    told = {name: row[name] for name in ("peer", "who", "kind", "role", "run", "level", "why", "agreed", "silent")}
    return Peer(**told, name=unsealed(row["name"], row["who"]), here=row["seen"] >= lately)


def sealed(name: str, who: str) -> str:
    """A name as it is kept."""
    return vault.seal(PURPOSE, name, who)


def unsealed(kept: str, who: str) -> str:
    """The name again; '' when its key has been retired since, as the names of a call that is over may be."""
    try:
        return vault.opened(PURPOSE, kept, who)
    except Unopenable:
        return ""


def hashed(secret: str) -> bytes:
    """What is kept of a secret that a browser or a link holds."""
    return hashlib.sha256(secret.encode()).digest()


async def invited(database: Database, found: Call) -> list[Invited]:
    """The links of a call, oldest first."""
    async with database.connection() as connection:
        rows = await connection.fetch(invitations.of, found.resident, found.encounter)
    return [_invited(row) for row in rows]


async def invitation_of_link(database: Database, secret: str) -> Invited | None:
    """The invitation of a link, also one that is over."""
    async with database.connection() as connection:
        row = await connection.fetchrow(invitations.by_secret, hashed(secret))
    return _invited(row) if row else None


async def invitation_of_browser(database: Database, secret: str) -> Invited:
    """The invitation that a browser has opened; raises Problem 403 when it is over."""
    async with database.connection() as connection:
        row = await connection.fetchrow(invitations.by_device, hashed(secret)) if secret else None
    found = _invited(row) if row else None
    if found is None or over(found):
        raise refuse(403, "forbidden", "internet_hospital.call-invitation-over")
    return found


def over(one: Invited) -> bool:
    """Whether an invitation lets nobody in any more."""
    return one.ended is not None or one.expires <= clock.now()


def _invited(row: Any) -> Invited:
    found = Invited(**dict(row))
    return replace(found, name=unsealed(found.name, f"invitation/{found.id}"))


def guest_seat(one: Invited) -> Seat:
    """The seat of whoever opened an invitation."""
    return Seat(f"invitation/{one.id}", "guest", one.role, one.name)
